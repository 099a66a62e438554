package endurance

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noom/noomtest"
)

// A shaper is a path with bounds between two devices of the network, for a kernel that has no netem. Each direction has
// a queue, a bandwidth, a latency and loss, as [noomtest.Link] says, of which it knows no more than these.
type shaper struct{ up, down *lane }

// newShaper carries packets between two devices, of which each Read and Write is one, until both are closed.
func newShaper(left, right io.ReadWriter) *shaper {
	s := &shaper{newLane(), newLane()}
	go s.up.carry(left, right)
	go s.down.carry(right, left)
	return s
}

// set gives both directions these bounds, from now on.
func (s *shaper) set(link noomtest.Link) {
	s.up.set(link)
	s.down.set(link)
}

// lane is one direction.
type lane struct {
	wake chan struct{} // something waits

	mu      sync.Mutex
	link    noomtest.Link
	rng     *rand.Rand
	waiting []parcel // the first is being sent
	bytes   int      // of these
	free    time.Time
	since   time.Time
	counted traffic
}

// parcel is a packet of IP.
type parcel struct {
	data []byte
	came time.Time
	due  time.Time // when it comes out, once it has been sent
}

// traffic is what a lane has counted. What the queue did is counted of UDP alone, which calls consist of.
type traffic struct {
	time  time.Duration
	came  int // packets of UDP
	full  int // that the queue had no room for
	lost  int // that got lost after they were sent
	udp   int // bytes that were sent and not lost, headers of IP included
	tcp   int // of the flow beside the call and of signaling
	waits []time.Duration
}

func newLane() *lane {
	return &lane{wake: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(17, 1)), since: time.Now()}
}

func (l *lane) set(link noomtest.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.link = link
}

// reset returns what was counted since the last reset.
func (l *lane) reset() traffic {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.counted
	t.time = time.Since(l.since)
	l.counted, l.since = traffic{}, time.Now()
	return t
}

