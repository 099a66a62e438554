package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// OpusEncoder encodes sound. Package voice, below this one, has one in Go: voice.NewEncoder(voice.Opus, rate, 0).
// capture.NewOpusEncoder makes one with cgo.
type OpusEncoder interface {
	// Rate is how many samples a second it takes: 8000, 12000, 16000, 24000 or 48000.
	Rate() int
	// Encode encodes 20 ms of mono sound. The packet is good until the next call.
	Encode(pcm []int16) ([]byte, error)
	Close() error
}

// ErrNoEncoder is what [NewPCM] gives without an encoder.
var ErrNoEncoder = errors.New("media: PCM needs an Opus encoder, such as voice.NewEncoder(voice.Opus, 16000, 0)")

// pcmFrame is what goes into one packet.
const pcmFrame = 20 * time.Millisecond

// NewPCM plays sound that a program makes: r gives it as mono samples of 16 bits, little endian, at
// the encoder's rate, and is read 20 ms at a time when they are due, so a speech synthesiser may be
// faster than playback. It ends with r. Where r keeps it waiting nothing is sent; Close waits for a
// Read that is under way, so a reader that may block is to be closed before. Nothing but the Source
// may use the encoder, which is closed with it. A nil encoder gives [ErrNoEncoder].
//
//	encoder, err := voice.NewEncoder(voice.Opus, 16000, 0)
//	if err != nil {
//		return err
//	}
//	speech, err := media.NewPCM(r, encoder)
func NewPCM(r io.Reader, e OpusEncoder) (*Source, error) {
	if e == nil {
		return nil, ErrNoEncoder
	}
	if rates := []int{8000, 12000, 16000, 24000, 48000}; !slices.Contains(rates, e.Rate()) {
		return nil, fmt.Errorf("media: PCM of %d Hz, want one of %v", e.Rate(), rates)
	}
	samples := int(time.Duration(e.Rate()) * pcmFrame / time.Second)
	from := &pcm{from: r, encoder: e, raw: make([]byte, 2*samples), samples: make([]int16, samples)}
	return newReel("", &FileOptions{Once: true}, from, opusFormat).tracks[0], nil
}

// pcm encodes what it reads.
type pcm struct {
	from    io.Reader
	encoder OpusEncoder
	raw     []byte
	samples []int16
	number  int
}

func (p *pcm) next() (frame, error) {
	n, err := io.ReadFull(p.from, p.raw)
	if n < 2 {
		return frame{}, err
	}
	clear(p.raw[n&^1:]) // the last frame ends in silence
	for i := range p.samples {
		p.samples[i] = int16(binary.LittleEndian.Uint16(p.raw[2*i:]))
	}
	data, err := p.encoder.Encode(p.samples)
	if err != nil {
		return frame{}, fmt.Errorf("encode PCM: %w", err)
	}
	f := frame{at: p.end(), key: true, data: data, level: dBov(p.samples)}
	p.number++
	return f, nil
}

func (p *pcm) end() time.Duration { return time.Duration(p.number) * pcmFrame }

// seek does nothing: what is made as it is played has one place.
func (p *pcm) seek(time.Duration) error { return nil }

func (p *pcm) Close() error { return p.encoder.Close() }
