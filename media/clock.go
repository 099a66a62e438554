package media

import (
	"sync"
	"time"
)

// origin is what the tracks of one sender have in common: its clock, and
// streams of tracks that are over, for who comes back goes on where it was.
type origin struct {
	readers int // tracks that are being read; guarded by the Recording's mu

	mu      sync.Mutex
	retired map[streamKey]*stream
	// What that clock showed when the recording began, by what arrived on each
	// track: the longer packets are on their way, the earlier.
	zeros map[*trackClock]time.Time
}

// lead takes what a track says and returns by how much it arrives earlier than
// the latest of them.
func (o *origin) lead(c *trackClock, zero time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.zeros[c] = zero
	earliest := zero
	for _, other := range o.zeros {
		if other.Before(earliest) {
			earliest = other
		}
	}
	return zero.Sub(earliest)
}

type streamKey struct{ track, codec string }

// stream returns the stream in which a track of that name and codec is written.
func (o *origin) stream(track, title string, f recordFormat) *stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := streamKey{track, f.codec}
	s := o.retired[key]
	if s == nil {
		return &stream{name: title, format: f}
	}
	delete(o.retired, key)
	return s
}

func (o *origin) retire(track string, s *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.retired) < maxGone {
		o.retired[streamKey{track, s.format.codec}] = s
	}
}

func (o *origin) forget(c *trackClock) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.zeros, c)
}

const (
	// absurd is how far a frame's time may be from its arrival.
	absurd = 15 * time.Second
	// maxLead is the most by which a track waits for another.
	maxLead = 3 * time.Second
	// unseen is a difference between picture and sound that nobody notices.
	unseen = 15 * time.Millisecond
	// pause is a silence behind which a track may be moved at once.
	pause = 500 * time.Millisecond
	// reportsWeighed is over how many sender reports is averaged.
	reportsWeighed = 8
)

// trackClock turns a track's RTP timestamps into times since the recording
// began. It starts from when packets arrive. Once the sender's clock tells how
// much earlier they do so than those of its slowest track, they are moved back
// by that, in one step: a frame that stands a little longer is not seen, and a
// rate that changes would be. They are moved forward in a pause alone, so that
// no two frames fall together.
type trackClock struct {
	from   *origin
	sender SenderClock // nil: has none

	rate     int64
	ssrc     uint32
	anchored bool
	base     time.Duration // of ticks 0
	ticks    int64         // of the latest timestamp
	latest   uint32

	zero     time.Time // as in origin
	reports  int       // that zero is averaged over
	reported time.Time // the last of them
	shift    time.Duration
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
	if d := arrival - now; !c.anchored || d > absurd || d < -absurd {
		c.anchored, c.base, c.ticks, c.reports = true, now, 0, 0
		c.from.forget(c)
		arrival = now
	}
	c.shift += c.step(c.lead(), arrival+c.shift-c.last)
	c.last = max(c.last, arrival+c.shift, 0)
	return c.last
}

// step returns how far to move a track that should be moved by lead in all,
// and has gone on by went since its last frame.
func (c *trackClock) step(lead, went time.Duration) time.Duration {
	if step := lead - c.shift; went > pause || step > unseen {
		return step
	}
	return 0
}

// lead asks the sender's clock by how much this track is early.
func (c *trackClock) lead() time.Duration {
	if c.sender == nil {
		return c.shift
	}
	if at, timestamp, ok := c.sender.SenderTime(c.ssrc); ok && !at.Equal(c.reported) {
		c.reported = at
		zero := at.Add(-c.base - c.duration(c.ticks+int64(int32(timestamp-c.latest))))
		if c.reports++; c.reports == 1 {
			c.zero = zero
		}
		c.zero = c.zero.Add(zero.Sub(c.zero) / time.Duration(min(c.reports, reportsWeighed)))
	}
	if c.reports == 0 {
		return c.shift
	}
	if lead := c.from.lead(c, c.zero); lead < maxLead {
		return lead
	}
	return c.shift // no clock shows that
}

func (c *trackClock) duration(ticks int64) time.Duration {
	return time.Duration(ticks/c.rate)*time.Second + time.Duration(ticks%c.rate)*time.Second/time.Duration(c.rate)
}
