package bandwidth

import "time"

const (
	baseLength = 2 * time.Second
	baseCount  = 10               // 20 s
	otherClock = 20 * time.Second // no queue is as long: the peer's clock has jumped
)

// delay follows the queue that stands in the path: the least one-way delay of a
// report above the least of the last 20 s. (One packet that is not behind others
// shows that no queue stands, so bursts and jitter count for little.)
type delay struct {
	leasts [baseCount]time.Duration // of 2 s each, a ring
	at     int                      // the newest of leasts
	began  time.Duration            // when it began
	last   time.Duration            // the least of the last report
	queue  time.Duration
	size   int // bytes of the packet with the least delay
	any    bool
}

// add takes in the least delay of a report. It returns true if the clock of the
// peer seems to be another one than before.
func (d *delay) add(now, least time.Duration) (jumped bool) {
	jumped = d.any && (least-d.base() > otherClock || d.base()-least > otherClock)
	if !d.any || jumped {
		d.raise(now, least)
		return jumped
	}
	for now-d.began >= baseLength {
		d.at = (d.at + 1) % baseCount
		d.leasts[d.at] = least
		d.began += baseLength
		if now-d.began > baseCount*baseLength {
			d.began = now
		}
	}
	d.leasts[d.at] = min(d.leasts[d.at], least)
	d.last = least
	d.queue = least - d.base()
	return false
}

// keep has nothing forgotten: while others fill the queue it may never be empty, and would then be taken for the path.
func (d *delay) keep(now time.Duration) { d.began = max(d.began, now) }

// raise forgets what was: the path is now as long as least.
func (d *delay) raise(now, least time.Duration) {
	*d = delay{began: now, last: least, any: true, size: d.size}
	for i := range d.leasts {
		d.leasts[i] = least
	}
}

func (d *delay) base() time.Duration {
	least := d.leasts[0]
	for _, l := range d.leasts[1:] {
		least = min(least, l)
	}
	return least
}
