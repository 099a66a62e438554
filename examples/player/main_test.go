package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/examples/bottest"
)

const clips = "../../media/testdata/"

func copyTo(t *testing.T, folder string, names map[string]string) {
	t.Helper()
	for name, from := range names {
		b, err := os.ReadFile(clips + from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Three films, two codecs, two of them with sound, over and over.
func TestFolderIsAChannel(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	copyTo(t, folder, map[string]string{"1 소리.ivf": "vp8.ivf", "1 소리.ogg": "opus.ogg", "2.ivf": "vp9.ivf", "3 영화.webm": "film.webm", "notes.txt": "README.md"})
	stage := bottest.New(t)
	room := stage.Join("지우")
	out, _ := stage.Start(run, "-play", folder)
	of := func(kind webrtc.RTPCodecType) noom.RemoteTrack {
		return bottest.Await(t, room, func(e noom.TrackAdded) bool { return e.Track.Kind() == kind }).Track
	}
	picture := of(webrtc.RTPCodecTypeVideo)
	for _, codec := range []string{webrtc.MimeTypeVP8, webrtc.MimeTypeVP9, webrtc.MimeTypeVP8} { // of one track
		for picture.Codec().MimeType != codec {
			if _, err := picture.ReadRTP(); err != nil {
				t.Fatal(err)
			}
		}
	}
	bottest.Until(t, func() bool { return strings.Count(out.String(), "playing") > 3 })
	if !strings.Contains(out.String(), "1 소리.ivf and ") || !strings.Contains(out.String(), "3 영화.webm\n") || strings.Contains(out.String(), "notes") {
		t.Error(out)
	}
}

// A damaged one is reported, and the others play on.
func TestDamagedFilmIsLeftOut(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	copyTo(t, folder, map[string]string{"1.ivf": "README.md", "2.ivf": "vp8.ivf"})
	stage := bottest.New(t)
	stage.Join("지우") // nothing is played to an empty room
	out, _ := stage.Start(run, "-play", folder)
	bottest.Until(t, func() bool { return strings.Count(out.String(), "2.ivf") > 1 })
	if !strings.Contains(out.String(), "1.ivf: ") {
		t.Error(out)
	}
	if err := os.Remove(filepath.Join(folder, "2.ivf")); err != nil {
		t.Fatal(err)
	}
	if err := stage.Run(run, "-play", folder); err == nil || !strings.Contains(err.Error(), "another kind of file") {
		t.Errorf("with nothing that can be played it ended with %v", err)
	}
}

func TestNothingToPlay(t *testing.T) {
	empty := t.TempDir()
	for path, says := range map[string]string{empty: "no file in it", "없음": "no such file", clips + "README.md": "another kind of file"} {
		if err := run(t.Context(), bottest.Flags(), []string{"-play", path}, io.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
}
