package noom

import (
	"time"

	"noom/internal/connection"

	"github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/engine"
	"noom/internal/negotiate"
	"noom/internal/recovery"
)

// This file is the part of a link that begins epochs and gives them up, when
// the machine says so.

// fail gives this epoch up: the next begins after a pause that grows.
func (l *link) fail(err error) {
	l.told = err
	l.on((*recovery.Machine).Fail)
}

func (l *link) beginEpoch() {
	if !l.frames.Begin() {
		l.on((*recovery.Machine).Exhausted)
		return
	}
	l.conduct.Build(time.Now()) // which the machine has waited for
	l.trace("epoch begun", "number", l.frames.Epoch())
	l.on((*recovery.Machine).Begun)
}

// build makes the connection of a new epoch.
func (l *link) build(number recovery.Number, ours bool) {
	l.failedBy = nil
	c, err := l.open(number, ours)
	if err != nil {
		l.told = err
		l.on((*recovery.Machine).Unbuilt)
		return
	}
	l.conn = c
	l.planRelay()
	l.room.mail.Post(l.room.watchNetwork)
	l.stream.Rebuilt()
	l.show(c)
	if ours {
		c.Need()
	}
}

// open makes a connection for the link's current epoch.
func (l *link) open(number recovery.Number, ours bool) (*connection.Conn, error) {
	servers := l.room.servers()
	var c *connection.Conn
	bounds := conduct.NewGuard(func(err error) { l.mail.Post(func() { l.flooded(c, err) }) })
	pacer := conduct.NewPacer(l.conduct.Checks, conduct.Everybody)
	api, err := l.room.engine.API(engine.Bounds{
		Interceptor: bounds, Buffer: bounds.Buffer,
		Net: func(inner transport.Net) transport.Net { return conduct.NewPacedNet(inner, pacer, bounds) },
	})
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
	c, err = connection.New(connection.Config{
		Number: number, PC: pc, Owner: connHost{l}, Mail: l.mail, Log: l.log, Self: l.room.self.ID, Turn: turn, Senders: l.senders,
		Servers: servers, Own: conduct.NetworksOf(l.room.engine), Budget: l.budget,
	})
	return c, err
}

// flooded ends the connection of a peer that floods us. The next is made
// after a pause that another session does not shorten.
func (l *link) flooded(c *connection.Conn, err error) {
	if l.recovery.Over() || c == nil || l.connection(c.Number) != c {
		return
	}
	l.log.Warn("the peer floods us; its connection is ended", "error", err)
	l.conduct.Fault(time.Now())
	l.told = err
	l.on(func(m *recovery.Machine) []recovery.Action { return m.Spoiled(c.Number) })
}

func (l *link) setState(s PeerState, err error) {
	l.mu.Lock()
	l.state = s
	l.mu.Unlock()
	l.log.Info("peer", "state", s.String())
	l.room.trace.state(l.Member(), s, err)
	l.tell(PeerStateChanged{Peer: l, State: s, Err: err})
}

// tell adds an event about this peer, unless it has left.
func (l *link) tell(e Event) { l.tellTaken(e, nil) }

// tellTaken is tell; taken is called when the event is delivered.
func (l *link) tellTaken(e Event, taken func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.gone {
		l.room.events.addTaken(e, taken)
	}
}
