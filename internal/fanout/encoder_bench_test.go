//go:build capture && cgo && unix

package fanout

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/pion/mediadevices/pkg/driver/videotest" // a camera that sees bars
	"github.com/pion/rtp"

	"noom/media/capture"
)

// BenchmarkOneEncoder compares the cost of eight peers with that of one, with a real
// camera driver and the real H.264 encoder, but without pion. It measures the two in
// turns, so that other load on the machine affects both. With an encoder for each peer
// the ratio would be near 8; noom promises at most 1.05.
//
//	go test -tags capture -run - -bench OneEncoder -benchtime 3x ./internal/fanout
func BenchmarkOneEncoder(b *testing.B) {
	const peers, turns = 8, 5
	camera, err := capture.OpenCamera("VideoTest", &capture.CameraOptions{Width: 640, Height: 480, FPS: 30})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = camera.Close() }() // nothing to lose
	s, err := NewSender(camera, Options{}, Hooks{OnClose: func() {}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }() // nothing to lose
	var legs []*Leg
	var arrived [peers]frameCounter
	for i := range peers {
		l := NewLeg(s.codec.RTPCodecCapability, "방", nil)
		bindLeg(b, l, &arrived[i])
		legs = append(legs, l)
	}
	legs[0].Attach(s)
	legs[0].Connected()

	var one, all cost
	for b.Loop() {
		for range turns {
			one.measure(&arrived[0])
			for _, l := range legs[1:] {
				l.Attach(s)
			}
			all.measure(&arrived[0])
			for _, l := range legs[1:] {
				l.Detach()
			}
		}
	}
	b.ReportMetric(one.perFrame(), "cpu-µs/frame-to-1")
	b.ReportMetric(all.perFrame(), "cpu-µs/frame-to-8")
	b.ReportMetric(all.perFrame()/one.perFrame(), "ratio")
	b.ReportMetric(0, "ns/op") // says nothing, because the camera sets the pace
	for i := range arrived {
		if arrived[i].Load() == 0 {
			b.Errorf("peer %d got nothing", i)
		}
	}
}

// cost is the CPU time of some frames.
type cost struct {
	cpu    time.Duration
	frames int64
}

// measure adds what happens within a second.
func (c *cost) measure(f *frameCounter) {
	frames, before := f.Load(), cpuTime()
	<-time.After(time.Second)
	c.frames += f.Load() - frames
	c.cpu += cpuTime() - before
}

func (c *cost) perFrame() float64 { return float64(c.cpu.Microseconds()) / float64(max(1, c.frames)) }

// cpuTime returns the CPU time of this process, the encoder's C code included.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// frameCounter is a connection that costs nothing and counts frames.
type frameCounter struct{ atomic.Int64 }

func (c *frameCounter) WriteRTP(header *rtp.Header, payload []byte) (int, error) {
	if header.Marker {
		c.Add(1)
	}
	return 12 + len(payload), nil
}

func (c *frameCounter) Write(b []byte) (int, error) { return len(b), nil }
