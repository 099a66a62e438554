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
	clockInterval    = 2 * time.Second // between two looks at the clock
	maxNetworkDoubts = 8               // changes that may wait for the loop
)

// network acts when the network may have changed under a call: an address
// came or went, or the machine has slept. Without it the same is noticed by
// silence, which takes some seconds more. The hub is asked for a sign of life first, because it
// has to carry what mends the rest; each peer's path is watched for one meanwhile. Its
// methods are the room's loop's.
type network struct {
	mail   *mailbox.Mailbox // the room's
	roster *roster
	askHub func() // for a sign of life
	log    *slog.Logger
	note   func(msg string, args ...any)
	ctx    context.Context // ends with the room
	tasks  func(func())    // runs something that the end of the room waits for

	watch     func(func([]netip.Addr)) (func(), error) // watches addresses; nil: not, or already
	readClock func() netwatch.Clock

	doubts    atomic.Int32 // posted and not yet taken
	inDoubt   bool         // the hub has been asked for a sign of life, and paths are looked at then
	addresses []netip.Addr // of this machine, nil if not known
}

// watchClock looks at the clock now and then, as long as the room lasts.
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

// watchAddresses begins to look after the addresses of this machine, once there
// is a connection, unless they are not what connections use.
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
		n.log.Info("changes of the network are not watched", "error", err)
		return
	}
	n.tasks(func() {
		<-n.ctx.Done()
		stop()
	})
}

// doubt has everything looked at. addresses are those there are now, nil if
// that is not known.
func (n *network) doubt(addresses []netip.Addr) {
	n.note("the network may have changed")
	n.inDoubt, n.addresses = true, addresses
	n.roster.eachPresent(func(p *peer) { p.link.Doubt() })
	n.askHub()
}

// hubAnswered is called when the hub has said something that we waited for.
func (n *network) hubAnswered() {
	if n.inDoubt {
		n.inDoubt = false
		n.roster.eachPresent(func(l *peer) { l.link.AddressesAre(n.addresses) })
	}
}
