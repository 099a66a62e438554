package connection

import (
	"slices"
	"time"

	"noom/internal/diagnose"
)

// Testify adds what the connection knows to e.
func (c *Conn) Testify(e *diagnose.Evidence) {
	e.Opened, e.Moved = time.Since(c.Since), time.Since(c.pathSince)
	e.Secured, e.TURN = c.secured, c.Servers.HasTURN()
	e.Remote, e.Open = c.remote.ufrag != "", c.turn.State().Open
	e.Ours, e.Theirs = c.local.candidates, c.remote.candidates
	for _, s := range c.sections {
		if s.refused && !slices.Contains(e.Codecs, s.leg.Codec().MimeType) {
			e.Codecs = append(e.Codecs, s.leg.Codec().MimeType)
		}
	}
}

// OffersRelay reports whether one of our candidates is a relay.
func (c *Conn) OffersRelay() bool { return c.local.candidates.Relayed() }
