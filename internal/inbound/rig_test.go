package inbound_test

import (
	"crypto/rand"
	"sync"
	"testing"

	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
	"noom/internal/inbound"
	"noom/internal/mediatest"
)

// receiver is the far end of some legs: one track for each, read all the time.
type receiver struct {
	pc       *webrtc.PeerConnection
	mu       sync.Mutex
	inbounds []*inbound.Inbound
	tapes    []recording
}

// recording is what arrived of a track.
type recording struct {
	*mediatest.Tape
	track *inbound.Track
}

// receive connects legs to a new peer and waits until media can flow.
func receive(t *testing.T, network *mediatest.Network, legs []*fanout.Leg) *receiver {
	t.Helper()
	call := network.NewCall(t)
	r := &receiver{pc: call.In}
	call.In.OnTrack(func(tr *webrtc.TrackRemote, rtpReceiver *webrtc.RTPReceiver) {
		in := inbound.New(call.In.WriteRTCP)
		stream := in.Add(tr, inbound.Alone)
		track := inbound.NewTrack(rand.Text(), "카메라", tr.Kind(), false)
		in.Assign(track)
		go mediatest.Drain(func(buf []byte) error { return stream.ReadRTCP(rtpReceiver, buf) })
		go func() {
			_ = stream.Run()
			track.End()
		}()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.inbounds = append(r.inbounds, in)
		r.tapes = append(r.tapes, recording{mediatest.Record(track.Packets()), track})
	})
	mediatest.Connect(t, call, legs)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r
}

// publish returns a sender with hooks that nobody needs.
func publish(t *testing.T, track webrtc.TrackLocal) *fanout.Sender {
	t.Helper()
	s, err := fanout.NewSender(track, fanout.Options{Name: "카메라"}, fanout.Hooks{OnChange: func() {}, OnClose: func() {}})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// legOf returns a new leg of s.
func legOf(s *fanout.Sender) *fanout.Leg {
	l := fanout.NewLeg(s.Codec().RTPCodecCapability, "방", nil)
	l.Attach(s)
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
