package media

import (
	"sync"
	"time"
)

// origin is the clock that the tracks of one sender share.
type origin struct {
	mu   sync.Mutex
	zero time.Time // what it showed when the recording began; zero: not known yet
}

// since returns when in the recording a moment of the sender's clock was. The
// first to ask, with a frame it takes to be at guess, decides where zero is.
func (o *origin) since(at time.Time, guess time.Duration) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.zero.IsZero() {
		o.zero = at.Add(-guess)
	}
	return at.Sub(o.zero)
}

const (
	// absurd is how far a frame's time may be from its arrival.
	absurd = 15 * time.Second
	// pause is a silence behind which a track may be moved at once.
	pause = 500 * time.Millisecond
)

// trackClock turns a track's RTP timestamps into times since the recording
// began. It starts from when packets arrive, and moves to where the sender's
// clock puts them as soon as that is known: by at most a twentieth of the time
// that goes by, so that neither picture nor sound is seen to jump.
type trackClock struct {
	from   *origin
	sender SenderClock // nil: has none

	rate     int64
	ssrc     uint32
	anchored bool
	base     time.Duration // of ticks 0
	ticks    int64         // of the latest timestamp
	latest   uint32
	shift    time.Duration // what the sender's clock adds
	last     time.Duration // result before
}

// restart says that other timestamps follow.
func (c *trackClock) restart(rate int64, ssrc uint32) {
	c.rate, c.ssrc, c.anchored = max(rate, 1), ssrc, false
}

// at returns the time of a frame that is complete now.
func (c *trackClock) at(timestamp uint32, now time.Duration) time.Duration {
	if c.anchored {
		c.ticks += int64(int32(timestamp - c.latest))
	}
	c.latest = timestamp
	arrival := c.base + c.duration(c.ticks)
	if d := arrival + c.shift - now; !c.anchored || d > absurd || d < -absurd {
		c.anchored, c.base, c.ticks, c.shift = true, now, 0, 0
		arrival = now
	}
	if want, ok := c.wanted(timestamp, arrival); ok {
		step := want - arrival - c.shift
		if went := arrival + c.shift - c.last; went < pause && c.last > 0 {
			limit := max(went, 0) / 20
			step = max(-limit, min(step, limit))
		}
		c.shift += step
	}
	c.last = max(c.last, arrival+c.shift, 0)
	return c.last
}

// wanted returns where the sender's clock puts a frame that seems to be at arrival.
func (c *trackClock) wanted(timestamp uint32, arrival time.Duration) (time.Duration, bool) {
	if c.sender == nil {
		return 0, false
	}
	at, reported, ok := c.sender.SenderTime(c.ssrc)
	if !ok {
		return 0, false
	}
	at = at.Add(c.duration(int64(int32(timestamp - reported))))
	want := c.from.since(at, arrival+c.shift)
	if d := want - arrival; d > absurd || d < -absurd {
		return 0, false
	}
	return want, true
}

func (c *trackClock) duration(ticks int64) time.Duration {
	return time.Duration(ticks/c.rate)*time.Second + time.Duration(ticks%c.rate)*time.Second/time.Duration(c.rate)
}
