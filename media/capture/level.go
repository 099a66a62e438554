//go:build capture && cgo

package capture

import (
	"math"
	"sync/atomic"

	"github.com/pion/mediadevices/pkg/wave"
)

const silence = -127 // dBov, and what is fainter (RFC 6464 section 3)

// loudness is how loud the latest chunk of sound was: dBov, less silence, plus 1;
// 0 before the first.
type loudness struct{ atomic.Int32 }

func (l *loudness) hear(chunk wave.Audio) { l.Store(int32(levelOf(chunk) - silence + 1)) }

func (l *loudness) level() (dBov int, ok bool) {
	v := l.Load()
	return int(v) - 1 + silence, v > 0
}

// levelOf returns the root mean square of a chunk against that of the loudest
// square wave, in dBov.
func levelOf(chunk wave.Audio) int {
	var sum float64
	n := 0
	switch c := chunk.(type) { // what drivers and converters make
	case *wave.Int16Interleaved:
		for _, v := range c.Data {
			sum += float64(v) * float64(v) / (1 << 30)
		}
		n = len(c.Data)
	case *wave.Float32Interleaved:
		for _, v := range c.Data {
			sum += float64(v) * float64(v)
		}
		n = len(c.Data)
	default:
		info, full := chunk.ChunkInfo(), float64(1<<31) // as Int has it
		if chunk.SampleFormat() == wave.Float32SampleFormat {
			full *= 2
		}
		for i := range info.Len {
			for channel := range info.Channels {
				v := float64(chunk.At(i, channel).Int()) / full
				sum += v * v
			}
		}
		n = info.Len * info.Channels
	}
	if n == 0 || sum == 0 {
		return silence
	}
	return int(math.Round(min(max(10*math.Log10(sum/float64(n)), silence), 0)))
}
