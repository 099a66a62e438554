package connection

import (
	"net/netip"
	"slices"

	"github.com/pion/webrtc/v4"
)

// This file examines the candidate pair in use.

func (c *Conn) ice() *webrtc.ICETransport { return c.PC.SCTP().Transport().ICETransport() }

// ByOwnRelay reports whether the path goes, or last went, by a relay of ours.
func (c *Conn) ByOwnRelay() bool {
	pair, err := c.ice().GetSelectedCandidatePair()
	return err == nil && pair != nil && pair.Local.Typ == webrtc.ICECandidateTypeRelay
}

// StartsAt reports whether the path starts at one of these addresses. It reports true if
// that is unknown.
func (c *Conn) StartsAt(addresses []netip.Addr) bool {
	pair, err := c.ice().GetSelectedCandidatePair()
	return err != nil || pair == nil || isAt(pair.Local, addresses)
}

// isAt reports whether a local candidate is at one of these addresses. It reports true if
// that is unknown. Candidates of other types than host count at their related address.
func isAt(c *webrtc.ICECandidate, addresses []netip.Addr) bool {
	at := c.Address
	if c.Typ != webrtc.ICECandidateTypeHost && c.RelatedAddress != "" {
		at = c.RelatedAddress
	}
	addr, err := netip.ParseAddr(at)
	return err != nil || addr.IsUnspecified() || slices.Contains(addresses, addr.Unmap())
}

// Received counts what has arrived by the path: packets, and answers to ICE's checks.
func (c *Conn) Received() uint64 {
	stats, ok := c.ice().GetSelectedCandidatePairStats()
	if !ok {
		return 0
	}
	return uint64(stats.PacketsReceived) + stats.ResponsesReceived
}
