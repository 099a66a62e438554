package connection

import "noom/internal/fanout"

// Share is what the peer gets of one sender.
type Share struct {
	Encoding int  // for fanout.Leg.Choose
	Starved  bool // nothing, because the connection takes too little: the table says so
	Above    bool // more than its share, for fanout.Leg.SetAboveShare
	Layers   int  // the highest temporal layer, for fanout.Leg.Limit
}

// Share is called when the owner has changed what the peer gets of a sender.
func (c *Conn) Share(s *fanout.Sender) {
	for _, sec := range c.sections {
		if sec.sender == s {
			c.share(sec)
		}
	}
}

// attach sends the section's sender over its leg.
func (c *Conn) attach(sec *section) {
	sec.leg.Attach(sec.sender)
	if c.moves(sec.sender) {
		sec.leg.OnFlow(c.owner.Kick)
	}
	c.share(sec)
}

// share makes the leg send what the peer is to get. Without a decision it gets everything.
func (c *Conn) share(sec *section) {
	sh, ok := c.shares[sec.sender]
	if !ok {
		return
	}
	sec.leg.Choose(sh.Encoding)
	sec.leg.Limit(sh.Layers)
	sec.leg.SetAboveShare(sh.Above)
	if sec.starved != sh.Starved {
		sec.starved, c.tableDirty = sh.Starved, true
	}
}
