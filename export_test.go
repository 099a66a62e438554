package noom

import (
	"context"
	"net/netip"

	"github.com/pion/webrtc/v4"

	"noom/internal/data"
	"noom/internal/engine"
	"noom/internal/link"
	"noom/internal/netwatch"
	"noom/internal/state"
	"noom/signal"
)

// This file is what the tests of package noom_test need of this package beyond its public face.

// Bounds that tests hold the product to.
const (
	AdmitBurst        = admitBurst
	AdmitRate         = admitRate
	MaxMembers        = maxMembers
	MaxPending        = maxPending
	PatienceAtParting = patienceAtParting
	PatienceToDeliver = patienceToDeliver
	PatienceWithHub   = patienceWithHub
)

// LinkOf returns the actor of a peer.
func LinkOf(p Peer) *link.Link { return p.(*peer).link }

// CloseFiles has p take and send no files any longer.
func CloseFiles(p Peer) { p.(*peer).files.Load().close() }

// Drop is what the link of p asks for when its connection is dead.
func Drop(p Peer) { peerHost{p.(*peer)}.Drop() }

// Post has the room's loop run f.
func Post(r Room, f func()) { r.(*room).mail.Post(f) }

// Ending is closed when the room's loop is to end.
func Ending(r Room) <-chan struct{} { return r.(*room).ctx.Done() }

// IDIn returns the id of the peer that an event is about, "" if it is about none.
func IDIn(e Event) string { return e.queueing().peer }

// Say sends a frame to the hub, whatever it says.
func Say(r Room, m signal.Message) { r.(*room).send(m) }

// Ask sends a request to the hub, whatever it says, and waits for the answer.
func Ask(ctx context.Context, r Room, m signal.Message) error { return r.(*room).requests.ask(ctx, m) }

// Listens reports whether anybody's voice is looked at.
func Listens(r Room) bool { return r.(*room).speech.awake.Load() }

// TakeForPublisher has a member publish as if it had the right to.
func TakeForPublisher(r Room) {
	Post(r, func() {
		r.(*room).standing.grant(nil, "")
		r.(*room).published.allow(true)
	})
}

// TakeForViewer has a member publish no more, as if it no longer had the right to.
func TakeForViewer(r Room) {
	Post(r, func() {
		r.(*room).standing.grant(signal.Rights{}, "")
		r.(*room).published.allow(false)
	})
}

// SharedAlone returns how many tracks are shared that only one peer gets.
func SharedAlone(r Room) int {
	n := make(chan int, 1)
	Post(r, func() { n <- len(r.(*room).sharing.own) })
	return <-n
}

// SetRights has r take p for a member with these rights.
func SetRights(r Room, p Peer, rights signal.Rights) { Post(r, func() { LinkOf(p).SetRights(rights) }) }

// JoinKnowing is Join of a member whose engine has these codecs and no others.
func JoinKnowing(ctx context.Context, d Dialer, name string, cfg *Config, media *webrtc.MediaEngine) (Room, error) {
	return joinChanged(ctx, d, name, cfg, func(r *room) (err error) {
		r.engine, err = engine.New(engine.Options{Log: r.log, Media: media, Net: r.cfg.Net, Settings: r.cfg.Settings})
		return err
	})
}

// Watch watches the addresses of a machine.
type Watch func(changed func([]netip.Addr)) (stop func(), err error)

// JoinWatching is Join of a member that watches addresses by watch. It reports too whether it would
// have watched this machine's.
func JoinWatching(ctx context.Context, d Dialer, name string, cfg *Config, watch Watch) (joined Room, watched bool, err error) {
	joined, err = joinChanged(ctx, d, name, cfg, func(r *room) error {
		watched, r.network.watch = r.network.watch != nil, watch
		return nil
	})
	return joined, watched, err
}

// SetClock has r read another clock.
func SetClock(r Room, read func() netwatch.Clock) {
	Post(r, func() { r.(*room).network.readClock = read })
}

func joinChanged(ctx context.Context, d Dialer, name string, cfg *Config, change func(*room) error) (Room, error) {
	r, err := newRoom(d, name, cfg)
	if err != nil {
		return nil, err
	}
	if err := change(r); err != nil {
		return nil, err
	}
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// ForgeState has a member send another one records that it may not make: what somebody else has written under key, with
// another value and a later version, and one of its own that it has signed for another room.
func ForgeState(r Room, to, key string, value []byte) {
	Post(r, func() {
		s := r.(*room).state
		forged := *s.machine.Get(key)
		forged.Value = value
		forged.Version++
		foreign, err := s.machine.Prepare(r.(*room).self.PublicKey, "foreign", value, true, false)
		if err != nil {
			panic(err)
		}
		foreign.Signature = r.(*room).cfg.Identity.sign(foreign.Text("lobby"))
		frame := state.Frame{Type: state.Written, Records: []*state.Record{&forged, foreign}}
		r.(*room).roster.byID[to].link.SendAside(data.AsideState, frame.Encode(), false)
	})
}

// PublicKeyOf returns the key of an identity.
func PublicKeyOf(i Identity) signal.PublicKey { return i.publicKey() }
