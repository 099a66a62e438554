//go:build capture && cgo && !vpx

package capture

import "github.com/pion/mediadevices/pkg/codec"

func vpxEncoders(int) ([]codec.VideoEncoderBuilder, error) { return nil, nil }
