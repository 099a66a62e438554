package noom

import (
	"net/netip"

	"noom/internal/recovery"
)

// This file is the part of a link that looks at its path when the network may have changed.

// doubt has the path restarted if nothing comes by it within a moment.
func (l *link) doubt() { l.postEvent((*recovery.Machine).Doubted) }

func (l *link) comparePath() {
	if l.conn.Received() == l.sample {
		l.trace("nothing comes by the path any more")
		l.on((*recovery.Machine).Silent)
	}
}

// addressesAre has the path restarted at once if the address that it begins at is
// gone, or if it was being mended anyway.
func (l *link) addressesAre(addresses []netip.Addr) {
	l.mail.Post(func() {
		gone := false
		if c := l.conn; !l.recovery.Broken() && l.up(c) && addresses != nil {
			if gone = !c.StartsAt(addresses); gone {
				l.trace("the path's address is gone")
			}
		}
		l.on(func(m *recovery.Machine) []recovery.Action { return m.NetworkChanged(gone) })
	})
}
