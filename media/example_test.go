package media_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"noom"
	"noom/media"
	"noom/signal/hub"
	"noom/transport/mem"
)

// A film for everyone, once.
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

// Everyone in the room, now and later, in one file. Errors of joining are left out.
func ExampleRecordRoom() {
	ctx, dialer := context.Background(), mem.Dialer(hub.New(nil))
	alice, _ := noom.Join(ctx, dialer, "lobby", &noom.Config{
		Name: "alice", Tracks: []noom.LocalTrack{{Name: "camera", Track: media.TestPattern(nil)}},
	})
	defer alice.Leave(ctx)
	recorder, _ := noom.Join(ctx, dialer, "lobby", &noom.Config{Name: "recorder"})

	file, err := os.CreateTemp("", "call-*.webm")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	recording := media.RecordRoom(ctx, file, recorder)

	for event := range recorder.Events(ctx) {
		if e, ok := event.(noom.TrackAdded); ok {
			for range 30 { // a moment of it
				_, _ = e.Track.ReadRTP()
			}
			break
		}
	}
	recorder.Leave(ctx)
	<-recording.Done() // the room is over, ctx has ended or the disk is full
	fmt.Println("recorded:", errors.Join(recording.Err(), file.Close()))

	film, err := media.OpenWebM(file.Name(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = film.Close() }() // was only read
	for _, track := range film.Tracks() {
		fmt.Println(track.Kind())
	}
	// Output:
	// recorded: <nil>
	// video
}

// All that one peer sends.
func ExampleRecordPeer() {
	record := func(ctx context.Context, peer noom.Peer, file *os.File) *media.Recording {
		return media.RecordPeer(ctx, file, peer)
	}
	_ = record
}

// A room as MP4. The recorder says which codecs it takes, so that browsers do not send VP8.
func ExampleRecordMP4() {
	record := func(ctx context.Context, dialer noom.Dialer, file *os.File) (*media.Recording, error) {
		room, err := noom.Join(ctx, dialer, "lobby", &noom.Config{PreferredCodecs: media.MP4Codecs()})
		if err != nil {
			return nil, err
		}
		recording := media.RecordMP4(ctx, file)
		media.AddRoom(recording, room)
		return recording, nil
	}
	_ = record
}

// What a member says, for a speech recogniser that takes 16 kHz.
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
