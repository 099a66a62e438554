package noom

import (
	"net/netip"
	"slices"

	"github.com/pion/webrtc/v4"

	"noom/internal/recovery"
)

// This file is the part of a link that looks at its path when the network may have changed.

// doubt has the path restarted if nothing comes by it within a moment.
func (l *link) doubt() { l.postEvent((*recovery.Machine).Doubted) }

func (l *link) comparePath() {
	if received(l.conn.pc.SCTP().Transport().ICETransport()) == l.sample {
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
			pair, err := c.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
			if gone = err == nil && pair != nil && !begins(pair.Local, addresses); gone {
				l.trace("the path's address is gone")
			}
		}
		l.on(func(m *recovery.Machine) []recovery.Action { return m.NetworkChanged(gone) })
	})
}

// begins reports whether c is at one of these addresses, as far as that can
// be told: candidates of other types than host name the address they were found from.
func begins(c *webrtc.ICECandidate, addresses []netip.Addr) bool {
	at := c.Address
	if c.Typ != webrtc.ICECandidateTypeHost && c.RelatedAddress != "" {
		at = c.RelatedAddress
	}
	addr, err := netip.ParseAddr(at)
	return err != nil || addr.IsUnspecified() || slices.Contains(addresses, addr.Unmap())
}

// received counts what has come by the path: packets, and answers to ICE's checks.
func received(ice *webrtc.ICETransport) uint64 {
	stats, ok := ice.GetSelectedCandidatePairStats()
	if !ok {
		return 0
	}
	return uint64(stats.PacketsReceived) + stats.ResponsesReceived
}
