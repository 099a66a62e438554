package noomtest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

// VideoOptions says what a [Video] is like; nil works.
type VideoOptions struct {
	// Bitrate is what it makes until [Video.SetTargetBitrate] is called, and Most what it makes at
	// most, in bits a second without headers. The defaults are 1,000,000 and 10,000,000.
	Bitrate, Most int
	// FrameRate is how many pictures a second it makes. The default is 25.
	FrameRate int
	// Keyframe is the size of a key frame, in pictures of the mean size. The default is 5. The
	// pictures after it are smaller until the bitrate is kept.
	Keyframe int
	// Width and Height are in the header of each key frame, in pixels. The defaults are 1280 and 720.
	Width, Height int
}

func (o *VideoOptions) withDefaults() VideoOptions {
	var c VideoOptions
	if o != nil {
		c = *o
	}
	for _, f := range []struct {
		field    *int
		standard int
	}{
		{&c.Bitrate, 1_000_000}, {&c.Most, 10_000_000}, {&c.FrameRate, 25}, {&c.Keyframe, 5}, {&c.Width, 1280}, {&c.Height, 720},
	} {
		if *f.field <= 0 {
			*f.field = f.standard
		}
	}
	return c
}

// Video is a track that behaves as a camera with an encoder does: it follows a target bitrate, makes
// key frames when it is asked and else pictures that need the one before, and works only while it is
// bound. Its pictures are VP8 as far as their headers go. A [Viewer] at the other end sees which could
// be shown.
type Video struct {
	options VideoOptions
	id      string
	serial  uint32
	closing sync.Once
	closed  chan struct{}
	played  chan struct{}

	mu        sync.Mutex
	rng       *rand.Rand
	bindings  []videoBinding
	sequence  uint16
	debt      int // bytes of key frames that pictures after it have to save
	key       bool
	report    VideoReport
	changes   []time.Time
	payloader codecs.VP8Payloader
}

// VideoReport is what a [Video] was asked for and what it did.
type VideoReport struct {
	Running   bool          // it is bound, and encodes
	Since     time.Duration // for how long it has been running, or not
	Target    int           // bits a second now
	Changes   int           // of the target
	Busiest   int           // most changes within one second
	Requests  int           // for a key frame
	Frames    int           // made
	Keyframes int           // of these
	Bytes     int

	since time.Time
}

type videoBinding struct {
	id          string
	ssrc        webrtc.SSRC
	payloadType webrtc.PayloadType
	writer      webrtc.TrackLocalWriter
}

// mostPayload keeps a packet below 1200 bytes with what is in front of it.
const mostPayload = 1120

// Video returns a source of pictures that follows [Video.SetTargetBitrate], as [noom.Room] calls it.
func (w *World) Video(o *VideoOptions) *Video {
	w.t.Helper()
	w.alive("a Video")
	w.mu.Lock()
	defer w.mu.Unlock()
	serial := uint32(len(w.sources) + 1)
	v := &Video{
		options: o.withDefaults(), id: fmt.Sprint("video ", serial), serial: serial,
		closed: make(chan struct{}), played: make(chan struct{}), rng: rand.New(rand.NewPCG(w.options.seed, uint64(serial))),
	}
	v.report.Target, v.report.since = min(v.options.Bitrate, v.options.Most), time.Now()
	w.sources = append(w.sources, v)
	go v.play()
	return v
}

// SetTargetBitrate sets how many bits a second it makes, without headers.
func (v *Video) SetTargetBitrate(bps int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	v.report.Target = min(max(bps, 1), v.options.Most)
	v.report.Changes++
	v.changes = append(slices.DeleteFunc(v.changes, func(t time.Time) bool { return now.Sub(t) >= time.Second }), now)
	v.report.Busiest = max(v.report.Busiest, len(v.changes))
}

// Report returns what it did so far.
func (v *Video) Report() VideoReport {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.report
	r.Since = time.Since(r.since)
	return r
}

// Reset forgets what it did, so that what comes next can be judged alone.
func (v *Video) Reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report = VideoReport{Running: v.report.Running, Target: v.report.Target, since: v.report.since}
	v.changes = nil
}

// Bind implements [webrtc.TrackLocal].
func (v *Video) Bind(to webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	i := slices.IndexFunc(to.CodecParameters(), func(p webrtc.RTPCodecParameters) bool {
		return strings.EqualFold(p.MimeType, webrtc.MimeTypeVP8)
	})
	if i < 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	codec := to.CodecParameters()[i]
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bindings = append(slices.Clone(v.bindings), videoBinding{to.ID(), to.SSRC(), codec.PayloadType, to.WriteStream()})
	v.key = true
	v.run()
	go v.listen(to.RTCPReader())
	return codec, nil
}

