package mediatest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

// DeviceCamera behaves like a track of mediadevices: for each binding, one goroutine writes
// with a hard-coded payload type and another reads RTCP until it fails; an error on write is
// final, and Unbind waits.
type DeviceCamera struct {
	mu       sync.Mutex
	bindings map[string]*deviceBinding
	binds    int
	requests int
	dead     error
}

type deviceBinding struct {
	frames chan []byte
	done   chan struct{}
}

// NewDeviceCamera returns a DeviceCamera that is not bound.
func NewDeviceCamera() *DeviceCamera {
	return &DeviceCamera{bindings: map[string]*deviceBinding{}}
}

// ID implements webrtc.TrackLocal.
func (c *DeviceCamera) ID() string { return "camera" }

// StreamID implements webrtc.TrackLocal. Like mediadevices, it returns another id each time.
func (c *DeviceCamera) StreamID() string { return fmt.Sprint(rand.Uint64()) }

// RID implements webrtc.TrackLocal. There is no simulcast.
func (c *DeviceCamera) RID() string { return "" }

// Kind implements webrtc.TrackLocal.
func (c *DeviceCamera) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeVideo }

// Bind starts to write.
func (c *DeviceCamera) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	var chosen webrtc.RTPCodecParameters
	for _, codec := range ctx.CodecParameters() {
		if codec.MimeType == webrtc.MimeTypeVP8 {
			chosen = codec
		}
	}
	if chosen.MimeType == "" {
		return chosen, fmt.Errorf("no encoder")
	}
	b := &deviceBinding{frames: make(chan []byte), done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.binds++
	c.bindings[ctx.ID()] = b
	go c.write(ctx, b)
	go c.readRTCP(ctx.RTCPReader())
	return chosen, nil
}

func (c *DeviceCamera) write(ctx webrtc.TrackLocalContext, b *deviceBinding) {
	defer close(b.done)
	packetizer := rtp.NewPacketizer(1200, 125, uint32(ctx.SSRC()), &codecs.VP8Payloader{}, rtp.NewRandomSequencer(), 90000)
	for frame := range b.frames {
		for _, packet := range packetizer.Packetize(frame, uint32(FrameTime.Milliseconds()*90)) {
			if _, err := ctx.WriteStream().WriteRTP(&packet.Header, packet.Payload); err != nil {
				c.mu.Lock()
				c.dead = err
				c.mu.Unlock()
				return
			}
		}
	}
}

func (c *DeviceCamera) readRTCP(r interceptor.RTCPReader) {
	buf := make([]byte, 1500)
	for {
		n, _, err := r.Read(buf, nil)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err == nil && len(packets) == 1 {
			if _, ok := packets[0].(*rtcp.PictureLossIndication); ok {
				c.mu.Lock()
				c.requests++
				c.mu.Unlock()
			}
		}
	}
}

// Unbind waits until the last packet is written.
func (c *DeviceCamera) Unbind(ctx webrtc.TrackLocalContext) error {
	c.mu.Lock()
	b := c.bindings[ctx.ID()]
	delete(c.bindings, ctx.ID())
	c.mu.Unlock()
	if b == nil {
		return fmt.Errorf("not bound")
	}
	close(b.frames)
	<-b.done
	return nil
}

// Frame implements Camera.
func (c *DeviceCamera) Frame(t *testing.T, number uint32, keyframe bool) {
	t.Helper()
	c.mu.Lock()
	for _, b := range c.bindings {
		b.frames <- VP8Frame(number, keyframe)
	}
	err := c.dead
	c.mu.Unlock()
	must(t, err)
	synctest.Wait()
}

// Asked returns how many key frames were requested, how often the camera was bound, and how
// many bindings there are now.
func (c *DeviceCamera) Asked() (requests, binds, bound int) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests, c.binds, len(c.bindings)
}
