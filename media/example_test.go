package media_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"noom"
	"noom/media"
)

// A film for everybody, once.
func ExampleOpenWebM() {
	show := func(ctx context.Context, room noom.Room) error {
		film, err := media.OpenWebM("film.webm", &media.FileOptions{Once: true})
		if err != nil {
			return err // names the file and what is wrong with it
		}
		defer func() { _ = film.Close() }() // was only read
		for _, track := range film.Tracks() {
			if _, err := room.Publish(ctx, track, nil); err != nil {
				return err
			}
		}
		<-film.Done()
		return film.Err()
	}
	_ = show
}

// Everybody in the room, now and later, in one file.
func ExampleRecordRoom() {
	record := func(ctx context.Context, room noom.Room) error {
		file, err := os.Create("call.webm")
		if err != nil {
			return err
		}
		recording := media.RecordRoom(ctx, file, room)
		<-recording.Done() // the room is over, ctx has ended or the disk is full
		return errors.Join(recording.Err(), file.Close())
	}
	_ = record
}

// One peer, whatever it sends.
func ExampleRecordPeer() {
	record := func(ctx context.Context, peer noom.Peer, file *os.File) *media.Recording {
		return media.RecordPeer(ctx, file, peer)
	}
	_ = record
}

// What somebody says, for a recogniser that takes 16 kHz.
func ExampleListen() {
	transcribe := func(track noom.RemoteTrack) error {
		ear, err := media.Listen(track, 16000)
		if err != nil {
			return err
		}
		for {
			sound, err := ear.Next()
			if err != nil {
				return err // io.EOF: the track is over
			}
			fmt.Println(sound.At, len(sound.PCM))
		}
	}
	_ = transcribe
}
