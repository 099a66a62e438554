package connection

import (
	"time"

	"noom/signal"
)

// Steps says when a connection first reached each step; zero: not yet.
type Steps struct {
	Offer  time.Time // the first offer was sent, or taken
	Answer time.Time // the first answer was sent, or taken
	Check  time.Time // the peer's first check of a path came, and had our credentials
	ICE    time.Time // there was a path
	DTLS   time.Time // it was encrypted
	Media  time.Time // the peer's first packet of media came
}

// reach notes that one of c.steps was reached. The first time counts: a restart of ICE, for example, reaches none anew.
func (c *Conn) reach(step *time.Time, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if step.IsZero() {
		*step = at
	}
}

// reachDescription notes that a description was sent or taken now.
func (c *Conn) reachDescription(t signal.Type) {
	step := &c.steps.Answer
	if t == signal.TypeOffer {
		step = &c.steps.Offer
	}
	c.reach(step, time.Now())
}

// Checked notes when the peer's first check came.
func (c *Conn) Checked(at time.Time) { c.reach(&c.steps.Check, at) }

// Steps may be called from anywhere.
func (c *Conn) Steps() Steps {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.steps
}
