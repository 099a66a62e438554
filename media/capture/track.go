//go:build capture && cgo

package capture

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/mediadevices"
	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// mtu bounds a packet as package media does.
const mtu = 1200

// track binds a mediadevices.Track. It does not use that one's own Bind,
// which keeps the encoder's payload type and can block for ever in Unbind if
// the device ends at the same moment.
type track struct {
	mediadevices.Track
	codecs   []string // what it can be encoded as
	streamID string
	ended    *ending

	mu       sync.Mutex // guards what follows, and is held over no call
	bindings map[string]*binding
	closed   bool
	rate     int // of new encoders, in bits a second; 0: what they begin with
}

// binding is one encoder and where its packets go.
type binding struct {
	reader  mediadevices.RTPReadCloser
	stopped chan struct{} // closed when its goroutine has gone
}

func newTrack(d driver.Driver, from mediadevices.Track, codecs []string, end *ending) *Track {
	t := &track{Track: from, codecs: codecs, streamID: rand.Text(), ended: end, bindings: map[string]*binding{}}
	return &Track{TrackLocal: t, label: d.Info().Label, close: t.shut, done: end.done, err: end.reason, rate: t.setRate}
}

// StreamID is the same at every call; mediadevices makes up a new one.
func (t *track) StreamID() string { return t.streamID }

// Bind starts an encoder for the first codec on offer that there is one for.
// It waits for the device's first frame.
func (t *track) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	offered := ctx.CodecParameters()
	i := slices.IndexFunc(offered, func(c webrtc.RTPCodecParameters) bool {
		return slices.ContainsFunc(t.codecs, func(mime string) bool { return strings.EqualFold(mime, c.MimeType) })
	})
	if i < 0 {
		return webrtc.RTPCodecParameters{}, fmt.Errorf("capture: %s: %w", strings.Join(t.codecs, ", "), webrtc.ErrUnsupportedCodec)
	}
	reader, err := t.NewRTPReader(offered[i].MimeType, uint32(ctx.SSRC()), mtu)
	if err != nil {
		return webrtc.RTPCodecParameters{}, fmt.Errorf("capture: encode as %s: %w", offered[i].MimeType, err)
	}
	b := &binding{reader: reader, stopped: make(chan struct{})}
	t.mu.Lock()
	closed, rate := t.closed, t.rate
	if !closed {
		t.bindings[ctx.ID()] = b
	}
	t.mu.Unlock()
	b.setRate(rate)
	if closed {
		return webrtc.RTPCodecParameters{}, errors.Join(io.ErrClosedPipe, reader.Close())
	}
	go b.run(ctx.WriteStream(), uint8(offered[i].PayloadType))
	if keys, ok := reader.Controller().(codec.KeyFrameController); ok {
		go b.passRequests(ctx.RTCPReader(), keys)
	}
	return offered[i], nil
}

// setRate asks all encoders for that many bits a second, those to come too.
func (t *track) setRate(bps int) {
	t.mu.Lock()
	t.rate = bps
	bindings := slices.Collect(maps.Values(t.bindings))
	t.mu.Unlock()
	for _, b := range bindings {
		b.setRate(bps)
	}
}

// Unbind stops that encoder. It waits for the frame being encoded.
func (t *track) Unbind(ctx webrtc.TrackLocalContext) error {
	t.mu.Lock()
	b, ok := t.bindings[ctx.ID()]
	delete(t.bindings, ctx.ID())
	t.mu.Unlock()
	if !ok {
		return webrtc.ErrUnbindFailed
	}
	return b.reader.Close()
}

// shut stops the encoders and then the device: one that stopped first would
// leave some drivers waiting for a frame for ever.
func (t *track) shut() error {
	t.mu.Lock()
	bindings := t.bindings
	t.bindings = map[string]*binding{}
	again := t.closed
	t.closed = true
	t.mu.Unlock()
	if again {
		return nil
	}
	t.ended.reach(nil)
	var errs []error
	for _, b := range bindings {
		errs = append(errs, b.reader.Close())
		<-b.stopped
	}
	return errors.Join(append(errs, t.Close())...)
}

// run passes packets on until the encoder is closed or the device ends. A failed write concerns the
// binding's owner: Unbind will follow.
func (b *binding) run(to webrtc.TrackLocalWriter, payloadType uint8) {
	defer close(b.stopped)
	for {
		packets, release, err := b.reader.Read()
		if err != nil {
			return
		}
		for _, p := range packets {
			p.PayloadType = payloadType
			_, _ = to.WriteRTP(&p.Header, p.Payload)
		}
		release()
	}
}

// setRate sets the encoder's rate, if it has one that can be set; 0: nothing is asked.
func (b *binding) setRate(bps int) {
	if c, ok := b.reader.Controller().(codec.BitRateController); ok && bps > 0 {
		_ = c.SetBitRate(bps) // it keeps its rate
	}
}

// passRequests passes requests for a key frame to the encoder.
func (b *binding) passRequests(from interceptor.RTCPReader, keys codec.KeyFrameController) {
	buffer := make([]byte, 1500)
	for {
		n, _, err := from.Read(buffer, interceptor.Attributes{})
		if err != nil {
			return
		}
		select {
		case <-b.stopped:
			return
		default:
		}
		packets, err := rtcp.Unmarshal(buffer[:n])
		if err != nil {
			continue // its sender may send better ones
		}
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				_ = keys.ForceKeyFrame() // if the encoder is gone, so is the wish
			}
		}
	}
}
