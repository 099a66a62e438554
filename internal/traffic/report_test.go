package traffic

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"

	"noom/internal/bandwidth"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// sending returns a Control that sends a video stream, and what sends one of its packets.
func sending(tb testing.TB) (c *Control, send func()) {
	tb.Helper()
	c = New(Options{})
	w := c.BindLocalStream(&interceptor.StreamInfo{
		SSRC: 1, SSRCRetransmission: 2, PayloadTypeRetransmission: 36, MimeType: "video/VP8",
		RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: sdp.TransportCCURI, ID: 3}},
	}, interceptor.RTPWriterFunc(func(_ *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
		return len(payload), nil
	}))
	var seq uint16
	payload := make([]byte, 1100)
	return c, func() {
		seq++
		_, err := w.Write(&rtp.Header{Version: 2, SSRC: 1, SequenceNumber: seq}, payload, nil)
		must(tb, err)
	}
}

// TestReadsWhatPionReports compares the parser with pion's own reports.
func TestReadsWhatPionReports(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		recorder := twcc.NewRecorder(7)
		first, at := uint16(rng.Uint32()), int64(rng.IntN(1_000_000))
		var want []bool
		var times []int64
		for range 1 + rng.IntN(400) {
			at += int64(rng.IntN(3000))
			if rng.IntN(50) == 0 {
				at += 200_000
			}
			came := len(want) == 0 || rng.IntN(4) > 0
			want, times = append(want, came), append(times, at)
			if came {
				recorder.Record(1, first+uint16(len(want)-1), at)
			}
		}
		number := int64(1<<20) + int64(first)
		var got []bandwidth.Arrival
		for _, p := range recorder.BuildFeedbackPacket() {
			raw, err := p.Marshal()
			must(t, err)
			r, ok := readWide(raw)
			if !ok {
				t.Fatal("a report is not read")
			}
			from := number + int64(r.first-first)
			got = append(got, r.arrivals(from, number+1000, time.Duration(r.reference)*referenceUnit, nil)...)
		}
		for i, a := range got {
			k := int(a.Number - number)
			if a.Received != want[k] {
				t.Fatalf("packet %d: received %v, want %v", k, a.Received, want[k])
			}
			if off := a.At - time.Duration(times[k])*time.Microsecond; a.Received && (off > deltaUnit || off < -deltaUnit) {
				t.Fatalf("packet %d (%d): %v off", k, i, off)
			}
		}
		came := func(list []bool) (n int) {
			for _, c := range list {
				if c {
					n++
				}
			}
			return n
		}
		received := slices.DeleteFunc(slices.Clone(got), func(a bandwidth.Arrival) bool { return !a.Received })
		if len(received) != came(want) {
			t.Fatalf("%d packets, want %d", len(received), came(want))
		}
	}
}

// feedback makes a report on count packets from first on, all received in one run.
func feedback(first uint16, count int, reference uint32, delta byte) []byte {
	p := []byte{0x8f, typeTransport, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1}
	p = binary.BigEndian.AppendUint16(p, first)
	p = binary.BigEndian.AppendUint16(p, uint16(count))
	p = append(p, byte(reference>>16), byte(reference>>8), byte(reference), 0)
	p = binary.BigEndian.AppendUint16(p, 0x2000|uint16(count))
	for range count {
		p = append(p, delta)
	}
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)/4-1))
	return p
}

func TestReferenceTimeWraps(t *testing.T) {
	var k peerClock
	now := time.Unix(1000, 0)
	first := k.unwrap(1<<24-2, now)
	if got := k.unwrap(1, now.Add(100*time.Millisecond)) - first; got != 192*time.Millisecond {
		t.Errorf("%v passed, want 192 ms", got)
	}
	if got := k.unwrap(0, now.Add(200*time.Millisecond)) - first; got != 128*time.Millisecond {
		t.Errorf("a report that was overtaken is of %v, want 128 ms", got)
	}
	if got := k.unwrap(1<<22, now.Add(time.Second)) - first; got != 1092*time.Millisecond {
		t.Errorf("a peer's clock that jumps is taken for %v, want 1.092 s", got)
	}
}

