package main

import (
	"context"
	"fmt"
)

// rate is that of the sound, in samples a second: what whisper and most others take.
const rate = 16000

// Recognizer makes text of what somebody has said. It may be called several times at once.
type Recognizer interface {
	Recognize(ctx context.Context, pcm []int16) (string, error)
}

// stopwatch is a Recognizer that knows how long somebody has spoken.
type stopwatch struct{}

func (stopwatch) Recognize(_ context.Context, pcm []int16) (string, error) {
	return fmt.Sprintf("(%.1f s of speech)", float64(len(pcm))/rate), nil
}
