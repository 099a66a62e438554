package inbound_test

import (
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/bandwidth"
	"noom/internal/conduct"
	"noom/internal/engine"
	"noom/internal/fanout"
	"noom/internal/inbound"
	"noom/internal/mediatest"
	"noom/internal/payloads"
	"noom/internal/repair"
	"noom/internal/traffic"
)

// BenchmarkDelivered measures what a packet of one camera costs on its way to each of eight peers, over real sockets, at
// both ends, up to the reader of the track; and how much memory the two ends of a connection have when a thousand packets
// have gone over it. Both are exact whatever else the machine does.
func BenchmarkDelivered(b *testing.B) {
	const peers, batch = 8, 10
	var start, before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&start)
	track, err := webrtc.NewTrackLocalStaticRTP(mediatest.VP8, "x", "y")
	mustBench(b, err)
	s, err := fanout.NewSender(track, fanout.Options{Name: "카메라"}, fanout.Hooks{OnChange: func() {}, OnClose: func() {}})
	mustBench(b, err)
	b.Cleanup(func() { _ = s.Close() })
	var arrived atomic.Int64
	for range peers {
		deliverTo(b, s, &arrived)
	}
	p := rtp.Packet{Header: rtp.Header{Version: 2}, Payload: make([]byte, 1100)}
	var sent int64
	picture := func() { // the first and last packet are marked as such, and every tenth picture is a key frame
		copy(p.Payload, []byte{0x10, 0x01})
		if sent/batch%10 == 0 {
			copy(p.Payload, []byte{0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 16, 0, 16, 0})
		}
		p.Timestamp += 3000
		for n := range batch {
			p.SequenceNumber++
			p.Marker = n == batch-1
			_ = track.WriteRTP(&p)
			p.Payload[0] = 0
		}
		sent += batch
		for late := 0; arrived.Load() < sent*peers && late < 100; late++ { // on a busy machine some are lost
			time.Sleep(time.Millisecond)
		}
	}
	for range 100 {
		picture()
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	got := arrived.Load()
	for b.Loop() {
		picture()
	}
	runtime.ReadMemStats(&after)
	got = arrived.Load() - got
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(got), "mallocs/packet")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(got), "B/packet")
	b.ReportMetric(float64(before.HeapAlloc-start.HeapAlloc)/peers, "heap-B/pair")
	b.ReportMetric(float64(got)/float64(b.N*batch*peers), "delivered")
}

func mustBench(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// costEnd returns a connection set up as a link does it.
func costEnd(b *testing.B) (*webrtc.PeerConnection, *repair.Asker, *repair.Answerer) {
	b.Helper()
	e, err := engine.New(engine.Options{Log: slog.New(slog.DiscardHandler), Settings: func(s *webrtc.SettingEngine) {
		s.SetIncludeLoopbackCandidate(true)
		s.SetIPFilter(net.IP.IsLoopback)
		s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	}})
	mustBench(b, err)
	numbers, guard := new(payloads.Packets), conduct.NewGuard(func(err error) { b.Error(err) })
	control := traffic.New(traffic.Options{Bandwidth: bandwidth.Config{Start: 50_000_000, Floor: 50_000_000}})
	guard.Reports(control.Report)
	asker, answers := repair.NewAsker(), repair.NewAnswerer()
	api, err := e.API(engine.Bounds{
		Wire: numbers, Traffic: control, Interceptor: guard, Repair: asker, Answers: answers, Buffer: numbers.Buffer(guard.Buffer),
	})
	mustBench(b, err)
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	mustBench(b, err)
	b.Cleanup(func() { _ = pc.GracefulClose() })
	return pc, asker, answers
}

// deliverTo sends s to a new peer, which counts what it reads.
func deliverTo(b *testing.B, s *fanout.Sender, arrived *atomic.Int64) {
	b.Helper()
	out, _, answers := costEnd(b)
	in, asker, _ := costEnd(b)
	l := fanout.NewLeg(s.Codec().RTPCodecCapability, "방", nil)
	l.LendTo(answers)
	l.Attach(s)
	transceiver, err := out.AddTransceiverFromTrack(l, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	mustBench(b, err)
	go mediatest.Drain(func(buf []byte) error { return l.ReadRTCP(transceiver.Sender(), buf) })
	in.OnTrack(func(tr *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		section := inbound.New(in.WriteRTCP)
		section.Repairs(asker.Repaired)
		stream, track := section.Add(tr, inbound.Alone), inbound.NewTrack("a", "카메라", tr.Kind(), false)
		section.Assign(track)
		go mediatest.Drain(func(buf []byte) error { return stream.ReadRTCP(r, buf) })
		go func() {
			_ = stream.Run()
			track.End()
		}()
		go func() {
			for range track.Packets() {
				arrived.Add(1)
			}
		}()
	})
	var up sync.WaitGroup
	for _, pc := range []*webrtc.PeerConnection{out, in} {
		up.Add(1)
		once := sync.OnceFunc(up.Done)
		pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
			if state == webrtc.PeerConnectionStateConnected {
				once()
			}
		})
	}
	describe := func(from, to *webrtc.PeerConnection, create func() (webrtc.SessionDescription, error)) {
		d, err := create()
		mustBench(b, err)
		gathered := webrtc.GatheringCompletePromise(from)
		mustBench(b, from.SetLocalDescription(d))
		<-gathered
		mustBench(b, to.SetRemoteDescription(*from.LocalDescription()))
	}
	describe(out, in, func() (webrtc.SessionDescription, error) { return out.CreateOffer(nil) })
	describe(in, out, func() (webrtc.SessionDescription, error) { return in.CreateAnswer(nil) })
	up.Wait()
	l.Connected()
}
