package main

import (
	"testing"

	"noom"
	"noom/examples/bottest"
	"noom/media"
)

func TestEverythingComesBack(t *testing.T) {
	stage := bottest.New(t)
	stage.Start(run, "-name", "메아리")
	pattern := media.TestPattern(nil)
	defer func() { _ = pattern.Close() }()
	room := stage.Join("지우", noom.LocalTrack{Name: "camera", Track: pattern})
	track := bottest.Await(t, room, func(e noom.TrackAdded) bool { return e.Peer.Name() == "메아리" && e.Track.Name() == "camera" }).Track
	for range 20 {
		if _, err := track.ReadRTP(); err != nil {
			t.Fatal(err)
		}
	}
	if codec := track.Codec().MimeType; codec != "video/VP8" {
		t.Errorf("%s came back", codec)
	}
	if err := room.SendTopic(t.Context(), "인사", []byte("안녕")); err != nil {
		t.Fatal(err)
	}
	bottest.Await(t, room, func(e noom.DataReceived) bool { return string(e.Data) == "안녕" && e.Topic == "인사" })
	if err := room.Chat(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	bottest.Await(t, room, func(e noom.ChatReceived) bool { return e.Text == "지우: hello" })
}
