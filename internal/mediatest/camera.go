package mediatest

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// FrameTime is the time between two frames.
const FrameTime = 40 * time.Millisecond

// The codecs of the cameras and microphones.
var (
	VP8  = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
	Opus = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
)

// VP8Frame returns something that passes for a VP8 frame: it has the bit for key frames, its
// number, and enough bytes for three packets.
func VP8Frame(number uint32, keyframe bool) []byte {
	b := bytes.Repeat([]byte{0xab}, 3000)
	b[0] = 1
	if keyframe {
		b[0] = 0
	}
	binary.BigEndian.PutUint32(b[1:], number)
	return b
}

// Camera is a video source that a test drives frame by frame.
type Camera interface {
	webrtc.TrackLocal
	// Frame sends a VP8Frame.
	Frame(t *testing.T, number uint32, keyframe bool)
}

// Show sends frames, FrameTime apart, with the numbers after number, which it advances. It
// returns their numbers. keyframe makes the first one a key frame.
func Show(t *testing.T, c Camera, number *uint32, frames int, keyframe bool) (shown []uint32) {
	t.Helper()
	for i := range frames {
		*number++
		c.Frame(t, *number, keyframe && i == 0)
		shown = append(shown, *number)
		time.Sleep(FrameTime)
	}
	return shown
}

// SampleCamera writes samples, as applications do.
type SampleCamera struct{ *webrtc.TrackLocalStaticSample }

// NewSampleCamera returns a SampleCamera that is not bound.
func NewSampleCamera(t *testing.T) SampleCamera {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(VP8, "video", "웹캠")
	must(t, err)
	return SampleCamera{track}
}

// Frame implements Camera.
func (c SampleCamera) Frame(t *testing.T, number uint32, keyframe bool) {
	t.Helper()
	must(t, c.WriteSample(media.Sample{Data: VP8Frame(number, keyframe), Duration: FrameTime}))
}

// RTPCamera writes RTP packets like those forwarded from elsewhere: with padding, header
// extensions and numbers of their own.
type RTPCamera struct {
	*webrtc.TrackLocalStaticRTP
	Packetizer rtp.Packetizer
}

// NewRTPCamera returns an RTPCamera that is not bound.
func NewRTPCamera(t *testing.T) RTPCamera {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(VP8, "video", "webcam")
	must(t, err)
	return RTPCamera{track, rtp.NewPacketizer(1200, 77, 1, &codecs.VP8Payloader{EnablePictureID: true},
		rtp.NewRandomSequencer(), 90000)}
}

// Frame implements Camera.
func (c RTPCamera) Frame(t *testing.T, number uint32, keyframe bool) {
	t.Helper()
	for _, packet := range c.Packetizer.Packetize(VP8Frame(number, keyframe), uint32(FrameTime.Milliseconds()*90)) {
		must(t, packet.SetExtension(5, []byte{1, 2, 3}))
		packet.Padding, packet.Header.PaddingSize = true, 4
		must(t, c.WriteRTP(packet))
	}
}
