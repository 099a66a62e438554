package pion

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// newPeers returns two connections on a network with a delay of 10 ms. They are not negotiated.
func newPeers(t *testing.T, set func(*webrtc.SettingEngine), interceptors ...interceptor.Factory) (peers [2]*webrtc.PeerConnection) {
	t.Helper()
	_, hosts := newNetwork(t, 10*time.Millisecond, "10.0.0.1", "10.0.0.2")
	for i, host := range hosts {
		m := &webrtc.MediaEngine{}
		must(t, m.RegisterDefaultCodecs())
		s := webrtc.SettingEngine{LoggerFactory: quiet()}
		s.SetNet(host)
		s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
		s.DisableCloseByDTLS(true)
		if set != nil {
			set(&s)
		}
		registry := &interceptor.Registry{}
		for _, f := range interceptors {
			registry.Add(f)
		}
		api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(registry))
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		must(t, err)
		t.Cleanup(func() {
			time.Sleep(time.Second) // so that not both ends close at one instant
			must(t, pc.GracefulClose())
		})
		peers[i] = pc
	}
	return peers
}

// offer returns an offer with all candidates, which is the local description already.
func offer(t *testing.T, pc *webrtc.PeerConnection) webrtc.SessionDescription {
	t.Helper()
	gathered := webrtc.GatheringCompletePromise(pc)
	o, err := pc.CreateOffer(nil)
	must(t, err)
	must(t, pc.SetLocalDescription(o))
	<-gathered
	return *pc.LocalDescription()
}

// accept returns the answer to an offer, with all candidates.
func accept(t *testing.T, pc *webrtc.PeerConnection, o webrtc.SessionDescription) webrtc.SessionDescription {
	t.Helper()
	gathered := webrtc.GatheringCompletePromise(pc)
	must(t, pc.SetLocalDescription(answer(t, pc, o)))
	<-gathered
	return *pc.LocalDescription()
}

// TestMessageOvertakesOpen: OnMessage is called while OnOpen has not returned.
func TestMessageOvertakesOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := newPeers(t, nil)
		negotiated, id := true, uint16(0)
		var opening, overtaken atomic.Bool
		for i, pc := range peers {
			dc, err := pc.CreateDataChannel("data", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id})
			must(t, err)
			if i == 0 {
				dc.OnOpen(func() { must(t, dc.SendText("hello")) })
				continue
			}
			dc.OnOpen(func() {
				opening.Store(true)
				time.Sleep(time.Minute)
				opening.Store(false)
			})
			dc.OnMessage(func(webrtc.DataChannelMessage) { overtaken.Store(opening.Load()) })
		}
		must(t, peers[0].SetRemoteDescription(accept(t, peers[1], offer(t, peers[0]))))
		time.Sleep(2 * time.Minute)
		stillWrong(t, overtaken.Load(), "internal/connection/callbacks.go: flows")
	})
}

// TestDetachSilencesAll: where one channel may be detached, no channel calls OnMessage.
func TestDetachSilencesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := newPeers(t, func(s *webrtc.SettingEngine) { s.DetachDataChannels() })
		negotiated, id := true, uint16(0)
		var opened, got atomic.Int32
		for _, pc := range peers {
			dc, err := pc.CreateDataChannel("data", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id})
			must(t, err)
			dc.OnMessage(func(webrtc.DataChannelMessage) { got.Add(1) }) // and nobody calls Detach
			dc.OnOpen(func() {
				opened.Add(1)
				time.Sleep(time.Second) // the other end is open too
				must(t, dc.SendText("hello"))
			})
		}
		must(t, peers[0].SetRemoteDescription(accept(t, peers[1], offer(t, peers[0]))))
		time.Sleep(time.Minute)
		if opened.Load() != 2 {
			t.Fatal("the channels do not open")
		}
		stillWrong(t, got.Load() == 0, "")
	})
}

// TestStrangeMessageEndsAccepting: after a message over a channel that one end has not made, it takes no channel of the
// other's any longer.
func TestStrangeMessageEndsAccepting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := newPeers(t, nil)
		var accepted atomic.Int32
		peers[1].OnDataChannel(func(*webrtc.DataChannel) { accepted.Add(1) })
		_, err := peers[0].CreateDataChannel("early", nil)
		must(t, err)
		negotiated, id := true, uint16(5)
		strange, err := peers[0].CreateDataChannel("strange", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id})
		must(t, err)
		must(t, peers[0].SetRemoteDescription(accept(t, peers[1], offer(t, peers[0]))))
		time.Sleep(time.Minute)
		if accepted.Load() != 1 {
			t.Fatal("no channel is taken at all")
		}
		must(t, strange.SendText("안녕"))
		time.Sleep(time.Second)
		_, err = peers[0].CreateDataChannel("late", nil)
		must(t, err)
		time.Sleep(time.Minute)
		stillWrong(t, accepted.Load() == 1, "")
	})
}

// TestOfferBehindAnswerRestarts: an offer right behind an answer is taken for an ICE restart.
func TestOfferBehindAnswerRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := newPeers(t, nil)
		busy := make(chan struct{}) // without this handler, it is a race
		peers[0].OnNegotiationNeeded(func() { <-busy })
		_, err := peers[0].CreateDataChannel("data", nil)
		must(t, err)
		synctest.Wait()
		accepted := accept(t, peers[1], offer(t, peers[0]))
		_, err = peers[1].AddTransceiverFromKind(webrtc.RTPCodecTypeAudio)
		must(t, err)
		behind, err := peers[1].CreateOffer(nil) // of the same ICE generation
		must(t, err)
		must(t, peers[1].SetLocalDescription(behind))

		must(t, peers[0].SetRemoteDescription(accepted))
		before := ufragOf(t, peers[0].LocalDescription())
		again := answer(t, peers[0], behind)
		close(busy)
		stillWrong(t, ufragOf(t, &again) != before, "internal/connection/negotiation.go: mustWait")
	})
}

