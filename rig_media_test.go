package noom

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/transport/v5/vnet"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"noom/internal/engine"
	"noom/internal/inbound"
)

// frameTime is how far apart the frames of these tests are.
const frameTime = 40 * time.Millisecond

var (
	vp8  = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
	opus = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
)

// mediaNet is a virtual network; everything on it must be made and is closed
// within the bubble of one test.
type mediaNet struct {
	router *vnet.Router
	hosts  int

	respell *strings.Replacer // changes the offers of legs; nil: none
}

func newMediaNet(t *testing.T) *mediaNet {
	t.Helper()
	router, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR: "10.0.0.0/16", MinDelay: 10 * time.Millisecond, QueueSize: 4096,
		LoggerFactory: logging.NewDefaultLoggerFactory(),
	})
	must(t, err)
	must(t, router.Start())
	t.Cleanup(func() { _ = router.Stop() })
	return &mediaNet{router: router}
}

// connection returns a PeerConnection set up as those of a Room. Without
// codecs it knows noom's.
func (n *mediaNet) connection(t *testing.T, known ...webrtc.RTPCodecParameters) *webrtc.PeerConnection {
	t.Helper()
	n.hosts++
	host, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{fmt.Sprintf("10.0.1.%d", n.hosts)}})
	must(t, err)
	must(t, n.router.AddNet(host))

	var media *webrtc.MediaEngine
	if known != nil {
		media = &webrtc.MediaEngine{}
	}
	for _, codec := range known {
		must(t, media.RegisterCodec(codec, webrtc.RTPCodecTypeVideo))
	}
	e, err := engine.New(engine.Options{Log: slog.New(slog.DiscardHandler), Media: media, Settings: func(s *webrtc.SettingEngine) {
		s.SetNet(host)
		s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	}})
	must(t, err)
	api, err := e.API(engine.Bounds{})
	must(t, err)
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	must(t, err)
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return pc
}

// receiver is the far end of some legs: one Track for each, read all the time.
type receiver struct {
	out, in  *webrtc.PeerConnection
	inbounds []*inbound.Inbound
	tapes    []*tape
}

// receive connects legs to a new peer and waits until media can flow.
func (n *mediaNet) receive(t *testing.T, legs []*leg, known ...webrtc.RTPCodecParameters) *receiver {
	t.Helper()
	r := &receiver{out: n.connection(t), in: n.connection(t, known...)}
	var mu sync.Mutex
	up := make(chan struct{}, 2)
	for _, pc := range []*webrtc.PeerConnection{r.out, r.in} {
		pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
			if state == webrtc.PeerConnectionStateConnected {
				up <- struct{}{}
			}
		})
	}
	r.in.OnTrack(func(tr *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		in := inbound.New(tr, r.in.WriteRTCP)
		track := inbound.NewTrack(randomID(), "카메라", tr.Kind(), false)
		in.Assign(track)
		go in.DrainRTCP(receiver)
		go func() {
			_ = in.Run()
			track.End()
		}()
		mu.Lock()
		defer mu.Unlock()
		r.inbounds = append(r.inbounds, in)
		r.tapes = append(r.tapes, record(track))
	})
	for _, l := range legs {
		transceiver, err := r.out.AddTransceiverFromTrack(l,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		must(t, err)
		go l.readRTCP(transceiver.Sender())
	}
	offer, err := r.out.CreateOffer(nil)
	must(t, err)
	gathered := webrtc.GatheringCompletePromise(r.out)
	must(t, r.out.SetLocalDescription(offer))
	<-gathered
	offer = *r.out.LocalDescription()
	if n.respell != nil {
		offer.SDP = n.respell.Replace(offer.SDP)
	}
	must(t, r.in.SetRemoteDescription(offer))
	answer, err := r.in.CreateAnswer(nil)
	must(t, err)
	gathered = webrtc.GatheringCompletePromise(r.in)
	must(t, r.in.SetLocalDescription(answer))
	<-gathered
	must(t, r.out.SetRemoteDescription(*r.in.LocalDescription()))
	<-up
	<-up
	for _, l := range legs {
		l.connected()
	}
	synctest.Wait()
	mu.Lock()
	defer mu.Unlock()
	return r
}

// tape is what a reader of a track got.
type tape struct {
	track *inbound.Track

	mu      sync.Mutex
	packets []*rtp.Packet
	times   []time.Time // when they came
}

func record(track *inbound.Track) *tape {
	r := &tape{track: track}
	go func() {
		for packet := range track.Packets() {
			r.mu.Lock()
			r.packets, r.times = append(r.packets, packet), append(r.times, time.Now())
			r.mu.Unlock()
		}
	}()
	return r
}

// all waits until what is under way has arrived.
func (r *tape) all(t *testing.T) []*rtp.Packet {
	t.Helper()
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*rtp.Packet(nil), r.packets...)
}

