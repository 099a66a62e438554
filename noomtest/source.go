package noomtest

import (
	"bytes"
	"encoding/binary"
	"slices"
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
	size    int // of a frame at least, in bytes
	closing sync.Once
	closed  chan struct{}
	played  chan struct{}
}

// Frames carry, behind what makes them VP8 or nothing for Opus, the source's serial number, their own
// and when they were made.
const mark = "noomtest"

// frameName is a frame's source and number.
type frameName struct{ serial, number uint32 }

// frameOf makes a frame behind head.
func frameOf(head []byte, serial, number uint32) []byte {
	frame := append(slices.Clone(head), mark...)
	frame = binary.BigEndian.AppendUint32(frame, serial)
	frame = binary.BigEndian.AppendUint32(frame, number)
	return binary.BigEndian.AppendUint64(frame, uint64(time.Now().UnixNano()))
}

// parseFrame finds what frameOf has written.
func parseFrame(b []byte) (name frameName, made time.Time, ok bool) {
	_, rest, found := bytes.Cut(b, []byte(mark))
	if !found || len(rest) < 16 {
		return name, made, false
	}
	name = frameName{binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:])}
	return name, time.Unix(0, int64(binary.BigEndian.Uint64(rest[8:]))), true
}

// Camera returns a source of VP8 pictures, 25 a second.
func (w *World) Camera() *Source {
	w.t.Helper()
	return w.source(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}, "camera", 40*time.Millisecond, 0)
}

// Microphone returns a source of Opus packets, 50 a second.
func (w *World) Microphone() *Source {
	w.t.Helper()
	return w.microphone(0)
}

// Speech is a Microphone whose packets are as large as at a bitrate, in bits a second without headers:
// 32,000 is 80 bytes each. They are never below 24 bytes.
func (w *World) Speech(bitrate int) *Source {
	w.t.Helper()
	return w.microphone(bitrate / 8 / 50)
}

func (w *World) microphone(size int) *Source {
	w.t.Helper()
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	return w.source(opus, "microphone", 20*time.Millisecond, size)
}

func (w *World) source(codec webrtc.RTPCodecCapability, name string, every time.Duration, size int) *Source {
	w.t.Helper()
	w.alive("a Source")
	track, err := webrtc.NewTrackLocalStaticSample(codec, name, "noomtest")
	if err != nil {
		w.t.Fatalf("noomtest: %s: %v", name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &Source{
		TrackLocalStaticSample: track, serial: uint32(len(w.sources) + 1), every: every, size: size,
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
		head = vp8Keyframe(16, 16)
	}
	for n := uint32(0); ; n++ {
		select {
		case <-s.closed:
			return
		case <-ticker.C:
		}
		frame := frameOf(head, s.serial, n)
		frame = append(frame, make([]byte, max(0, s.size-len(frame)))...)
		_ = s.WriteSample(media.Sample{Data: frame, Duration: s.every}) // there may be no listener
	}
}

// Close stops the source. It may be called more than once.
func (s *Source) Close() error {
	s.closing.Do(func() { close(s.closed) })
	<-s.played
	return nil
}
