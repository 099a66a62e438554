package traffic

import "time"

const (
	evenly    = 1.5                   // times the target, for pictures
	leastPace = 80_000                // bits per second: pictures that are left out cost a key frame, which is more
	slack     = 15 * time.Millisecond // what may leave at once: a picture of a camera at its target, or two packets of a slow one
)

// pacer spreads what is sent. It is pure.
type pacer struct{ due time.Time } // when all that was sent has left at the pace

// take adds a packet of that many bytes, and returns how long it should wait if it can.
func (p *pacer) take(now time.Time, size int, bitrate float64) (wait time.Duration) {
	if p.due.Before(now) {
		p.due = now
	}
	wait = p.due.Sub(now)
	p.due = p.due.Add(time.Duration(float64(size) * 8 / bitrate * float64(time.Second)))
	if wait < slack { // a few packets at once cost less than as many timers
		return 0
	}
	return min(wait, tick)
}

// allowance is a bucket of tokens. It is pure; the zero allowance is full.
type allowance struct {
	used float64
	at   time.Time
}

// take takes n tokens if they are there. There are at most so many, and rate come back in a second.
func (a *allowance) take(now time.Time, n, most, rate float64) bool {
	if since := now.Sub(a.at); since > 0 {
		a.used, a.at = max(0, a.used-rate*since.Seconds()), now
	}
	if a.used+n > most {
		return false
	}
	a.used += n
	return true
}
