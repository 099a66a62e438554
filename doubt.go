package noom

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/netwatch"
	"noom/internal/recovery"
)

// This file acts when the network may have changed under a call: an address
// came or went, or the machine has slept. Without it the same is noticed by
// silence, which takes some seconds more. The hub is asked for a sign of life first, for it has
// to carry what mends the rest; each peer's path is watched for one meanwhile.

const (
	hubAnswers    = time.Second     // or its connection is given up
	clockEvery    = 2 * time.Second // between two looks at the clock
	neverSettling = 8               // changes that may wait for the loop
)

// The room's part; its loop calls what follows, but for NetworkChanged.

// watchClock looks at the clock now and then, as long as the room lasts.
func (r *room) watchClock(before netwatch.Clock) {
	time.AfterFunc(clockEvery, func() {
		r.mail.Post(func() {
			now := r.readClock()
			if d := netwatch.Slept(before, now, clockEvery); d > 0 {
				r.log.Info("the machine has slept", "for", d.Round(time.Second))
				r.traceNote(Member{}, "the machine has slept", "for", d.Round(time.Second))
				r.doubt(nil)
			}
			r.watchClock(now)
		})
	})
}

// watchNetwork begins to look after the addresses of this machine, once there
// is a connection, unless they are not what connections use.
func (r *room) watchNetwork() {
	if r.watchAddresses == nil {
		return
	}
	watch := r.watchAddresses
	r.watchAddresses = nil
	stop, err := watch(func(addresses []netip.Addr) {
		if r.doubts.Add(1) > neverSettling {
			r.doubts.Add(-1)
			return
		}
		if !r.mail.Post(func() { r.doubts.Add(-1); r.doubt(addresses) }) {
			r.doubts.Add(-1)
		}
	})
	if err != nil {
		r.log.Info("changes of the network are not watched", "error", err)
		return
	}
	r.background(func() {
		<-r.ctx.Done()
		stop()
	})
}

// NetworkChanged is explained at [Room].
func (r *room) NetworkChanged() { r.mail.Post(func() { r.doubt(nil) }) }

// doubt has everything looked at. addresses are those there are now, nil if
// that is not known.
func (r *room) doubt(addresses []netip.Addr) {
	r.traceNote(Member{}, "the network may have changed")
	r.inDoubt, r.addresses = true, addresses
	for _, l := range r.links {
		l.doubt()
	}
	r.askHub()
}

// askHub asks the hub for a sign of life, without which its connection is
// given up; a pause before a redial is cut short. Called from anywhere.
func (r *room) askHub() {
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

// hubAnswered is told when the hub has said something that we waited for.
func (r *room) hubAnswered() {
	if r.inDoubt {
		r.inDoubt = false
		for _, l := range r.links {
			l.addressesAre(r.addresses)
		}
	}
}

// The links' part.

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
