package hub

import (
	"sync"
	"time"
)

// A pulse tells when a connection has been silent for too long: before it has
// joined, against a deadline; afterwards by the heartbeat (PROTOCOL.md section
// 5). The reader writes it, the writer asks it. Time is passed in.
type pulse struct {
	heartbeat time.Duration

	mu       sync.Mutex
	joined   bool
	deadline time.Time // before joined; zero: none for now
	until    time.Time // afterwards: when its time here ends; zero: it does not
	heard    time.Time // of the last frame
	pinged   bool      // since heard
}

// What is due on a connection.
type due int

const (
	dueNothing due = iota
	duePing        // it is time for a ping
	dueTooLate     // the join or proof did not come
	dueLost        // the other end is dead
	dueExpired     // its time here is over; told once
)

// expect sets the time by which the join or proof must have come; the zero
// time says that none is awaited.
func (p *pulse) expect(deadline time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = deadline
}

// begin starts the heartbeat, and the time that ends at until unless that is
// zero.
func (p *pulse) begin(now, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.joined, p.until, p.heard, p.pinged = true, until, now, false
}

// beat notes that a frame came.
func (p *pulse) beat(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard, p.pinged = now, false
}

// check says what is due, and after how long at the latest to ask again.
func (p *pulse) check(now time.Time) (due, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.joined {
		switch left := p.deadline.Sub(now); {
		case p.deadline.IsZero():
			return dueNothing, p.heartbeat
		case left <= 0:
			return dueTooLate, 0
		default:
			return dueNothing, left
		}
	}
	what, wait := p.silence(now)
	switch left := p.until.Sub(now); {
	case p.until.IsZero():
	case left <= 0:
		p.until = time.Time{}
		return dueExpired, 0
	default:
		wait = min(wait, left)
	}
	return what, wait
}

// silence is the part of check that is about the heartbeat.
func (p *pulse) silence(now time.Time) (due, time.Duration) {
	silent := now.Sub(p.heard)
	switch {
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
