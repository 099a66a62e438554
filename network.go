package noom

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"noom/internal/mailbox"
	"noom/internal/netwatch"
)

const (
	clockInterval    = 2 * time.Second // between two checks of the clock
	maxNetworkDoubts = 8               // changes that may wait for the loop
)

// network acts when the network may have changed during a call: an address came or went, or the machine was asleep.
// Without it, noom would notice only that nothing arrives, which takes some seconds more. It asks the hub for a sign of
// life first, because the hub has to carry what repairs the rest; meanwhile each link watches its path for one. The
// room's loop calls its methods.
type network struct {
	mail   *mailbox.Mailbox // the room's
	roster *roster
	askHub func() // for a sign of life
	log    *slog.Logger
	note   func(msg string, args ...any)
	ctx    context.Context // ends with the room
	tasks  func(func())    // runs a function that the end of the room waits for

	watch     func(func([]netip.Addr)) (func(), error) // watches addresses; nil: not to be, or already called
	readClock func() netwatch.Clock

	doubts    atomic.Int32 // posted and not yet taken by the loop
	inDoubt   bool         // the hub was asked for a sign of life; paths are checked when it has answered
	addresses []netip.Addr // of this machine, nil if not known
}

// NetworkChanged is explained at [Room].
func (r *room) NetworkChanged() { r.mail.Post(func() { r.network.doubt(nil) }) }

// watchClock checks the clock at intervals, as long as the room lasts.
func (n *network) watchClock(before netwatch.Clock) {
	time.AfterFunc(clockInterval, func() {
		n.mail.Post(func() {
			now := n.readClock()
			if d := netwatch.Slept(before, now, clockInterval); d > 0 {
				n.log.Info("the machine has slept", "for", d.Round(time.Second))
				n.note("the machine has slept", "for", d.Round(time.Second))
				n.doubt(nil)
			}
			n.watchClock(now)
		})
	})
}

// watchAddresses begins to watch the addresses of this machine, once there is a connection, unless connections do not
// use them.
func (n *network) watchAddresses() {
	if n.watch == nil {
		return
	}
	watch := n.watch
	n.watch = nil
	stop, err := watch(func(addresses []netip.Addr) {
		if n.doubts.Add(1) > maxNetworkDoubts {
			n.doubts.Add(-1)
			return
		}
		if !n.mail.Post(func() { n.doubts.Add(-1); n.doubt(addresses) }) {
			n.doubts.Add(-1)
		}
	})
	if err != nil {
		n.log.Info("network changes are not watched", "error", err)
		return
	}
	n.tasks(func() {
		<-n.ctx.Done()
		stop()
	})
}

// doubt begins to check the hub and all paths. addresses are this machine's, nil if they are not known.
func (n *network) doubt(addresses []netip.Addr) {
	n.note("the network may have changed")
	n.inDoubt, n.addresses = true, addresses
	n.roster.eachPresent(func(p *peer) { p.link.Doubt() })
	n.askHub()
}

// hubAnswered is called when the hub has given a sign of life.
func (n *network) hubAnswered() {
	if n.inDoubt {
		n.inDoubt = false
		n.roster.eachPresent(func(l *peer) { l.link.AddressesAre(n.addresses) })
	}
}