// Unbind implements [webrtc.TrackLocal].
func (v *Video) Unbind(from webrtc.TrackLocalContext) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bindings = slices.DeleteFunc(slices.Clone(v.bindings), func(b videoBinding) bool { return b.id == from.ID() })
	v.run()
	return nil
}

// run notes whether it runs. It needs v.mu.
func (v *Video) run() {
	if running := len(v.bindings) > 0; running != v.report.Running {
		v.report.Running, v.report.since = running, time.Now()
	}
}

// ID implements [webrtc.TrackLocal].
func (v *Video) ID() string { return v.id }

// RID implements [webrtc.TrackLocal].
func (v *Video) RID() string { return "" }

// StreamID implements [webrtc.TrackLocal].
func (v *Video) StreamID() string { return "noomtest" }

// Kind implements [webrtc.TrackLocal].
func (v *Video) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeVideo }

// Codec returns VP8.
func (v *Video) Codec() webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
}

// listen takes requests for key frames (PLI and FIR, RFC 4585 section 6.3.1 and RFC 5104 section
// 4.3.1).
func (v *Video) listen(from interceptor.RTCPReader) {
	b := make([]byte, 1500)
	for {
		n, _, err := from.Read(b, nil)
		if err != nil {
			return
		}
		packets, _ := rtcp.Unmarshal(b[:n])
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				v.mu.Lock()
				v.report.Requests++
				v.key = true
				v.mu.Unlock()
			}
		}
	}
}

func (v *Video) play() {
	defer close(v.played)
	ticker := time.NewTicker(time.Second / time.Duration(v.options.FrameRate))
	defer ticker.Stop()
	begun := time.Now()
	for n := uint32(0); ; {
		select {
		case <-v.closed:
			return
		case <-ticker.C:
		}
		v.mu.Lock()
		bindings := v.bindings
		var packets []*rtp.Packet
		if len(bindings) > 0 {
			packets = v.packets(v.frame(n), uint32(time.Since(begun).Microseconds()*9/100))
			n++
		}
		v.mu.Unlock()
		for _, p := range packets {
			for _, b := range bindings {
				p.SSRC, p.PayloadType = uint32(b.ssrc), uint8(b.payloadType)
				_, _ = b.writer.WriteRTP(&p.Header, p.Payload) // there may be nobody left
			}
		}
	}
}

// frame makes the next picture. It needs v.mu.
func (v *Video) frame(number uint32) []byte {
	mean := v.report.Target / 8 / v.options.FrameRate
	var size int
	var head []byte
	if v.key {
		v.key = false
		v.report.Keyframes++
		size = mean * v.options.Keyframe
		v.debt += size - mean
		head = vp8Keyframe(v.options.Width, v.options.Height)
	} else {
		saved := min(v.debt, mean*3/10)
		v.debt -= saved
		size = int(float64(mean-saved) * (0.85 + 0.3*v.rng.Float64()))
		head = []byte{0x11, 0, 0} // P set: it needs the one before
	}
	b := frameOf(head, v.serial, number)
	b = append(b, make([]byte, max(0, size-len(b)))...)
	v.report.Frames++
	v.report.Bytes += len(b)
	return b
}

// packets needs v.mu.
func (v *Video) packets(frame []byte, timestamp uint32) []*rtp.Packet {
	var list []*rtp.Packet
	parts := v.payloader.Payload(mostPayload, frame)
	for i, part := range parts {
		v.sequence++
		list = append(list, &rtp.Packet{
			Header:  rtp.Header{Version: 2, Marker: i == len(parts)-1, SequenceNumber: v.sequence, Timestamp: timestamp},
			Payload: part,
		})
	}
	return list
}

// Close stops the source. It may be called more than once.
func (v *Video) Close() error {
	v.closing.Do(func() { close(v.closed) })
	<-v.played
	return nil
}

// vp8Keyframe is the header of a VP8 key frame (RFC 6386 section 9.1).
func vp8Keyframe(width, height int) []byte {
	b := []byte{0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a}
	b = binary.LittleEndian.AppendUint16(b, uint16(width)&0x3fff)
	return binary.LittleEndian.AppendUint16(b, uint16(height)&0x3fff)
}