// TestLiesAreIgnored: whatever a peer reports of what was not sent, twice, or in floods, the target does not rise above
// what honest reports would give, and nothing panics.
func TestLiesAreIgnored(t *testing.T) {
	c, send := sending(t)
	for range 20 {
		send()
	}
	before := c.Target()
	next := uint16(c.next)
	c.Report(1, feedback(next, 200, 1, 1))       // never sent
	c.Report(1, feedback(next+30000, 200, 1, 1)) // long ago, or never
	c.Report(1, feedback(next-20, 200, 0, 0))    // more than was sent
	if len(c.arrivals) != 20 {
		t.Errorf("%d packets reported, 20 were sent", len(c.arrivals))
	}
	c.Report(1, feedback(next-20, 20, 1<<23, 255))       // backwards
	c.Report(1, feedback(next-20, 20, 1, 0)[:24])        // cut off
	c.Report(1, append(feedback(0, 0, 0, 0)[:20], 0, 0)) // of no packets
	rr := &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 5, FractionLost: 255}}}
	raw, err := rr.Marshal()
	must(t, err)
	c.Report(5, raw)
	if now := c.Target(); now > before || now < before/2 {
		t.Errorf("the target is %d, was %d", now, before)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20_000 { // noise
		p := feedback(next-20, 30, 5, 1)
		for range 1 + rng.IntN(8) {
			p[rng.IntN(len(p)-4)+4] = byte(rng.Uint32())
		}
		c.Report(1, p[:8+rng.IntN(len(p)-8)])
	}
	if now := c.Target(); now > 2*before {
		t.Errorf("noise raised the target from %d to %d", before, now)
	}
}

// TestFloodsAreBounded: of many reports at once, a bounded number reaches the estimator.
func TestFloodsAreBounded(t *testing.T) {
	c, send := sending(t)
	for range 3000 {
		send()
	}
	allowed := 0
	for i := range 3000 {
		c.arrivals = c.arrivals[:0]
		c.Report(1, feedback(uint16(c.next)-3000+uint16(i), 1, uint32(i), 1))
		if len(c.arrivals) > 0 {
			allowed++
		}
	}
	if allowed > reportBurst+reportRate*10 || allowed < reportBurst {
		t.Errorf("%d of 3000 reports were read", allowed)
	}
}

func TestPacer(t *testing.T) {
	var p pacer
	now := time.Unix(1000, 0)
	for i, want := range []time.Duration{0, 0, 20 * time.Millisecond, 30 * time.Millisecond} {
		if got := p.take(now, 1250, 1_000_000); got != want {
			t.Errorf("packet %d waits %v, want %v", i, got, want)
		}
	}
	if got := p.take(now.Add(time.Second), 500, 1_000_000); got != 0 {
		t.Errorf("after a pause, a packet waits %v", got)
	}
}

// TestSmallPicturesDoNotWait: however little the path is thought to take, small pictures leave in time.
func TestSmallPicturesDoNotWait(t *testing.T) {
	c := New(Options{Bandwidth: bandwidth.Config{Start: 30_000}})
	c.want, c.up = 1_000_000, true
	picture, sound := &stream{video: true}, &stream{}
	now := time.Unix(1000, 0)
	for at := time.Duration(0); at < 5*time.Second; at += 20 * time.Millisecond {
		c.waits(sound, false, now.Add(at), 90)
		if at%(60*time.Millisecond) > 0 {
			continue
		}
		if wait := c.waits(picture, false, now.Add(at), 270); wait > 40*time.Millisecond {
			t.Fatalf("after %v a picture waits %v", at, wait)
		}
	}
}

// TestREMB: what a peer without transport-wide feedback estimates is taken, unless it is absurd or for another stream. What
// is not taken does not end what was.
func TestREMB(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, send := sending(t)
		for _, step := range []struct {
			bps    float32
			stream uint32
			want   int
		}{{200_000, 1, 200_000}, {1e11, 1, 200_000}, {1e24, 1, 200_000}, {0, 1, 200_000}, {500_000, 7, 200_000}, {150_000, 1, 150_000}} {
			for range 40 { // enough that the target would grow
				send()
				time.Sleep(20 * time.Millisecond)
			}
			raw, err := (&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: step.bps, SSRCs: []uint32{step.stream}}).Marshal()
			must(t, err)
			c.Report(1, raw)
			if got := c.Target(); got < step.want*99/100 || got > step.want {
				t.Errorf("after %v: target %d, want %d", step.bps, got, step.want)
			}
		}
	})
}
