package hub

import (
	"sync"
	"time"
)

// A pulse notices when a connection has been silent for too long: before it has joined, against a
// deadline; afterwards by the heartbeat (PROTOCOL.md section 5); and when a write hangs. Reader and
// writer report to it, a timer asks it. Time is passed in.
type pulse struct {
	heartbeat time.Duration

	mu       sync.Mutex
	joined   bool
	held     bool      // the hub does not read from it
	pinged   bool      // since the last frame
	ended    bool      // nothing more is due
	deadline time.Time // before joined; zero: none for now
	until    time.Time // afterwards: when its time here ends; zero: it does not
	heard    time.Time // of the last frame
	wrote    time.Time // when the write began that has not ended; zero: there is none
}

// What is due on a connection.
type due int

const (
	dueNothing due = iota
	duePing        // it is time for a ping
	dueTooLate     // the join or proof did not come
	dueLost        // the other end is dead
	dueStuck       // it takes nothing that is written to it
	dueExpired     // its time here is over; reported once
)

// end says that the connection is over.
func (p *pulse) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

// writing and written are said around each write.
func (p *pulse) writing(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrote = now
}

func (p *pulse) written() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrote = time.Time{}
}

// expect sets the time by which the join or proof must have come; the zero
// time says that none is awaited.
func (p *pulse) expect(deadline time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = deadline
}

// begin starts the heartbeat, and the time that ends at until unless that is
// zero. It returns after how long to check.
func (p *pulse) begin(now, until time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.joined, p.until, p.heard, p.pinged = true, until, now, false
	if until.IsZero() {
		return p.heartbeat
	}
	return min(p.heartbeat, until.Sub(now))
}

// hold is said around a time in which the hub does not read, so that a silence says nothing.
func (p *pulse) hold(on bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held, p.heard, p.pinged = on, now, false
}

// beat notes that a frame came.
func (p *pulse) beat(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard, p.pinged = now, false
}

// check says what is due, and after how long at the latest to ask again; 0:
// there is no need to.
func (p *pulse) check(now time.Time) (due, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return dueNothing, 0
	}
	stuck := 2 * p.heartbeat // from now on
	if !p.wrote.IsZero() {
		stuck = p.wrote.Add(2 * p.heartbeat).Sub(now)
	}
	if stuck <= 0 {
		return dueStuck, 0
	}
	what, wait := p.absence(now)
	if what == dueLost && !p.wrote.IsZero() {
		return dueStuck, 0
	}
	return what, min(wait, stuck)
}

// absence is the part of check that is about what has not come.
func (p *pulse) absence(now time.Time) (due, time.Duration) {
	if !p.joined {
		switch left := p.deadline.Sub(now); {
		case p.deadline.IsZero():
			return dueNothing, p.heartbeat
		case left <= 0:
			p.deadline = time.Time{}
			return dueTooLate, p.heartbeat
		default:
			return dueNothing, left
		}
	}
	what, wait := p.silence(now)
	switch left := p.until.Sub(now); {
	case p.until.IsZero():
	case left <= 0:
		p.until = time.Time{}
		return dueExpired, p.heartbeat
	default:
		wait = min(wait, left)
	}
	return what, wait
}

// silence is the part of check that is about the heartbeat.
func (p *pulse) silence(now time.Time) (due, time.Duration) {
	silent := now.Sub(p.heard)
	switch {
	case p.held:
		return dueNothing, p.heartbeat
	case silent >= 2*p.heartbeat:
		return dueLost, 0
	case silent < p.heartbeat:
		return dueNothing, p.heartbeat - silent
	case p.pinged:
		return dueNothing, 2*p.heartbeat - silent
	}
	p.pinged = true
	return duePing, 2*p.heartbeat - silent
}
