//go:build capture && cgo

package capture

import (
	"math"
	"testing"

	"github.com/pion/mediadevices/pkg/wave"
)

// The same sound has the same level in every form that drivers give it.
func TestLevel(t *testing.T) {
	const n = 960
	info := wave.ChunkInfo{Len: n, Channels: 2, SamplingRate: 48000}
	for _, test := range []struct {
		amplitude float64
		want      int
	}{{1, -3}, {0.5, -9}, {0.1, -23}, {0.001, -63}, {0, -127}} {
		shorts, floats := wave.NewInt16Interleaved(info), wave.NewFloat32Interleaved(info)
		apart := wave.NewInt16NonInterleaved(info)
		for i := range n {
			v := test.amplitude * math.Sin(2*math.Pi*float64(i)/48)
			for channel := range info.Channels {
				shorts.SetInt16(i, channel, wave.Int16Sample(v*math.MaxInt16))
				floats.SetFloat32(i, channel, wave.Float32Sample(v))
				apart.SetInt16(i, channel, wave.Int16Sample(v*math.MaxInt16))
			}
		}
		for _, chunk := range []wave.Audio{shorts, floats, apart} {
			if got := levelOf(chunk); got != test.want {
				t.Errorf("a sine of %g as %T: %d dBov, want %d", test.amplitude, chunk, got, test.want)
			}
		}
	}
	var l loudness
	if _, ok := l.level(); ok {
		t.Error("a level before the first sound")
	}
	l.hear(wave.NewInt16Interleaved(wave.ChunkInfo{}))
	if dBov, ok := l.level(); dBov != silence || !ok {
		t.Errorf("nothing is %d dBov, %v", dBov, ok)
	}
}
