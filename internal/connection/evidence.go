package connection

import (
	"slices"
	"time"

	"noom/internal/diagnose"
)

// Testify adds to e what the connection knows.
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

// OffersRelay reports whether a relay of ours is among the candidates gathered.
func (c *Conn) OffersRelay() bool { return c.local.candidates.Relayed() }
