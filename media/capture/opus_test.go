//go:build capture && cgo

package capture

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/pion/opus"

	"noom/media"
)

// What goes in comes out, at every rate, and a Source takes the encoder.
func TestOpusEncoder(t *testing.T) {
	for _, rate := range []int{8000, 12000, 16000, 24000, 48000} {
		e, err := NewOpusEncoder(rate)
		if err != nil {
			t.Fatal(err)
		}
		d, err := opus.NewDecoderWithOutput(rate, 1)
		if err != nil {
			t.Fatal(err)
		}
		pcm, out, loud := make([]int16, rate/50), make([]int16, rate/50), 0.0
		for n := range 50 {
			for i := range pcm {
				pcm[i] = int16(12000 * math.Sin(2*math.Pi*440*float64(n*len(pcm)+i)/float64(rate)))
			}
			packet, wrong := e.Encode(pcm)
			if wrong != nil {
				t.Fatal(wrong)
			}
			if count, failed := d.DecodeToInt16(packet, out); failed != nil || count != len(out) {
				t.Fatalf("%d Hz: %d samples, %v", rate, count, failed)
			}
			for _, v := range out {
				loud += float64(v) * float64(v) / float64(50*len(out))
			}
		}
		if level := math.Sqrt(loud); level < 6000 || level > 11000 { // a sine's: 8485
			t.Errorf("%d Hz: what comes out has a level of %.0f, want some 8500", rate, level)
		}
		if _, err = e.Encode(pcm[1:]); err == nil {
			t.Error("less than 20 ms was taken")
		}
		s, err := media.NewPCM(bytes.NewReader(binary.LittleEndian.AppendUint16(nil, 1)), e)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := NewOpusEncoder(44100); err == nil {
		t.Error("44100 Hz was taken")
	}
}
