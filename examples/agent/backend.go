package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"noom/media/voice"
)

// rate is that of all sound here, in samples a second: what models of speech take and make.
const rate = 24000

// Realtime is a model that hears and speaks, as one behind a WebSocket does: one for each member. Its methods are called
// one at a time.
type Realtime interface {
	// Hear takes what the member says, as it is said: mono, 16 bits.
	Hear(pcm []int16) error
	// Answer is called when the member has fallen silent. It returns the answer as 16 bits, little endian, mono, which is
	// read as it is spoken; nil: none.
	Answer(ctx context.Context) (io.Reader, error)
	// Heard is called when the member has heard that much of the latest answer, and will hear no more of it.
	Heard(d time.Duration)
}

// Recognizer makes text of what somebody has said, as whisper does.
type Recognizer interface {
	Recognize(ctx context.Context, pcm []int16) (string, error)
}

// parrot is a Realtime that answers with something as long as what was said.
type parrot struct {
	reply func(said time.Duration) []int16
	said  int
}

func (p *parrot) Hear(pcm []int16) error {
	p.said += len(pcm)
	return nil
}

func (p *parrot) Answer(context.Context) (io.Reader, error) {
	pcm := p.reply(time.Duration(p.said) * time.Second / rate)
	p.said = 0
	raw := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
	}
	return bytes.NewReader(raw), nil
}

func (p *parrot) Heard(time.Duration) {}

// longestTone bounds the tone.
const longestTone = 3 * time.Second

func tone(said time.Duration) []int16 {
	pcm := make([]int16, min(said, longestTone)*rate/time.Second)
	for i := range pcm {
		pcm[i] = int16(6000 * math.Sin(2*math.Pi*440*float64(i)/rate))
	}
	return pcm
}

// load reads an answer.
func load(path string) ([]int16, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // was only read
	pcm, from, err := voice.ReadWAV(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r, err := voice.NewResampler(from, rate)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r.Process(pcm), nil
}

// stopwatch is a Recognizer that knows how long somebody has spoken.
type stopwatch struct{}

func (stopwatch) Recognize(_ context.Context, pcm []int16) (string, error) {
	return fmt.Sprintf("(%.1f s of speech)", float64(len(pcm))/rate), nil
}