func ufragOf(t *testing.T, d *webrtc.SessionDescription) string {
	t.Helper()
	parsed, err := d.Unmarshal()
	must(t, err)
	if ufrag, ok := parsed.Attribute("ice-ufrag"); ok {
		return ufrag
	}
	ufrag, _ := parsed.MediaDescriptions[0].Attribute("ice-ufrag")
	return ufrag
}

// TestReplacedTrackJumps: with another track, the sequence numbers of the same source begin anywhere.
func TestReplacedTrackJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &sequence{}
		peers := newPeers(t, nil, wire)
		tracks := make([]*webrtc.TrackLocalStaticSample, 2)
		for i, first := range []uint16{1000, 50000} { // random without this option
			var err error
			tracks[i], err = webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "stream",
				webrtc.WithRTPSequenceNumber(first))
			must(t, err)
		}
		sender, err := peers[0].AddTrack(tracks[0])
		must(t, err)
		must(t, peers[0].SetRemoteDescription(accept(t, peers[1], offer(t, peers[0]))))
		time.Sleep(time.Minute)
		for i, track := range tracks {
			if i > 0 {
				must(t, sender.ReplaceTrack(track))
			}
			must(t, track.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond}))
		}
		if len(wire.numbers) != 2 || wire.sources[0] != wire.sources[1] {
			t.Fatalf("the packets are %v of %v", wire.numbers, wire.sources)
		}
		stillWrong(t, wire.numbers[1] != wire.numbers[0]+1, "internal/fanout, whose legs are bound once and number packets themselves")
	})
}

// sequence notes the packets that are sent.
type sequence struct {
	interceptor.NoOp
	numbers []uint16
	sources []uint32
}

func (s *sequence) NewInterceptor(string) (interceptor.Interceptor, error) { return s, nil }

func (s *sequence) BindLocalStream(_ *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, p []byte, a interceptor.Attributes) (int, error) {
		s.numbers, s.sources = append(s.numbers, h.SequenceNumber), append(s.sources, h.SSRC)
		return w.Write(h, p, a)
	})
}

// TestNoTrackThenPanic: after ReplaceTrack(nil), a track that cannot be sent is no error but a panic.
func TestNoTrackThenPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := newPeers(t, nil)
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "stream")
		must(t, err)
		sender, err := peers[0].AddTrack(track)
		must(t, err)
		must(t, peers[0].SetRemoteDescription(accept(t, peers[1], offer(t, peers[0]))))
		time.Sleep(time.Minute)
		must(t, sender.ReplaceTrack(nil))
		foreign, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: "audio/unheard"}, "audio", "stream")
		must(t, err)
		panicked := func() (panicked bool) {
			defer func() { panicked = recover() != nil }()
			if sender.ReplaceTrack(foreign) == nil {
				t.Error("a track of a codec that was not negotiated is taken")
			}
			return false
		}()
		stillWrong(t, panicked, "internal/fanout, which never calls ReplaceTrack")
	})
}

// TestNegotiationNeededWaitsForICE: while ICE looks for a path, nothing says that a new track needs an offer.
func TestNegotiationNeededWaitsForICE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := newPeers(t, func(s *webrtc.SettingEngine) { s.SetICETimeouts(time.Hour, time.Hour, time.Second) })
		_, err := peers[0].CreateDataChannel("data", nil)
		must(t, err)
		accepted := accept(t, peers[1], offer(t, peers[0]))
		must(t, peers[1].Close()) // there will be no path
		var needed atomic.Bool
		peers[0].OnNegotiationNeeded(func() { needed.Store(true) })
		must(t, peers[0].SetRemoteDescription(accepted))
		_, err = peers[0].AddTransceiverFromKind(webrtc.RTPCodecTypeAudio)
		must(t, err)
		time.Sleep(time.Minute)
		stillWrong(t, !needed.Load(), "internal/negotiate, which needs no event")
	})
}

// TestRTCPWaitsForAReader: interceptors get no RTCP until somebody reads it.
func TestRTCPWaitsForAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports := &reader{}
		peers := newPeers(t, nil, reports)
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", "stream")
		must(t, err)
		sender, err := peers[0].AddTrack(track)
		must(t, err)
		must(t, peers[0].SetRemoteDescription(accept(t, peers[1], offer(t, peers[0]))))
		time.Sleep(time.Minute)
		of := uint32(sender.GetParameters().Encodings[0].SSRC)
		must(t, peers[1].WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: of}}))
		time.Sleep(time.Minute)
		before := reports.count.Load()
		if _, _, err := sender.ReadRTCP(); err != nil || reports.count.Load() != 1 {
			t.Fatalf("%d were read: %v", reports.count.Load(), err)
		}
		stillWrong(t, before == 0, "internal/connection/reports.go")
	})
}

// reader counts the RTCP that interceptors get.
type reader struct {
	interceptor.NoOp
	count atomic.Int32
}

func (r *reader) NewInterceptor(string) (interceptor.Interceptor, error) { return r, nil }

func (r *reader) BindRTCPReader(from interceptor.RTCPReader) interceptor.RTCPReader {
	return interceptor.RTCPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := from.Read(b, a)
		if err == nil {
			r.count.Add(1)
		}
		return n, a, err
	})
}
