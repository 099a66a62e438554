package hub

import (
	"time"

	"github.com/go-json-experiment/json"

	"noom/internal/ownership"
	"noom/signal"
)

// This file is a room of a cluster at the hub of some of its members: what the owner of the room says to them.

func (p *shared) actAsEdge(a *ownership.Action) {
	switch a.Kind {
	case ownership.Send:
		if a.Message.Type != ownership.TypeRenew {
			p.spoke = recently
		}
		p.fleet.send(a.To, a.Message)
	case ownership.Enter:
		for g := range p.guestsOf(a.Conns) {
			g.hear(answer{})
		}
	case ownership.Join:
		for g := range p.guestsOf(a.Conns) {
			p.rejoin(g, a)
		}
	case ownership.Again:
		for g := range p.guestsOf(a.Conns) {
			p.deferred(g, a.Body)
		}
	case ownership.Deliver:
		p.pass(a)
	case ownership.End:
		for g := range p.guestsOf(a.Conns) {
			p.dismissOne(g, signal.Reason(a.Reason), 0)
		}
	case ownership.Resume:
		p.wake()
	default: // Pause: the machine is not ready, and readers wait for that
	}
}

func (p *shared) guestsOf(conns []int64) func(yield func(*guest) bool) {
	return func(yield func(*guest) bool) {
		for _, n := range conns {
			if g := p.guests[n]; g != nil && !yield(g) {
				return
			}
		}
	}
}

// hear gives the room's word to a connection that waits for it.
func (g *guest) hear(a answer) {
	if g.asks != nil {
		g.asks <- a // has room for it
		g.asks = nil
	}
}

// A deferral is what the owner wants first: a proof, or that the connection asks again after a wait.
type deferral struct {
	Wait int64 `json:"wait,omitzero"` // milliseconds; 0: a proof
}

func (p *shared) deferred(g *guest, body []byte) {
	var d deferral
	if err := json.Unmarshal(body, &d); err != nil {
		p.fleet.ignore(err)
	}
	if d.Wait > 0 {
		g.hear(answer{verdict: early, wait: time.Duration(d.Wait) * time.Millisecond})
	} else {
		g.hear(answer{verdict: contested})
	}
}

// pass gives what the room delivers to connections here.
func (p *shared) pass(a *ownership.Action) {
	m, err := p.decode(a.Body)
	if err != nil {
		p.fleet.ignore(err)
		if m = *errorFrame(signal.Errorf(signal.CodeFailed, "", "the hub cannot read what another has sent")); !a.Last {
			return
		}
	}
	for g := range p.guestsOf(a.Conns) {
		switch {
		case a.Last:
			p.passLast(g, &m)
		case m.Type == signal.TypeJoined:
			p.push(g, g.complete(&m))
		default:
			p.push(g, &m)
		}
	}
}

// push puts a frame into a connection's outbox. A connection that is full is cut, and leaves the room.
func (p *shared) push(g *guest, m *signal.Message) {
	frame, err := m.Encode()
	switch {
	case err != nil:
		g.conn.refuse(signal.Errorf(signal.CodeTooBig, m.Type, "with what the hub adds: %v", err))
	case g.conn.outbox.push(m, len(frame)):
		return
	default:
		g.conn.tooSlow()
	}
	p.drop(g)
	p.run(p.machine.Gone(g.conn.number, string(signal.ReasonLost)))
}

// passLast gives a connection its last frame.
func (p *shared) passLast(g *guest, m *signal.Message) {
	refusal := m.Err()
	switch {
	case g.asks == nil && m.Reason == signal.ReasonLeft:
		g.conn.finish(m, nil) // its bye was posted
	case g.asks == nil:
		g.conn.finish(m, endedBy(m))
	case refusal == nil:
		refusal = signal.Errorf(signal.CodeFailed, signal.TypeJoin, "the room ended with %s", m.Reason)
		fallthrough
	default:
		g.hear(answer{refusal: refusal})
	}
	p.drop(g)
}

// dismissOne ends a connection for a reason, of which it is told, and after how long to come back.
func (p *shared) dismissOne(g *guest, why signal.Reason, retry time.Duration) {
	var refusal *signal.Error
	switch {
	case why == ownership.ReasonFailed:
		refusal = signal.Errorf(signal.CodeFailed, "", "no hub has the room; come back later")
	case g.asks != nil && why == signal.ReasonKicked:
		refusal = signal.Errorf(signal.CodeKicked, signal.TypeJoin, "this member was removed from the room")
	case g.asks != nil:
		refusal = p.fleet.hub.shuttingDown()
	}
	switch {
	case g.asks != nil:
		g.hear(answer{refusal: refusal})
	case refusal != nil:
		g.conn.refuse(refusal)
	default:
		bye := goodbye(&g.member, why)
		bye.Retry = retry.Milliseconds()
		g.conn.finish(bye, &ByeError{why})
	}
	p.drop(g)
}

func (p *shared) drop(g *guest) {
	delete(p.guests, g.conn.number)
	p.wake()
}

// complete returns the joined that the owner has made, with what this hub adds.
func (g *guest) complete(m *signal.Message) *signal.Message {
	own := g.joined
	full := &signal.Message{
		Type: signal.TypeJoined, Self: m.Self, Members: m.Members, Locked: m.Locked, Place: m.Place,
		Heartbeat: own.Heartbeat, Limits: own.Limits, ICEServers: own.ICEServers, Lifetime: own.Lifetime, Nonce: own.Nonce,
	}
	if full.Lifetime > 0 {
		full.Lifetime = max(1, full.Lifetime-time.Since(g.given).Milliseconds())
	}
	return full
}

// rejoinPace is how often a member takes joined again, and one less at once.
var rejoinPace = pace{7, time.Second}

// rejoin tells a member what its room is after that has moved.
func (p *shared) rejoin(g *guest, a *ownership.Action) {
	again := &signal.Message{}
	err := rejoin(again, a.Roster, a.Place, p.machine.Locked())
	if err != nil {
		p.fleet.ignore(err)
	}
	if _, ok := g.rejoins.take(rejoinPace, 1, time.Now(), 0); !ok || err != nil {
		p.dismissOne(g, signal.ReasonRestart, 0)
		p.run(p.machine.Gone(g.conn.number, string(signal.ReasonLost)))
		return
	}
	g.member = *again.Self
	g.hear(answer{}) // if the word that it is a member was lost
	p.push(g, g.complete(again))
}

// served notes that a member has been given other ICE servers.
func (p *shared) served(c *conn, m *signal.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.guests[c.number]; g != nil {
		joined := *g.joined // which may wait to be written
		joined.ICEServers, joined.Lifetime = m.ICEServers, m.Lifetime
		g.joined, g.given = &joined, time.Now()
	}
}
