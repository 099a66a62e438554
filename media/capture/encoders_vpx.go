//go:build capture && cgo && vpx

package capture

import (
	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/codec/vpx"
)

func vpxEncoders(bitRate int) ([]codec.VideoEncoderBuilder, error) {
	vp8, err := vpx.NewVP8Params()
	if err != nil {
		return nil, err
	}
	vp8.BitRate = bitRate
	vp8.KeyFrameInterval = 60
	return []codec.VideoEncoderBuilder{&vp8}, nil
}
