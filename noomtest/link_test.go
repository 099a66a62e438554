package noomtest_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"noom/noomtest"
)

// stream sends packets from one host to another, without a room.
type stream struct {
	from net.PacketConn
	to   net.Addr

	mu      sync.Mutex
	arrived []arrival
}

type arrival struct {
	number int
	at     time.Duration // since the world began
}

func newStream(t *testing.T, w *noomtest.World) *stream {
	t.Helper()
	open := func(host string) net.PacketConn {
		c, err := w.Config(host).Net.ListenPacket("udp4", "0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	receiver := open("bob")
	interfaces, err := w.Config("bob").Net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var ip net.IP
	for _, i := range interfaces {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() {
				ip = n.IP
			}
		}
	}
	s := &stream{from: open("alice"), to: &net.UDPAddr{IP: ip, Port: receiver.LocalAddr().(*net.UDPAddr).Port}}
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, _, err := receiver.ReadFrom(buffer)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.arrived = append(s.arrived, arrival{int(binary.BigEndian.Uint32(buffer[:n])), w.Elapsed()})
			s.mu.Unlock()
		}
	}()
	return s
}

// send sends a packet that takes size bytes on the wire.
func (s *stream) send(t *testing.T, number, size int) {
	t.Helper()
	b := make([]byte, size-28)
	binary.BigEndian.PutUint32(b, uint32(number))
	if _, err := s.from.WriteTo(b, s.to); err != nil {
		t.Fatal(err)
	}
}

// play sends packets of 1000 bytes, evenly, for d.
func (s *stream) play(t *testing.T, bits int, d time.Duration) {
	t.Helper()
	pause := time.Duration(8000 * int64(time.Second) / int64(bits))
	for n := range int(d / pause) {
		s.send(t, n, 1000)
		time.Sleep(pause)
	}
}

// received returns what arrived so far.
func (s *stream) received() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.arrived)
}

// near reports whether got is want, give or take the share slack.
func near(got, want, slack float64) bool { return math.Abs(got-want) <= slack*want }

// TestLinkBandwidth: a link sends at its bandwidth, has a queue as long as it says, and drops the rest.
func TestLinkBandwidth(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		link  noomtest.Link
		queue time.Duration
	}{
		{noomtest.Link{Bandwidth: 400_000}, 200 * ms},
		{noomtest.Link{Bandwidth: 400_000, Queue: 500 * ms}, 500 * ms},
		{noomtest.Link{Bandwidth: 400_000, QueueBytes: 5000}, 100 * ms},
	} {
		for _, set := range []string{"upload", "download"} {
			noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
				s := newStream(t, w)
				meter := w.MeterUpload
				host := "alice"
				if set == "upload" {
					w.SetUpload(host, c.link)
				} else {
					host, meter = "bob", w.MeterDownload
					w.SetDownload(host, c.link)
				}
				m := meter(host)
				s.play(t, 800_000, 10*time.Second)
				r := m.Report()
				time.Sleep(time.Second)
				all := m.Report()
				if !near(float64(r.Bitrate()), 400_000, 0.01) || !near(r.Loss(), 0.5, 0.1) {
					t.Errorf("%s, %v: %v", set, c.link, r)
				}
				if d := all.QueueDelay(1); d < c.queue-20*ms || d > c.queue+20*ms {
					t.Errorf("%s, %v: waited %v, at most %v is to be expected", set, c.link, d, c.queue)
				}
				if n := len(s.received()); n != all.Delivered || all.Sent != all.Delivered+all.Full || all.Lost != 0 {
					t.Errorf("%s, %v: %d arrived of %+v", set, c.link, n, all)
				}
			})
		}
	}
}

// TestLinkChanges: what waits in the queue leaves at the new bandwidth.
func TestLinkChanges(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		s := newStream(t, w)
		w.SetUpload("alice", noomtest.Link{Bandwidth: 800_000}) // 10 ms a packet
		begun := w.Elapsed()
		for n := range 10 {
			s.send(t, n, 1000)
		}
		time.Sleep(15 * time.Millisecond)
		w.SetUpload("alice", noomtest.Link{Bandwidth: 80_000}) // from the middle of the second on 100 ms
		time.Sleep(250 * time.Millisecond)                     // 50 + 100 + 100
		w.SetUpload("alice", noomtest.Link{Bandwidth: 800_000})
		time.Sleep(5 * time.Millisecond)
		w.SetUpload("alice", noomtest.Link{})
		s.send(t, 10, 1000) // stays behind the others
		time.Sleep(time.Second)
		var got []string
		for _, a := range s.received() {
			got = append(got, fmt.Sprintf("%d:%v", a.number, (a.at-begun).Round(100*time.Microsecond)))
		}
		want := "[0:20ms 1:75ms 2:175ms 3:275ms 4:280ms 5:280ms 6:280ms 7:280ms 8:280ms 9:280ms 10:280ms]"
		if fmt.Sprint(got) != want {
			t.Errorf("arrived at\n%v, not\n%v", got, want)
		}
	}, noomtest.WithLatency(10*time.Millisecond))
}

