//go:build capture && cgo

package capture

import (
	"errors"

	"github.com/pion/mediadevices"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"noom"
)

const (
	leastWhole   = 360 // lines of a picture of which there is a small one
	mostSmall    = 240 // lines of that
	smallShare   = 5   // it gets one part in so many of the bit rate
	smallMost    = 250_000
	leastForBoth = smallShare * leastBitRate
)

// addSmall gives a camera its small encoding, if its picture is large enough.
func (t *Track) addSmall(d driver.Driver, from *mediadevices.VideoTrack, mode prop.Media, end *ending) error {
	if mode.Height < leastWhole || t.most < leastForBoth {
		return nil
	}
	part := (mode.Height + mostSmall - 1) / mostSmall
	rate := min(t.most/smallShare, smallMost)
	encoders, err := videoEncoders(rate, mode.FrameRate)
	if err != nil {
		return err
	}
	scaled := smaller{
		VideoTrack: from, selector: mediadevices.NewCodecSelector(mediadevices.WithVideoEncoders(encoders...)),
		width: mode.Width / part &^ 1, height: mode.Height / part &^ 1,
	}
	small := newTrack(d, scaled, codecsOf(encoders), end)
	small.most = rate
	closeSmall, closeWhole := small.close, t.close
	t.close = func() error { return errors.Join(closeSmall(), closeWhole()) } // the device comes last
	small.close = t.close
	t.encodings = []noom.Encoding{
		{Track: t, Height: mode.Height, MaxBitrate: t.most},
		{Track: small, Height: scaled.height, MaxBitrate: rate, MinBitrate: leastBitRate},
	}
	return nil
}

// smaller is a camera whose picture is made smaller before it is encoded.
type smaller struct {
	*mediadevices.VideoTrack
	selector      *mediadevices.CodecSelector
	width, height int
}

// NewRTPReader starts an encoder. It has a reader of its own on the camera's pictures: one that has waited gets old ones.
func (s smaller) NewRTPReader(codecName string, ssrc uint32, mtu int) (mediadevices.RTPReadCloser, error) {
	scaled := video.Scale(s.width, s.height, video.ScalerFastBoxSampling)(video.ToI420(s.NewReader(false)))
	return mediadevices.NewVideoTrack(videoSource{scaled, s}, s.selector).NewRTPReader(codecName, ssrc, mtu)
}

// Close leaves the camera on: it belongs to the whole picture.
func (smaller) Close() error { return nil }
