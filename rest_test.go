package noom_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"noom"
)

// goroutinesIn counts the goroutines that are in one of these functions.
func goroutinesIn(functions ...string) (n int) {
	synctest.Wait()
	stacks := make([]byte, 4<<20)
	for block := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		for _, f := range functions {
			if strings.Contains(block, f) {
				n++
				break
			}
		}
	}
	return n
}

// TestConnectionsRest: what sends, reports and asks has a goroutine while it does, and none otherwise.
func TestConnectionsRest(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		microphone, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "sound", "test")
		must(t, err)
		a := w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{{Name: "microphone", Track: microphone}}})
		b := w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		const pump = "noom/internal/fanout.(*Leg).pump("
		for round := range 2 {
			for range 100 {
				must(t, microphone.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond}))
				time.Sleep(20 * time.Millisecond)
			}
			if n := goroutinesIn(pump); n != 1 {
				t.Errorf("round %d: %d pumps send", round, n)
			}
			time.Sleep(10*time.Second + 7*time.Millisecond)
			if n := goroutinesIn(pump, "noom/internal/alarm.", "noom/internal/connection.(*Reports)"); n > 0 {
				t.Errorf("round %d: %d goroutines wait", round, n)
			}
		}
		reports := 0 // of b, which were read
		for _, entry := range peerOf(t, a, b).Stats() {
			if r, ok := entry.(webrtc.RemoteInboundRTPStreamStats); ok && r.RoundTripTime > 0 {
				reports++
			}
		}
		if reports != 1 {
			t.Errorf("%d sections were reported on", reports)
		}
	})
}
