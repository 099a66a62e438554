//go:build capture && cgo

package capture

import (
	"fmt"

	"github.com/pion/mediadevices/pkg/codec/opus"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"
)

func newOpusEncoder(rate int) (*OpusEncoder, error) {
	params, err := opus.NewParams()
	if err != nil {
		return nil, err
	}
	// The encoder pulls its sound; what it pulls is what Encode was given.
	chunk := &wave.Int16Interleaved{Size: wave.ChunkInfo{Channels: 1, SamplingRate: rate}}
	from := audio.ReaderFunc(func() (wave.Audio, func(), error) { return chunk, func() {}, nil })
	encoder, err := params.BuildAudioEncoder(from, prop.Media{Audio: prop.Audio{ChannelCount: 1, SampleRate: rate}})
	if err != nil {
		return nil, fmt.Errorf("capture: Opus of %d samples a second, want 8000, 12000, 16000, 24000 or 48000: %w", rate, err)
	}
	encode := func(pcm []int16) ([]byte, error) {
		if want := rate / 50; len(pcm) != want {
			return nil, fmt.Errorf("capture: encode %d samples, want 20 ms, which are %d", len(pcm), want)
		}
		chunk.Data, chunk.Size.Len = pcm, len(pcm)
		packet, _, err := encoder.Read()
		return packet, err
	}
	return &OpusEncoder{rate, encode, encoder.Close}, nil
}
