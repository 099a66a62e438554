package noom

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pion/webrtc/v4"
)

// This file is the part of a link that looks at its path when the network may have changed.

const pathAnswers = 2 * time.Second // or ICE is restarted: more than a keepalive and its answer take

// doubt has the path restarted if nothing comes by it within a moment.
func (l *link) doubt() {
	l.mail.Post(func() {
		c := l.conn
		if l.broken || !c.up() {
			return
		}
		ice := c.pc.SCTP().Transport().ICETransport()
		before := received(ice)
		l.later(&l.doubtful, pathAnswers, func() {
			if l.conn == c && !l.broken && c.up() && received(ice) == before {
				l.trace("nothing comes by the path any more")
				l.giveUpPath()
			}
		})
	})
}

// addressesAre has the path restarted at once if the address that it begins at is
// gone, or if it was being mended anyway.
func (l *link) addressesAre(addresses []netip.Addr) {
	l.mail.Post(func() {
		c := l.conn
		switch {
		case c == nil || l.broken || !l.wasUp:
			return
		case !c.up():
			l.restart()
			return
		}
		pair, err := c.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
		if err == nil && pair != nil && addresses != nil && !begins(pair.Local, addresses) {
			l.trace("the path's address is gone")
			l.giveUpPath()
		}
	})
}

// giveUpPath restarts ICE before ICE itself notices; without a hub that is for
// its return to do.
func (l *link) giveUpPath() {
	l.conn.path = webrtc.ICEConnectionStateDisconnected // nothing is said over it any more
	l.setState(PeerInterrupted, nil)
	l.restart()
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
