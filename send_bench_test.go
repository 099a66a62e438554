//go:build unix

package noom_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/data"
	"noom/signal/hub"
	"noom/transport/mem"
)

const smallMessage = 100 // bytes

// BenchmarkSend compares Peer.Send with a bare data channel of pion's, over this machine's sockets. They have their turns in
// one run, so that other load on the machine affects both. The ratios are what Send takes over what the bare channel does.
func BenchmarkSend(b *testing.B) {
	pairs := []*messagePair{newBarePair(b), newSendPair(b)}
	for _, c := range []struct {
		name     string
		messages int // in a turn
		play     func(p *messagePair, messages int) error
	}{{"OneWay", 20_000, (*messagePair).oneWay}, {"PingPong", 2000, (*messagePair).pingPong}} {
		b.Run(c.name, func(b *testing.B) {
			var costs [2]messageCost
			for b.Loop() {
				for i, p := range pairs {
					before := costNow()
					if err := c.play(p, c.messages); err != nil {
						b.Fatal(err)
					}
					costs[i].add(before, costNow())
				}
			}
			bare, send := costs[0], costs[1]
			bare.report(b, "bare", c.messages)
			send.report(b, "send", c.messages)
			b.ReportMetric(send.cpu.Seconds()/bare.cpu.Seconds(), "cpu-ratio")
			b.ReportMetric(send.wall.Seconds()/bare.wall.Seconds(), "time-ratio")
			b.ReportMetric(0, "ns/op") // says nothing, because it is of both
		})
	}
}

// messagePair is two ends that send each other messages.
type messagePair struct{ a, b messageEnd }

// messageEnd is one of them.
type messageEnd struct {
	send func(data []byte) error
	take atomic.Pointer[func()] // called with each message that arrives, one at a time
}

func (e *messageEnd) onMessage(take func()) { e.take.Store(&take) }

// oneWay sends from a to b, as fast as that goes.
func (p *messagePair) oneWay(messages int) error {
	data, left, done := make([]byte, smallMessage), messages, make(chan error, 1)
	p.b.onMessage(func() {
		if left--; left == 0 {
			done <- nil
		}
	})
	for range messages {
		if err := p.a.send(data); err != nil {
			return err
		}
	}
	return soon(done)
}

// pingPong sends one message to and fro.
func (p *messagePair) pingPong(messages int) error {
	data, left, done := make([]byte, smallMessage), messages, make(chan error, 2)
	p.b.onMessage(func() {
		if err := p.b.send(data); err != nil {
			done <- err
		}
	})
	p.a.onMessage(func() {
		if left--; left == 0 {
			done <- nil
		} else if err := p.a.send(data); err != nil {
			done <- err
		}
	})
	if err := p.a.send(data); err != nil {
		return err
	}
	return soon(done)
}

// soon returns what comes out of done.
func soon(done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		return errors.New("nothing within 30 s")
	}
}

// onLoopback has pion use the loopback interface alone.
func onLoopback(s *webrtc.SettingEngine) {
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(net.IP.IsLoopback)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
}

// newSendPair returns two members whose ends are Peer.Send and Room.Next.
func newSendPair(tb testing.TB) *messagePair {
	tb.Helper()
	p, server, both := new(messagePair), hub.New(nil), make(chan error, 2)
	for _, e := range []*messageEnd{&p.a, &p.b} {
		room, err := noom.Join(tb.Context(), mem.Dialer(server), "방", &noom.Config{Settings: onLoopback})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = room.Leave(context.Background()) })
		go func() {
			for event := range room.Events(context.Background()) {
				switch event := event.(type) {
				case noom.DataReceived:
					(*e.take.Load())()
				case noom.PeerStateChanged:
					if event.State == noom.PeerConnected {
						e.send = func(data []byte) error { return event.Peer.Send(context.Background(), data) }
						both <- nil
					}
				}
			}
		}()
	}
	for range 2 {
		if err := soon(both); err != nil {
			tb.Fatal(err)
		}
	}
	return p
}

// newBarePair returns two PeerConnections with a data channel, as pion makes them.
func newBarePair(tb testing.TB) *messagePair {
	tb.Helper()
	var settings webrtc.SettingEngine
	onLoopback(&settings)
	api, p, both := webrtc.NewAPI(webrtc.WithSettingEngine(settings)), new(messagePair), make(chan error, 2)
	var pcs [2]*webrtc.PeerConnection
	for i, e := range []*messageEnd{&p.a, &p.b} {
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = pc.GracefulClose() })
		yes, id := true, uint16(1)
		dc, err := pc.CreateDataChannel("data", &webrtc.DataChannelInit{Negotiated: &yes, ID: &id})
		if err != nil {
			tb.Fatal(err)
		}
		dc.OnOpen(func() { both <- nil })
		dc.OnMessage(func(webrtc.DataChannelMessage) { (*e.take.Load())() })
		e.send = boundedSend(dc)
		pcs[i] = pc
	}
	if err := connectBare(pcs[0], pcs[1]); err != nil {
		tb.Fatal(err)
	}
	for range 2 {
		if err := soon(both); err != nil {
			tb.Fatal(err)
		}
	}
	return p
}

// boundedSend sends by a channel, and waits while as much is on its way as credit lets Peer.Send have there.
func boundedSend(dc *webrtc.DataChannel) func(data []byte) error {
	const most = data.MaxUnacked * smallMessage
	low := make(chan struct{}, 1)
	dc.SetBufferedAmountLowThreshold(most / 2)
	dc.OnBufferedAmountLow(func() {
		select {
		case low <- struct{}{}:
		default:
		}
	})
	return func(data []byte) error {
		for dc.BufferedAmount() >= most {
			<-low
		}
		return dc.Send(data)
	}
}

// connectBare has a and b exchange descriptions that have all candidates.
func connectBare(a, b *webrtc.PeerConnection) error {
	offer, err := a.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(a)
	if err = a.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	if err = b.SetRemoteDescription(*a.LocalDescription()); err != nil {
		return err
	}
	answer, err := b.CreateAnswer(nil)
	if err != nil {
		return err
	}
	gathered = webrtc.GatheringCompletePromise(b)
	if err = b.SetLocalDescription(answer); err != nil {
		return err
	}
	<-gathered
	return a.SetRemoteDescription(*b.LocalDescription())
}

// messageCost is what this process has taken.
type messageCost struct {
	wall, cpu time.Duration
	mallocs   uint64
	turns     int
}

func costNow() messageCost {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return messageCost{wall: time.Duration(time.Now().UnixNano()), cpu: time.Duration(u.Utime.Nano() + u.Stime.Nano()), mallocs: m.Mallocs}
}

// add adds a turn.
func (c *messageCost) add(before, after messageCost) {
	c.wall += after.wall - before.wall
	c.cpu += after.cpu - before.cpu
	c.mallocs += after.mallocs - before.mallocs
	c.turns++
}

// report reports what a message has cost, of so many in a turn.
func (c *messageCost) report(b *testing.B, name string, messages int) {
	b.Helper()
	all := float64(c.turns * messages)
	b.ReportMetric(float64(c.cpu.Nanoseconds())/all, name+"-cpu-ns/message")
	b.ReportMetric(float64(c.wall.Nanoseconds())/all, name+"-ns/message")
	b.ReportMetric(float64(c.mallocs)/all, name+"-allocs/message")
}
