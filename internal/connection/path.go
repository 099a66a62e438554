package connection

import (
	"net/netip"
	"slices"

	"github.com/pion/webrtc/v4"
)

// This file examines the candidate pair in use.

func (c *Conn) ice() *webrtc.ICETransport { return c.PC.SCTP().Transport().ICETransport() }

// ByOwnRelay reports whether the path goes, or last went, through a relay of ours.
func (c *Conn) ByOwnRelay() bool {
	pair, err := c.ice().GetSelectedCandidatePair()
	return err == nil && pair != nil && pair.Local.Typ == webrtc.ICECandidateTypeRelay
}

// StartsAt reports whether the path starts at one of these addresses; true if that is not known.
func (c *Conn) StartsAt(addresses []netip.Addr) bool {
	pair, err := c.ice().GetSelectedCandidatePair()
	return err != nil || pair == nil || isAtAddress(pair.Local, addresses)
}

// isAtAddress reports whether a local candidate is at one of these addresses; true if that is not known. Candidates of
// types other than host name the address from which they were found.
func isAtAddress(c *webrtc.ICECandidate, addresses []netip.Addr) bool {
	at := c.Address
	if c.Typ != webrtc.ICECandidateTypeHost && c.RelatedAddress != "" {
		at = c.RelatedAddress
	}
	addr, err := netip.ParseAddr(at)
	return err != nil || addr.IsUnspecified() || slices.Contains(addresses, addr.Unmap())
}

// Carried counts the packets that have arrived over the path and are not ICE's own: those of DTLS, and so of SCTP, and
// of media.
func (c *Conn) Carried() uint64 {
	stats, _ := c.ice().GetSelectedCandidatePairStats()
	return uint64(stats.PacketsReceived)
}

// Received counts what has arrived over the path: packets, and responses to ICE's checks.
func (c *Conn) Received() uint64 {
	stats, ok := c.ice().GetSelectedCandidatePairStats()
	if !ok {
		return 0
	}
	return uint64(stats.PacketsReceived) + stats.ResponsesReceived
}
