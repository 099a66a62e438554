package connection

import (
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
	"noom/internal/fault"
)

// This file gives senders their sections, and moves a sender whose codec has changed to a section that carries it. The
// one that it leaves goes on until the other begins, so that the peer's picture does not stop. The table names the
// section to which the sender moves.

// lack is a sender that the peer does not get, in the format that was refused.
type lack struct {
	sender *fanout.Sender
	format webrtc.PayloadType
}

// Publish gives a sender an idle section, or one of its own.
func (c *Conn) Publish(s *fanout.Sender) {
	if c.stage == stageNegotiating { // otherwise the next connection carries it from the start
		c.place(s)
	}
}

// follow moves the senders whose codec has changed.
func (c *Conn) follow() {
	if c.stage != stageNegotiating {
		return
	}
	var changed []*fanout.Sender
	for _, sec := range c.sections {
		if s := sec.sender; s != nil && !sec.leaving && (!sec.leg.Fits(s) || slices.Contains(c.waiting, s)) {
			changed = append(changed, s)
		}
	}
	for _, l := range c.lacking {
		if l.sender.Codec().PayloadType != l.format {
			changed = append(changed, l.sender)
		}
	}
	for _, s := range changed {
		c.place(s)
	}
}

// place gives a sender a section that carries its codec: the one that it has, one that it is about to leave, an idle
// one, or one that is made with the next offer.
func (c *Conn) place(s *fanout.Sender) {
	format := s.Codec().PayloadType // first, so that a change from here on is seen by follow
	c.lacking = slices.DeleteFunc(c.lacking, func(l lack) bool { return l.sender == s })
	if to := c.sectionFor(s); to != nil {
		c.stopWaiting(s)
		c.move(s, to)
		c.Retable()
		return
	}
	if c.refuses(s) {
		c.lack(s, format, refusal(s))
		return
	}
	if !slices.Contains(c.waiting, s) {
		c.waiting = append(c.waiting, s)
	}
	// Before the first description of an epoch that the peer began, its offer is on the way, and ours follows our
	// answer.
	if c.local.ufrag != "" {
		c.Need()
	}
}

// sectionFor returns the best section there is for a sender, nil if there is none.
func (c *Conn) sectionFor(s *fanout.Sender) (idle *section) {
	for _, sec := range c.sections {
		switch {
		case sec.refused || !sec.leg.Fits(s):
		case sec.sender == s:
			return sec
		case sec.sender == nil && idle == nil:
			idle = sec
		}
	}
	return idle
}

// move makes a section that of a sender. It begins to flow there when the peer has the table that says so, unless it
// flows there still.
func (c *Conn) move(s *fanout.Sender, to *section) {
	c.leave(s)
	if to.sender != s {
		to.sender, to.flowing = s, false
	}
	to.leaving, to.announced = false, 0
	to.starved = c.shares[s].Starved
}

// leave is called before a sender gets another section.
func (c *Conn) leave(s *fanout.Sender) {
	for _, sec := range c.sections {
		if sec.sender == s {
			sec.leaving, c.tableDirty = true, true
		}
	}
}

// moves reports whether a sender still flows in a section that it leaves.
func (c *Conn) moves(s *fanout.Sender) bool {
	return slices.ContainsFunc(c.sections, func(sec *section) bool { return sec.sender == s && sec.leaving })
}

// arrive ends the moves of senders that flow in their new sections.
func (c *Conn) arrive() {
	if !slices.ContainsFunc(c.sections, func(sec *section) bool { return sec.leaving }) {
		return
	}
	for _, sec := range c.sections {
		if s := sec.sender; s != nil && !sec.leaving && sec.flowing && c.moves(s) {
			if _, begun := sec.leg.Encoding(); begun {
				c.idle(func(o *section) bool { return o.sender == s && o.leaving })
			}
		}
	}
}

// idle takes the senders off some sections.
func (c *Conn) idle(which func(*section) bool) {
	for _, sec := range c.sections {
		if sec.sender != nil && which(sec) {
			sec.leg.Detach()
			c.tableDirty = c.tableDirty || !sec.leaving
			sec.sender, sec.flowing, sec.leaving = nil, false, false
		}
	}
}

// Unpublish removes a sender; its sections stay for the next ones.
func (c *Conn) Unpublish(s *fanout.Sender) {
	c.stopWaiting(s)
	c.lacking = slices.DeleteFunc(c.lacking, func(l lack) bool { return l.sender == s })
	c.idle(func(sec *section) bool { return sec.sender == s })
}

func (c *Conn) stopWaiting(s *fanout.Sender) {
	c.waiting = slices.DeleteFunc(c.waiting, func(o *fanout.Sender) bool { return o == s })
}

// refuses reports whether the peer does not accept the sender's codec, as far as we know.
func (c *Conn) refuses(s *fanout.Sender) bool {
	return slices.ContainsFunc(c.sections, func(sec *section) bool { return sec.refused && sec.leg.Fits(s) })
}

// refuse takes the sender off a section whose codec the peer does not accept.
func (c *Conn) refuse(sec *section) {
	s, leaving := sec.sender, sec.leaving
	if s == nil {
		return
	}
	format := s.Codec().PayloadType
	c.idle(func(o *section) bool { return o == sec })
	switch {
	case leaving:
	case sec.leg.Fits(s):
		c.lack(s, format, refusal(s))
	default: // it has another codec again
		for _, o := range c.sections {
			if o.sender == s {
				o.leaving = false
				return
			}
		}
	}
}

func refusal(s *fanout.Sender) error {
	return fmt.Errorf("%w: the peer takes no %s", fault.Codec, s.Codec().MimeType)
}

// lack notes that the peer does not get a sender in a format, until that has another codec.
func (c *Conn) lack(s *fanout.Sender, format webrtc.PayloadType, err error) {
	c.Unpublish(s)
	c.lacking = append(c.lacking, lack{s, format})
	c.owner.Refused(s, err)
}
