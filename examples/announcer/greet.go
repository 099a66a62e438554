package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"noom"
	"noom/media"
	"noom/media/voice"
)

// playable says before anybody is greeted what is wrong with the sound.
func playable(sound string) (err error) {
	switch {
	case sound == "":
		return nil
	case isSpeech(sound):
		_, _, err = readSpeech(sound)
	default:
		var file *media.Source
		if file, err = media.OpenOgg(sound, nil); err == nil {
			err = file.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("announcer: -sound: %w", err)
	}
	return nil
}

// isSpeech reports whether a sound is a WAV file, such as a speech synthesiser writes.
func isSpeech(sound string) bool { return strings.EqualFold(filepath.Ext(sound), ".wav") }

func readSpeech(path string) (pcm []int16, rate int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = file.Close() }() // was only read
	if pcm, rate, err = voice.ReadWAV(file); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	if _, err = voice.NewResampler(rate, rate); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	return pcm, rate, nil
}

// greet welcomes a peer in words and with a sound, to its end.
func greet(ctx context.Context, peer noom.Peer, sound string) error {
	if err := peer.TrySend([]byte("welcome, " + peer.Name())); err != nil {
		return err
	}
	if isSpeech(sound) {
		return speak(ctx, peer, sound)
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

// speak says what is in a WAV file.
func speak(ctx context.Context, peer noom.Peer, sound string) error {
	pcm, rate, err := readSpeech(sound)
	if err != nil {
		return err
	}
	speaker, err := voice.NewSpeaker(ctx, peer, &voice.SpeakerOptions{Name: "announcement", Rate: rate})
	if err != nil {
		return err
	}
	raw := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
	}
	err = speaker.Say(ctx, bytes.NewReader(raw))
	_ = speaker.Close() // the peer may be gone already
	if err != nil && ctx.Err() == nil && !errors.Is(err, noom.ErrClosed) {
		return err
	}
	return nil
}
