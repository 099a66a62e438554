package noomtest

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// Source is a track that plays by itself, from when it is made until the
// world ends or Close: a picture or a sound that consists of nothing but a
// number, which counts up. A [Sink] at the other end sees what is missing.
// Each picture is a key frame.
type Source struct {
	*webrtc.TrackLocalStaticSample
	serial  uint32
	every   time.Duration
	closing sync.Once
	closed  chan struct{}
	played  chan struct{}
}

// Frames of a [Source] carry, behind what makes them a VP8 key frame of 16 by
// 16 pixels or nothing for Opus, the source's serial number and their own.
var vp8Start = []byte{0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 16, 0, 16, 0}

const mark = "noomtest"

// Camera returns a source of VP8 pictures, 25 a second.
func (w *World) Camera() *Source {
	w.t.Helper()
	return w.source(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}, "camera", 40*time.Millisecond)
}

// Microphone returns a source of Opus packets, 50 a second.
func (w *World) Microphone() *Source {
	w.t.Helper()
	return w.source(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "microphone", 20*time.Millisecond)
}

func (w *World) source(codec webrtc.RTPCodecCapability, name string, every time.Duration) *Source {
	w.t.Helper()
	w.alive("a Source")
	track, err := webrtc.NewTrackLocalStaticSample(codec, name, "noomtest")
	if err != nil {
		w.t.Fatalf("noomtest: %s: %v", name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &Source{
		TrackLocalStaticSample: track, serial: uint32(len(w.sources) + 1), every: every,
		closed: make(chan struct{}), played: make(chan struct{}),
	}
	w.sources = append(w.sources, s)
	go s.play()
	return s
}

func (s *Source) play() {
	defer close(s.played)
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	var head []byte
	if s.Kind() == webrtc.RTPCodecTypeVideo {
		head = vp8Start
	}
	for n := uint32(0); ; n++ {
		select {
		case <-s.closed:
			return
		case <-ticker.C:
		}
		frame := append(append([]byte(nil), head...), mark...)
		frame = binary.BigEndian.AppendUint32(frame, s.serial)
		frame = binary.BigEndian.AppendUint32(frame, n)
		_ = s.WriteSample(media.Sample{Data: frame, Duration: s.every}) // there may be no listener
	}
}

// Close stops the source. It may be called more than once.
func (s *Source) Close() error {
	s.closing.Do(func() { close(s.closed) })
	<-s.played
	return nil
}
