package mediatest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"noom/internal/speaker"
)

// UnknownLevel makes a Voice report no level.
const UnknownLevel = 1

// voiceTime is how much sound a packet of a Voice has.
const voiceTime = 20 * time.Millisecond

// Voice is a microphone whose level the test sets. At first it is silent.
type Voice struct {
	*webrtc.TrackLocalStaticSample
	dBov atomic.Int32
}

// NewVoice returns a silent microphone.
func NewVoice(t *testing.T) *Voice {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(Opus, "microphone", "마이크")
	must(t, err)
	v := &Voice{TrackLocalStaticSample: track}
	v.SetLevel(speaker.Silence)
	return v
}

// SetLevel sets the level, or UnknownLevel.
func (v *Voice) SetLevel(dBov int) { v.dBov.Store(int32(dBov)) }

// AudioLevel implements noom.AudioLeveler.
func (v *Voice) AudioLevel() (dBov int, ok bool) {
	level := v.dBov.Load()
	return int(level), level != UnknownLevel
}

// Say sends one packet.
func (v *Voice) Say() error {
	return v.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: voiceTime})
}

// Speak sends packets until ctx ends.
func (v *Voice) Speak(ctx context.Context) {
	for ctx.Err() == nil {
		_ = v.Say()
		select {
		case <-ctx.Done():
		case <-time.After(voiceTime):
		}
	}
}
