package link

import (
	"cmp"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/connection"
	"noom/internal/negotiate"
	"noom/internal/payloads"
	"noom/internal/recovery"
	"noom/internal/repair"
	"noom/internal/traffic"
	"noom/signal"
)

// This file begins epochs and closes connections, when the machine says so.

// fail gives this epoch up; the next one begins after a pause, which grows each time.
func (l *Link) fail(err error) {
	l.failure = err
	l.on((*recovery.Machine).Fail)
}

func (l *Link) beginEpoch() {
	l.giveCardUp()
	if !l.frames.Begin() {
		l.on((*recovery.Machine).Exhausted)
		return
	}
	l.cfg.Conduct.Build(time.Now()) // the machine has waited until it may
	l.trace("epoch begun", "number", l.frames.Epoch())
	l.on((*recovery.Machine).Begun)
}

// build makes the connection of a new epoch.
func (l *Link) build(number recovery.Number, ours bool) {
	l.findings.givenUpFor = nil
	c, err := l.open(number, ours)
	if err != nil {
		l.failure = err
		l.on((*recovery.Machine).Unbuilt)
		return
	}
	l.conns.current = c
	l.planRelay()
	l.host.WatchNetwork()
	l.Stream.Rebuilt()
	l.wants.renew()
	l.show(c)
	if ours && l.frames.Queued() == 0 { // otherwise the offer was a card
		c.Need()
	}
}

// open makes a connection for the current epoch.
func (l *Link) open(number recovery.Number, ours bool) (*connection.Conn, error) {
	if ours && l.card != nil { // what begins an epoch of ours otherwise has discarded it
		return l.claim(number), nil
	}
	l.discardCard()
	servers := l.host.Servers()
	var c *connection.Conn
	hooks := newHooks(conduct.NewPacer(l.cfg.Conduct.Checks, conduct.Everybody), l.host.SharesReports(),
		func(err error) { l.mail.Post(func() { l.flooded(c, err) }) },
		func(at time.Time) { l.mail.Post(func() { c.Checked(at) }) })
	api, err := l.host.NewAPI(hooks.Hooks)
	if err != nil {
		return nil, err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		ICEServers:           servers.List,
		ICECandidatePoolSize: 1, // gathering begins now, not with the description
	})
	if err != nil {
		return nil, err
	}
	var turn negotiate.Machine
	if ours {
		turn = negotiate.Begin()
	}
	var expects []string // of the peer's, which offers itself what we do not
	if ours {
		expects = l.expects()
	}
	c, err = connection.New(connection.Config{
		Number: number, PC: pc, Owner: connHost{l}, Mail: l.mail, Log: l.log, Self: l.cfg.Self.ID, Turn: turn,
		Senders: l.senders, Shares: l.shares, Expects: expects,
		Servers: servers, Networks: l.cfg.Networks(), Budget: l.cfg.Budget, Packets: hooks.Packets,
		Repair: hooks.Repair, Answers: hooks.Answers, Reports: hooks.reports, Traffic: hooks.Traffic, Codecs: l.cfg.Codecs,
		Prefer: l.cfg.Prefer,
	})
	return c, err
}

// hooks are those of a new connection, with its reports.
type hooks struct {
	Hooks

	reports *connection.Reports
}

// newHooks makes the hooks of a new connection. flooded is called if the peer floods us, checked at its first check.
func newHooks(checks *conduct.Pacer, sharesReports bool, flooded func(error), checked func(at time.Time)) hooks {
	bounds := conduct.NewGuard(flooded)
	h := hooks{
		Hooks: Hooks{
			Guard: bounds, Checks: checks, Packets: new(payloads.Packets), Repair: repair.NewAsker(), Answers: repair.NewAnswerer(),
			Traffic: traffic.New(traffic.Options{Share: sharesReports}),
			Checked: sync.OnceFunc(func() { checked(time.Now()) }),
		},
		reports: new(connection.Reports),
	}
	bounds.Reports(h.Traffic.Report)
	bounds.Waits(h.reports.Arrived)
	return h
}

// expects returns the MIME types, or kinds, of what the peer publishes: what its table says, and before that the hub.
func (l *Link) expects() (list []string) {
	if !l.may(signal.RightPublish) {
		return nil
	}
	if !l.Tracks.Told() {
		return l.sends
	}
	for _, t := range l.Tracks.List() {
		list = append(list, cmp.Or(t.Codec().MimeType, t.Kind().String()))
	}
	return list
}

// closeConn closes a connection that the machine no longer needs.
func (l *Link) closeConn(n recovery.Number) {
	c := l.conns.numbered(n)
	if c == nil {
		return // it could not be made
	}
	if l.conns.discard(c) {
		l.show(nil)
	} else if !l.recovery.Reachable() {
		l.goodbyes.end()
	}
}

// flooded closes the connection of a peer that floods us. The next one is made after a pause, which a new session of
// the member does not shorten.
func (l *Link) flooded(c *connection.Conn, err error) {
	if l.recovery.Over() || c == nil || l.conns.numbered(c.Number) != c {
		return
	}
	l.log.Warn("the peer floods us; its connection is ended", "error", err)
	l.cfg.Conduct.Fault(time.Now())
	l.failure = err
	l.on(func(m *recovery.Machine) []recovery.Action { return m.Spoiled(c.Number) })
}
