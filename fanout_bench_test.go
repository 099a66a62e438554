package noom

import (
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// devNull is a connection that costs nothing.
type devNull struct{}

func (devNull) WriteRTP(_ *rtp.Header, payload []byte) (int, error) { return 12 + len(payload), nil }
func (devNull) Write(b []byte) (int, error)                         { return len(b), nil }

// BenchmarkFanOut is one packet on its way to eight peers, without pion.
func BenchmarkFanOut(b *testing.B) {
	track, err := webrtc.NewTrackLocalStaticRTP(vp8, "x", "y")
	if err != nil {
		b.Fatal(err)
	}
	s, err := newSender(track, "", senderHooks{})
	if err != nil {
		b.Fatal(err)
	}
	for range 8 {
		bindTo(b, legOf(s), devNull{})
	}
	header := &rtp.Header{Version: 2}
	payload := append([]byte{0x10, 0}, make([]byte, 1100)...)
	b.ReportAllocs()
	for b.Loop() {
		header.SequenceNumber++
		header.Timestamp += 3000
		_, _ = s.current.WriteRTP(header, payload)
	}
}
