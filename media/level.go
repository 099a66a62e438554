package media

import (
	"math"

	"github.com/pion/opus"
	"github.com/pion/webrtc/v4"
)

// AudioLevel returns how loud the sound is that is being sent now, in dBov (RFC 6464), so that the
// others in a call know the active speaker: from -127, silence, to -1. A file's sound is decoded
// for it, once AudioLevel has been called, at some 7 ms of CPU for a second of sound. ok is false
// for video, and where nothing was sent or decoded yet.
func (s *Source) AudioLevel() (dBov int, ok bool) {
	if s.level != 0 {
		return s.level, true
	}
	s.asked.Store(true)
	level := int(s.loud.Load())
	return level, level != 0
}

// measure finds out how loud a frame is that is about to be sent.
func (s *Source) measure(f frame) {
	switch {
	case f.level != 0:
		s.loud.Store(int32(f.level))
	case s.level == 0 && s.asked.Load() && s.format.kind() == webrtc.RTPCodecTypeAudio:
		if level := s.ear.level(f.data); level != 0 {
			s.loud.Store(int32(level))
		}
	}
}

// An ear decodes Opus.
type ear struct {
	decoder *opus.Decoder
	pcm     []int16
}

// earRate is enough for loudness: the lowest there is, telephone quality.
const earRate = 8000

// level returns how loud a packet is, 0 if it cannot be decoded.
func (e *ear) level(packet []byte) int {
	if e.decoder == nil {
		decoder, err := opus.NewDecoderWithOutput(earRate, 1)
		if err != nil {
			return 0
		}
		e.decoder = &decoder
	}
	lasts, ok := opusDuration(packet)
	if !ok {
		return 0
	}
	e.pcm = append(e.pcm[:0], make([]int16, int(lasts.Seconds()*earRate))...)
	n, err := e.decoder.DecodeToInt16(packet, e.pcm)
	if err != nil || n == 0 {
		return 0
	}
	return dBov(e.pcm[:min(n, len(e.pcm))])
}

// dBov is the level of sound, -127 to -1: its power as a part of the greatest
// there can be, that of a square wave (RFC 6464 section 3).
func dBov(pcm []int16) int {
	var power float64
	for _, v := range pcm {
		power += float64(v) * float64(v)
	}
	full := float64(len(pcm)) * math.MaxInt16 * math.MaxInt16
	if power == 0 {
		return -127
	}
	return int(math.Round(min(max(10*math.Log10(power/full), -127), -1)))
}
