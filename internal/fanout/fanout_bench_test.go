package fanout

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/mediatest"
	"noom/internal/packet"
)

// counter is a connection that costs nothing.
type counter struct{ atomic.Int64 }

func (c *counter) WriteRTP(_ *rtp.Header, payload []byte) (int, error) {
	c.Add(1)
	return 12 + len(payload), nil
}

func (c *counter) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkFanOut measures one packet on its way to eight peers, without pion.
func BenchmarkFanOut(b *testing.B) {
	track, err := webrtc.NewTrackLocalStaticRTP(mediatest.VP8, "x", "y")
	if err != nil {
		b.Fatal(err)
	}
	s, err := NewSender(track, Options{}, Hooks{})
	if err != nil {
		b.Fatal(err)
	}
	const legs = 8
	var arrived counter
	var queues []*packetQueue
	for range legs {
		l := legOf(s)
		bindLeg(b, l, &arrived)
		queues = append(queues, l.queue)
	}
	header := &rtp.Header{Version: 2}
	payload := append([]byte{0x10, 0}, make([]byte, 1100)...)
	var sent int64
	b.ReportAllocs()
	for b.Loop() {
		header.SequenceNumber++
		header.Timestamp += 3000
		_, _ = s.feeds[0].current.WriteRTP(header, payload)
		if sent++; sent%(videoQueue/2) == 0 { // no queue overflows
			for _, queue := range queues {
				for queue.length() > 0 {
					runtime.Gosched()
				}
			}
		}
	}
}

// BenchmarkBind measures what a leg takes up once it is bound: its queue and its pump.
func BenchmarkBind(b *testing.B) {
	track, err := webrtc.NewTrackLocalStaticRTP(mediatest.VP8, "x", "y")
	if err != nil {
		b.Fatal(err)
	}
	s, err := NewSender(track, Options{}, Hooks{OnChange: func() {}, OnClose: func() {}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	bound := binding{stream: new(counter), codecs: packet.CodecsFor(webrtc.RTPCodecTypeVideo)}
	b.ReportAllocs()
	for b.Loop() {
		l := legOf(s)
		if _, err := l.Bind(bound); err != nil {
			b.Fatal(err)
		}
		_ = l.Unbind(bound)
		l.Detach()
	}
}
