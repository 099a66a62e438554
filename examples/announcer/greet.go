package main

import (
	"context"
	"fmt"
	"time"

	"noom"
	"noom/media"
)

// playable says before anybody is greeted what is wrong with the sound.
func playable(sound string) error {
	if sound == "" {
		return nil
	}
	file, err := media.OpenOgg(sound, nil)
	if err != nil {
		return fmt.Errorf("announcer: -sound: %w", err)
	}
	return file.Close()
}

// greet welcomes a peer in words and with a sound, to its end.
func greet(ctx context.Context, peer noom.Peer, sound string) error {
	if err := peer.TrySend([]byte("welcome, " + peer.Name())); err != nil {
		return err
	}
	source, lasts := media.Tone(), 2*time.Second
	if sound != "" {
		file, err := media.OpenOgg(sound, &media.FileOptions{Once: true})
		if err != nil {
			return err
		}
		source, lasts = file, 24*time.Hour // to its end
	}
	sender, err := peer.Publish(ctx, source, &noom.PublishOptions{Name: "announcement"})
	if err != nil {
		_ = source.Close() // it had no listener
		return err
	}
	select {
	case <-source.Done():
	case <-time.After(lasts):
	case <-ctx.Done():
	}
	_ = sender.Close() // the peer may be gone already
	return source.Close()
}