// frames returns the numbers of the frames, in the order of their first
// packets, and fails the test on a gap in the sequence numbers or a timestamp
// that does not grow from frame to frame.
func (r *tape) frames(t *testing.T) []uint32 {
	t.Helper()
	packets := r.all(t)
	var frames []uint32
	for i, packet := range packets {
		if i > 0 && packet.SequenceNumber != packets[i-1].SequenceNumber+1 {
			t.Fatalf("packet %d has sequence number %d after %d", i, packet.SequenceNumber, packets[i-1].SequenceNumber)
		}
		var p codecs.VP8Packet
		body, err := p.Unmarshal(packet.Payload)
		must(t, err)
		if i > 0 {
			step := int32(packet.Timestamp - packets[i-1].Timestamp)
			if p.S == 1 && step <= 0 || p.S == 0 && step != 0 {
				t.Fatalf("packet %d: timestamp moves by %d", i, step)
			}
		}
		if p.S == 1 {
			frames = append(frames, binary.BigEndian.Uint32(body[1:]))
		}
	}
	return frames
}

// vp8Frame is a frame as far as anybody here looks: the bit that says whether
// it is a key frame, its number, and enough bytes for three packets.
func vp8Frame(number uint32, keyframe bool) []byte {
	b := bytes.Repeat([]byte{0xab}, 3000)
	b[0] = 1
	if keyframe {
		b[0] = 0
	}
	binary.BigEndian.PutUint32(b[1:], number)
	return b
}

// camera is a video source that a test drives frame by frame.
type camera interface {
	webrtc.TrackLocal
	frame(t *testing.T, number uint32, keyframe bool)
}

type sampleCamera struct{ *webrtc.TrackLocalStaticSample }

func newSampleCamera(t *testing.T) sampleCamera {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(vp8, "video", "웹캠")
	must(t, err)
	return sampleCamera{track}
}

func (c sampleCamera) frame(t *testing.T, number uint32, keyframe bool) {
	t.Helper()
	must(t, c.WriteSample(media.Sample{Data: vp8Frame(number, keyframe), Duration: frameTime}))
}

// rtpCamera forwards RTP that comes from elsewhere: with padding, with header
// extensions, with numbers of its own.
type rtpCamera struct {
	*webrtc.TrackLocalStaticRTP
	packetizer rtp.Packetizer
}

func newRTPCamera(t *testing.T) rtpCamera {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(vp8, "video", "webcam")
	must(t, err)
	return rtpCamera{track, rtp.NewPacketizer(1200, 77, 1, &codecs.VP8Payloader{EnablePictureID: true},
		rtp.NewRandomSequencer(), 90000)}
}

func (c rtpCamera) frame(t *testing.T, number uint32, keyframe bool) {
	t.Helper()
	for _, packet := range c.packetizer.Packetize(vp8Frame(number, keyframe), uint32(frameTime.Milliseconds()*90)) {
		must(t, packet.SetExtension(5, []byte{1, 2, 3}))
		packet.Padding, packet.Header.PaddingSize = true, 4
		must(t, c.WriteRTP(packet))
	}
}

// deviceCamera does what mediadevices does: a goroutine per binding writes
// with a hard-coded payload type, another reads RTCP for ever, an error on
// write is the end, and Unbind waits.
type deviceCamera struct {
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

func newDeviceCamera() *deviceCamera {
	return &deviceCamera{bindings: map[string]*deviceBinding{}}
}

func (c *deviceCamera) ID() string                { return "camera" }
func (c *deviceCamera) StreamID() string          { return fmt.Sprint(rand.Uint64()) }
func (c *deviceCamera) RID() string               { return "" }
func (c *deviceCamera) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeVideo }

func (c *deviceCamera) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
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

func (c *deviceCamera) write(ctx webrtc.TrackLocalContext, b *deviceBinding) {
	defer close(b.done)
	packetizer := rtp.NewPacketizer(1200, 125, uint32(ctx.SSRC()), &codecs.VP8Payloader{}, rtp.NewRandomSequencer(), 90000)
	for frame := range b.frames {
		for _, packet := range packetizer.Packetize(frame, uint32(frameTime.Milliseconds()*90)) {
			if _, err := ctx.WriteStream().WriteRTP(&packet.Header, packet.Payload); err != nil {
				c.mu.Lock()
				c.dead = err
				c.mu.Unlock()
				return
			}
		}
	}
}

func (c *deviceCamera) readRTCP(r interceptor.RTCPReader) {
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

func (c *deviceCamera) Unbind(ctx webrtc.TrackLocalContext) error {
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

func (c *deviceCamera) frame(t *testing.T, number uint32, keyframe bool) {
	t.Helper()
	c.mu.Lock()
	for _, b := range c.bindings {
		b.frames <- vp8Frame(number, keyframe)
	}
	err := c.dead
	c.mu.Unlock()
	must(t, err)
	synctest.Wait()
}

// asked returns how many key frames it was asked for, and binds how often it was bound.
func (c *deviceCamera) asked() (requests, binds, bound int) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests, c.binds, len(c.bindings)
}

// publish is newSender with hooks that nobody needs.
func publish(t *testing.T, track webrtc.TrackLocal) *sender {
	t.Helper()
	s, err := newSender(track, PublishOptions{Name: "카메라"}, senderHooks{onChange: func() {}, onClose: func() {}})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// legOf returns a new leg of s.
func legOf(s *sender) *leg {
	l := newLeg(s.codec.RTPCodecCapability, "방")
	l.attach(s)
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
