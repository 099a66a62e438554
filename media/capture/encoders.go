//go:build capture && cgo

package capture

import (
	"sync"
	"sync/atomic"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/codec/openh264"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

// videoEncoders returns what pictures can be encoded as, best first. fps is how many a second there are.
func videoEncoders(bitRate int, fps float32) ([]codec.VideoEncoderBuilder, error) {
	list, err := vpxEncoders(bitRate)
	if err != nil {
		return nil, err
	}
	h264, err := openh264.NewParams()
	if err != nil {
		return nil, err
	}
	h264.BitRate = bitRate
	list = append(list, &h264)
	for i, b := range list {
		list[i] = builder{b, fps}
	}
	return list, nil
}

// builder makes encoders that know the frame rate, which mediadevices does not tell them. openh264 divides its bit rate
// by it, and made seven times what it was told to.
type builder struct {
	codec.VideoEncoderBuilder
	fps float32
}

func (b builder) BuildVideoEncoder(r video.Reader, p prop.Media) (codec.ReadCloser, error) {
	if p.FrameRate == 0 {
		p.FrameRate = b.fps
	}
	inner, err := b.VideoEncoderBuilder.BuildVideoEncoder(r, p)
	if err != nil {
		return nil, err
	}
	return &encoder{ReadCloser: inner, turn: make(chan struct{}, 1)}, nil
}

// encoder makes an encoder of mediadevices safe to control from any goroutine. Those write to memory that is already
// free if they are asked for something after Close, and openh264 takes a new rate only between two pictures.
type encoder struct {
	codec.ReadCloser
	rate atomic.Int64 // to set before the next picture; 0: no change
	// Full while a picture is awaited and encoded. openh264 has a mutex for that, on which no virtual time passes.
	turn chan struct{}

	mu     sync.Mutex // held while the encoder is asked for something
	closed bool
}

func (e *encoder) Read() (b []byte, release func(), err error) {
	if bps := e.rate.Swap(0); bps > 0 {
		if c, ok := e.ReadCloser.Controller().(codec.BitRateController); ok {
			_ = e.ask(func() error { return c.SetBitRate(int(bps)) }) // it keeps its rate
		}
	}
	e.turn <- struct{}{}
	defer func() { <-e.turn }()
	return e.ReadCloser.Read()
}

// Controller implements codec.Controllable.
func (e *encoder) Controller() codec.EncoderController { return e }

// SetBitRate implements codec.BitRateController.
func (e *encoder) SetBitRate(bps int) error {
	e.rate.Store(int64(bps))
	return nil
}

// ForceKeyFrame implements codec.KeyFrameController.
func (e *encoder) ForceKeyFrame() error {
	c, ok := e.ReadCloser.Controller().(codec.KeyFrameController)
	if !ok {
		return nil // it makes them as it likes
	}
	return e.ask(c.ForceKeyFrame)
}

func (e *encoder) ask(f func() error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	return f()
}

// Close waits for the picture that is being encoded.
func (e *encoder) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.turn <- struct{}{}
	defer func() { <-e.turn }()
	return e.ReadCloser.Close()
}

func codecsOf(encoders []codec.VideoEncoderBuilder) []string {
	mimes := make([]string, len(encoders))
	for i, e := range encoders {
		mimes[i] = e.RTPCodec().MimeType
	}
	return mimes
}
