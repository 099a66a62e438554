package traffic

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"

	"noom/internal/alarm"
	"noom/internal/bandwidth"
)

const (
	tick      = 100 * time.Millisecond // of the estimator
	probeTick = 10 * time.Millisecond  // while padding is sent
	busyTick  = 400 * time.Millisecond // of the alarm while what is sent has the estimator go on

	overhead = 28 + 16 // bytes that UDP over IPv4 and SRTP add to an RTP packet at most
)

// Options says how a Control works. The zero Options works.
type Options struct {
	Bandwidth bandwidth.Config

	// Share has pion read transport-wide reports too, which costs more than all else here: interceptors of the
	// application may want them. Otherwise they end here.
	Share bool
}

// Control is the traffic of one connection. pion calls it from many goroutines.
type Control struct {
	interceptor.NoOp
	share   bool
	alarm   *alarm.Alarm // set from the first packet that leaves on
	done    chan struct{}
	closed  atomic.Bool
	closing sync.Once

	mu        sync.Mutex // a leaf lock, but for the alarm: nothing outside is called while it is held
	estimator *bandwidth.Estimator
	want      int
	next      int64 // the number of the next packet
	numbered  bool  // a stream has numbers; those that have none are not counted then
	up        bool  // a packet has left
	pace      pacer
	repeats   allowance
	ticked    time.Time // when the estimator last went on
	roused    time.Time // when the alarm last rang, or was roused
	probing   bool      // the alarm sends padding
	owed      int       // bytes of padding that are due; negative: more was sent than is to be
	streams   map[uint32]*stream
	clock     peerClock
	reports   allowance // of transport-wide reports, one each
	arrivals  []bandwidth.Arrival
}

// New returns a Control for one connection. Close ends it.
func New(o Options) *Control {
	c := &Control{
		share: o.Share, done: make(chan struct{}), estimator: bandwidth.New(o.Bandwidth),
		next:    1 << 16, // numbers are unwrapped backwards from here
		streams: make(map[uint32]*stream),
	}
	c.alarm = alarm.New(c.ring)
	return c
}

// State returns what is known of the path.
func (c *Control) State() bandwidth.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.estimator.State()
}

// Target returns how many bits per second may be sent, headers and retransmissions included.
func (c *Control) Target() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.estimator.Target()
}

// Want says how many bits per second the sources could use in all, if they follow Target. Pictures are paced from then on.
// 0: nobody follows.
func (c *Control) Want(bps int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want = max(bps, 0)
	c.estimator.Want(c.want)
}

// Beside says how many bits per second the room's other connections send.
func (c *Control) Beside(bps int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.estimator.Beside(bps)
}

// NewInterceptor implements interceptor.Factory. pion calls it once, because a Control belongs to one connection.
func (c *Control) NewInterceptor(string) (interceptor.Interceptor, error) { return c, nil }

// Close implements interceptor.Interceptor. Whatever waits goes on at once.
func (c *Control) Close() error {
	c.closed.Store(true)
	c.closing.Do(func() { close(c.done) })
	c.alarm.Close()
	return nil
}

// rouse has the alarm tick soon. It does so for the first time when the first packet has left, because there is nothing to
// estimate before. It needs c.mu.
func (c *Control) rouse(now time.Time) {
	c.roused = now
	c.alarm.Set(probeTick)
}

// goOn has the estimator go on if that is due. Packets that are sent do so, because an alarm ten times a second costs more.
// It needs c.mu.
func (c *Control) goOn(now time.Time) {
	if now.Sub(c.ticked) < tick {
		return
	}
	c.ticked = now
	c.estimator.Tick(now)
	if c.estimator.Padding() > 0 && !c.probing {
		c.probing, c.owed = true, 0
		c.rouse(now)
	}
}

// ring ticks when the alarm rings.
func (c *Control) ring() (next time.Duration) {
	now := time.Now()
	c.mu.Lock()
	since := now.Sub(c.roused)
	c.roused = now
	c.mu.Unlock()
	return c.tick(now, since)
}

// tick has the estimator and the padding go on, and returns after what time to do so again.
func (c *Control) tick(now time.Time, since time.Duration) (next time.Duration) {
	c.mu.Lock()
	busy := now.Sub(c.ticked) < tick
	if c.probing || !busy {
		c.ticked = now
		c.estimator.Tick(now)
	}
	rate := c.estimator.Padding()
	count := c.due(rate, since)
	over := c.padded()
	c.mu.Unlock()
	switch {
	case rate == 0 && busy:
		return busyTick
	case rate == 0:
		return tick
	case over != nil:
		for ; count > 0 && !c.closed.Load(); count-- {
			over.pad(c, paddingFor(rate))
		}
	}
	return probeTick
}

// due returns how many packets of padding fill up to the rate what was sent since. What is sent is taken off c.owed as it
// leaves. It needs c.mu.
func (c *Control) due(rate int, since time.Duration) int {
	if began := !c.probing; began || rate == 0 {
		c.probing, c.owed = rate > 0, 0
		return 0
	}
	c.owed = max(c.owed+bytesIn(rate, since), -bytesIn(rate, tick))
	// More at once would be a queue, or lost on its way. The rest comes with the next ticks.
	return min(c.owed, bytesIn(rate, 3*probeTick)) / (paddingFor(rate) + padOverhead)
}

// paddingFor returns the bytes of padding in each packet of a probe: it takes at most 20 ms, so that sound does not wait
// behind it.
func paddingFor(rate int) int {
	return min(max(bytesIn(rate, 20*time.Millisecond)-padOverhead, leastPadding), maxPadding)
}

// bytesIn returns how many bytes are sent in d at that rate, which is in bits per second.
func bytesIn(rate int, d time.Duration) int { return int(float64(rate) / 8 * d.Seconds()) }