// carry carries packets until a device fails, which it does when it is closed.
func (l *lane) carry(from io.Reader, to io.Writer) {
	over, flying := make(chan struct{}), make(chan parcel, 1<<16)
	go l.send(over, flying)
	go fly(flying, to)
	defer close(over)
	for b := make([]byte, 1<<16); ; {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		l.put(time.Now(), bytes.Clone(b[:n]))
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// put takes a packet into the queue if there is room for it.
func (l *lane) put(now time.Time, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	udp := isUDP(data)
	if udp {
		l.counted.came++
	}
	limit := l.link.Queue
	if limit == 0 {
		limit = 200 * time.Millisecond
	}
	if l.airtime(l.bytes) > limit {
		if udp {
			l.counted.full++
		}
		return
	}
	l.waiting = append(l.waiting, parcel{data: data, came: now})
	l.bytes += len(data)
}

// send sends what waits, one after the other.
func (l *lane) send(over <-chan struct{}, flying chan<- parcel) {
	defer close(flying)
	for {
		due, waits := l.sends()
		if !waits {
			select {
			case <-l.wake:
				continue
			case <-over:
				return
			}
		}
		time.Sleep(time.Until(due))
		if p, ok := l.sent(due); ok {
			flying <- p
		}
	}
}

// sends returns when the first of those that wait will have been sent. It depends on no timer, so one that fires late
// costs no bandwidth.
func (l *lane) sends() (due time.Time, waits bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return time.Time{}, false
	}
	if first := l.waiting[0]; l.free.Before(first.came) {
		l.free = first.came
	}
	return l.free.Add(l.airtime(len(l.waiting[0].data))), true
}

// sent takes the first of those that wait; false: it got lost.
func (l *lane) sent(at time.Time) (parcel, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.waiting[0]
	l.waiting = l.waiting[1:]
	l.bytes -= len(p.data)
	udp := isUDP(p.data)
	if udp {
		l.counted.waits = append(l.counted.waits, l.free.Sub(p.came))
	}
	l.free, p.due = at, at.Add(l.link.Latency)
	switch lost := l.rng.Float64() < l.link.Loss; {
	case lost && udp:
		l.counted.lost++
		return p, false
	case lost:
		return p, false
	case udp:
		l.counted.udp += len(p.data)
	default:
		l.counted.tcp += len(p.data)
	}
	return p, true
}

// airtime is how long bytes take to be sent. It needs l.mu.
func (l *lane) airtime(bytes int) time.Duration {
	if l.link.Bandwidth == 0 {
		return 0
	}
	return time.Duration(bytes) * 8 * time.Second / time.Duration(l.link.Bandwidth)
}

// fly takes packets out at the other end when they are due.
func fly(flying <-chan parcel, to io.Writer) {
	for p := range flying {
		time.Sleep(time.Until(p.due))
		_, _ = to.Write(p.data) // a device that is closed or full loses it, as others do
	}
}

// isUDP reports whether a packet is UDP over IPv4 (RFC 791 section 3.1).
func isUDP(data []byte) bool { return len(data) > 9 && data[0]>>4 == 4 && data[9] == 17 }

// bitrate returns what of UDP was sent, in bits a second.
func (t traffic) bitrate() int { return int(float64(8*t.udp) / t.time.Seconds()) }

// loss returns the share of packets of UDP that did not come out.
func (t traffic) loss() float64 { return float64(t.full+t.lost) / float64(max(t.came, 1)) }

// queue returns how long at most 95 % of the packets waited until they were sent.
func (t traffic) queue() time.Duration {
	if len(t.waits) == 0 {
		return 0
	}
	return quantile(slices.Sorted(slices.Values(t.waits)), 95)
}

// String returns the figures for the log.
func (t traffic) String() string {
	return fmt.Sprintf("%d kbit/s of the call, %d of TCP, p95 queue %v, %.1f %% dropped, %.1f %% lost", t.bitrate()/1000,
		int(float64(8*t.tcp)/t.time.Seconds())/1000, t.queue().Round(time.Millisecond),
		100*float64(t.full)/float64(max(t.came, 1)), 100*float64(t.lost)/float64(max(t.came, 1)))
}

// pipeEnd is a device that a test reads and writes.
type pipeEnd struct{ in, out chan []byte }

func (p pipeEnd) Read(b []byte) (int, error) {
	data, more := <-p.in
	if !more {
		return 0, io.EOF
	}
	return copy(b, data), nil
}

func (p pipeEnd) Write(b []byte) (int, error) {
	p.out <- b
	return len(b), nil
}

// TestShaper: a shaper sends at its bandwidth, holds its queue, takes its latency and loses its share, and what is set
// while it works counts from then on.
func TestShaper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := pipeEnd{make(chan []byte, 1), make(chan []byte, 1)}
		right := pipeEnd{make(chan []byte, 1), make(chan []byte, 1)}
		s := newShaper(left, right)
		var trip atomic.Int64 // of the latest packet
		read := make(chan struct{})
		go func() {
			defer close(read)
			for data := range right.out {
				trip.Store(time.Now().UnixNano() - int64(binary.BigEndian.Uint64(data[12:])))
			}
		}()
		// pour sends at a rate for five seconds, and returns what was counted in the last four.
		pour := func(rate int) traffic {
			const size = 1250
			for begin, counts := time.Now(), false; time.Since(begin) < 5*time.Second; {
				if !counts && time.Since(begin) >= time.Second {
					s.up.reset()
					counts = true
				}
				data := make([]byte, size)
				data[0], data[9] = 0x45, 17
				binary.BigEndian.PutUint64(data[12:], uint64(time.Now().UnixNano()))
				left.in <- data
				time.Sleep(size * 8 * time.Second / time.Duration(rate))
			}
			return s.up.reset()
		}
		check := func(what string, got traffic, rate, loss float64, queue, latency time.Duration) {
			t.Helper()
			trip := time.Duration(trip.Load())
			t.Logf("%s: %v, trip %v", what, got, trip)
			if r := float64(got.bitrate()); r < 0.97*rate || r > 1.03*rate {
				t.Errorf("%s: %d bit/s, want %v", what, got.bitrate(), rate)
			}
			if l := got.loss(); l < loss-0.03 || l > loss+0.03 {
				t.Errorf("%s: loss %v, want %v", what, l, loss)
			}
			if q := got.queue(); (q - queue).Abs() > 20*time.Millisecond {
				t.Errorf("%s: queue %v, want %v", what, q, queue)
			}
			if (trip - queue - latency).Abs() > 30*time.Millisecond {
				t.Errorf("%s: a packet takes %v, want %v", what, trip, queue+latency)
			}
		}
		s.set(noomtest.Link{Bandwidth: 1_000_000, Latency: 70 * time.Millisecond})
		check("room", pour(500_000), 500_000, 0, 0, 80*time.Millisecond)
		check("twice as much", pour(2_000_000), 1_000_000, 0.5, 200*time.Millisecond, 80*time.Millisecond)
		s.set(noomtest.Link{Bandwidth: 300_000, Queue: 500 * time.Millisecond})
		check("a longer queue", pour(600_000), 300_000, 0.5, 500*time.Millisecond, 30*time.Millisecond)
		s.set(noomtest.Link{Bandwidth: 3_000_000, Loss: 0.2})
		check("loss", pour(2_000_000), 1_600_000, 0.2, 0, 0)
		s.set(noomtest.Link{})
		check("no bound", pour(2_000_000), 2_000_000, 0, 0, 0)
		if down := s.down.reset(); down.came != 0 {
			t.Errorf("%d packets came the other way", down.came)
		}
		close(left.in)
		close(right.in)
		synctest.Wait()
		close(right.out)
		<-read
	})
}
