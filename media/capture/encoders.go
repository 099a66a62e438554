//go:build capture && cgo

package capture

import (
	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/codec/openh264"
)

// videoEncoders returns what a camera can be encoded as, best first.
func videoEncoders(bitRate int) ([]codec.VideoEncoderBuilder, error) {
	list, err := vpxEncoders(bitRate)
	if err != nil {
		return nil, err
	}
	h264, err := openh264.NewParams()
	if err != nil {
		return nil, err
	}
	h264.BitRate = bitRate
	return append(list, &h264), nil
}

func codecsOf(encoders []codec.VideoEncoderBuilder) []string {
	mimes := make([]string, len(encoders))
	for i, e := range encoders {
		mimes[i] = e.RTPCodec().MimeType
	}
	return mimes
}