// TestLinkDelay: latencies add up, and jitter keeps the order, unless it is that of the network.
func TestLinkDelay(t *testing.T) {
	for _, options := range [][]noomtest.Option{nil, {noomtest.WithJitter(30 * time.Millisecond)}} {
		noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
			s := newStream(t, w)
			w.SetUpload("alice", noomtest.Link{Latency: 40 * time.Millisecond, Jitter: 20 * time.Millisecond})
			w.SetDownload("bob", noomtest.Link{Latency: 100 * time.Millisecond})
			begun := w.Elapsed()
			s.play(t, 8_000_000, time.Second) // one a millisecond
			time.Sleep(time.Second)
			arrived := s.received()
			ordered, least, most := true, time.Hour, time.Duration(0)
			for i, a := range arrived {
				ordered = ordered && a.number == i
				d := a.at - begun - time.Duration(a.number)*time.Millisecond
				least, most = min(least, d), max(most, d)
			}
			if len(arrived) != 1000 || ordered != (options == nil) {
				t.Errorf("%d arrived, in order: %v", len(arrived), ordered)
			}
			if least < 150*time.Millisecond || least > 165*time.Millisecond || most < 168*time.Millisecond ||
				most > 170*time.Millisecond && options == nil {
				t.Errorf("took %v to %v", least, most)
			}
		}, options...)
	}
}

// TestLinkLoss: each packet by itself, and in bursts, the same for the same seed.
func TestLinkLoss(t *testing.T) {
	for _, c := range []noomtest.Link{{Loss: 0.05}, {Loss: 0.05, Burst: 4}, {Loss: 0.5, Burst: 8}, {Loss: 0.9, Burst: 2}, {Loss: 1}} {
		run := func(seed uint64) (arrived []arrival) {
			noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
				s := newStream(t, w)
				w.SetDownload("bob", c)
				m := w.MeterDownload("bob")
				s.play(t, 8_000_000, 8*time.Second)
				time.Sleep(time.Second)
				arrived = s.received()
				if r := m.Report(); r.Lost != 8000-len(arrived) || r.Full != 0 {
					t.Errorf("%d of 8000 arrived, the meter says %+v", len(arrived), r)
				}
			}, noomtest.WithSeed(seed))
			return arrived
		}
		arrived := run(1)
		runs, next := 0, 0
		for _, a := range arrived {
			if a.number > next {
				runs++
			}
			next = a.number + 1
		}
		lost := 8000 - len(arrived)
		if c.Loss == 1 {
			if lost != 8000 {
				t.Errorf("%v: lost %d of 8000", c, lost)
			}
			continue
		}
		length := max(1/(1-c.Loss), c.Burst, c.Loss/(1-c.Loss)) // one by one: a geometric run
		if got := float64(lost) / float64(runs); !near(float64(lost), 8000*c.Loss, 0.15) || !near(got, length, 0.15) && c.Loss < 0.9 {
			t.Errorf("%v: lost %d of 8000 in %d runs of %.1f in the mean", c, lost, runs, got)
		}
		if c.Burst != 4 {
			continue
		}
		if again, other := run(1), run(2); !slices.Equal(arrived, again) || slices.Equal(arrived, other) {
			t.Errorf("%v: not the same for the same seed, or the same for another", c)
		}
	}
}

// TestMeters: an interval can be judged alone, and only by those who ask for it.
func TestMeters(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		s := newStream(t, w)
		w.SetUpload("alice", noomtest.Link{Bandwidth: 1_000_000})
		sent, got := w.MeterUpload("alice"), w.MeterDownload("bob")
		s.play(t, 500_000, 2*time.Second)
		first := sent.Reset()
		s.play(t, 250_000, 2*time.Second)
		second, all := sent.Report(), got.Report()
		for _, c := range []struct {
			traffic noomtest.Traffic
			bits    float64
		}{{first, 500_000}, {second, 250_000}, {all, 375_000}} {
			if !near(float64(c.traffic.Bitrate()), c.bits, 0.02) || c.traffic.Loss() != 0 || c.traffic.QueueDelay(1) != 0 {
				t.Errorf("%v, not %v bit/s", c.traffic, c.bits)
			}
		}
		if r := w.MeterUpload("bob").Report(); r.Sent != 0 || r.Bitrate() != 0 || r.Loss() != 0 || r.QueueDelay(0.5) != 0 {
			t.Errorf("nothing was sent, and it says %v", r)
		}
	})
}
