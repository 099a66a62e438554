package noomtest

import (
	"fmt"
	"strings"
	"testing/synctest"
	"time"

	"noom"
	"noom/signal"
)

// session is one Room as its trace shows it. World.mu guards it.
type session struct {
	host   *host
	id     string // the member's
	room   string
	line   *line // the latest
	ours   bool  // joined by World.Join
	online bool  // has joined on line
	over   bool
	pairs  map[string]*pair // by the other's member id
}

// pair is what a session thinks of another member.
type pair struct {
	stated bool
	state  noom.PeerState
	epoch  signal.Epoch
	sent   int64 // highest number sent in the epoch
	acked  int64 // highest number acknowledged
}

// joins is called for each join that a line carries.
func (w *World) joins(l *line, m *signal.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := signal.MemberID(m.Key)
	w.owners[id] = l.host.name
	if s := w.sessions[m.Session]; s != nil {
		s.line, s.online = l, false
		return
	}
	s := &session{host: l.host, id: id, room: m.Room, line: l, pairs: make(map[string]*pair)}
	w.sessions[m.Session] = s
	w.order = append(w.order, s)
}

// observe is called for all that a Room on h does.
func (w *World) observe(h *host, e noom.Trace) {
	w.transcript.Name(e.Self.ID, h.name)
	w.transcript.Record(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sessions[e.Self.Session]
	if s == nil {
		return // before its first join
	}
	if m := e.Message; m == nil || m.Type != signal.TypePing && m.Type != signal.TypePong {
		w.moved++
	}
	p := s.pairs[e.Peer.ID]
	if p == nil && e.Peer.ID != "" {
		p = &pair{}
		s.pairs[e.Peer.ID] = p
	}
	switch {
	case e.Kind == noom.TraceOver:
		s.over, s.online = true, false
	case e.Kind == noom.TraceReceived && e.Message.Type == signal.TypeJoined:
		s.online = true
	case e.Kind == noom.TraceState:
		p.stated, p.state = true, e.State
	case e.Kind == noom.TraceSent && p != nil:
		p.enter(e.Message.Epoch)
		p.sent = max(p.sent, e.Message.Seq)
	case e.Kind == noom.TraceReceived && p != nil:
		p.enter(e.Message.Epoch)
		if e.Message.Epoch == p.epoch {
			p.acked = max(p.acked, e.Message.Ack)
		}
	}
}

// enter takes the pair to a higher epoch.
func (p *pair) enter(e signal.Epoch) {
	if e.Number > p.epoch.Number || e.Number == p.epoch.Number && e.By > p.epoch.By {
		p.epoch, p.sent, p.acked = e, 0, 0
	}
}

// Settle waits until nothing moves: every member that can reach a hub is at one, every two members
// of a room at the same hub are connected, no signaling frame is under way or unacknowledged, and
// it stays so for as long as a packet takes there and back, and a tenth of a second. It fails the
// test if that does not happen in two virtual minutes, with the members that are not settled and
// why.
//
// Media and data may go on moving. What was sent before has arrived, unless
// the network has lost it.
func (w *World) Settle() {
	w.t.Helper()
	w.SettleWithin(2 * time.Minute)
}

// SettleWithin is [World.Settle] with a bound of its own.
func (w *World) SettleWithin(bound time.Duration) {
	w.t.Helper()
	w.alive("Settle")
	const step = 10 * time.Millisecond
	calm := 2*(max(w.options.latency, w.net.signaling)+w.options.jitter) + 100*time.Millisecond
	begun := time.Now()
	moved, quietSince := -1, begun
	for {
		w.pause()
		unsettled := w.unsettled()
		now := w.count()
		if len(unsettled) > 0 || now != moved {
			moved, quietSince = now, time.Now()
		}
		if time.Since(quietSince) >= calm {
			return
		}
		if time.Since(begun) > bound {
			if len(unsettled) == 0 {
				unsettled = []string{"signaling never pauses: does a member publish or mute in a loop?"}
			}
			w.bubble.connections.Store(true)
			w.t.Fatalf("noomtest: not settled after %v:\n  %s", bound, strings.Join(unsettled, "\n  "))
		}
		time.Sleep(step)
	}
}

// pause is synctest.Wait, which may not be called twice at one time. A goroutine waits for its turn
// in a way that a bubble can see.
func (w *World) pause() {
	w.waiting <- struct{}{}
	synctest.Wait()
	<-w.waiting
}

func (w *World) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.moved
}

// unsettled says what is still moving, or must be.
func (w *World) unsettled() []string {
	hubUp := false
	for _, h := range w.hubs {
		hubUp = hubUp || h.Running() != nil
	}
	list := w.faults.holding()
	w.mu.Lock()
	for _, s := range w.order {
		if !s.over {
			list = append(list, w.movingIn(s, hubUp)...)
		}
	}
	w.mu.Unlock()
	if len(list) > 0 {
		for _, cut := range w.net.cuts() {
			list = append(list, "the network is cut from "+cut+": call Heal")
		}
		if !hubUp {
			list = append(list, "no hub is running: call Start")
		}
	}
	return list
}

// movingIn says what is moving in one session. It needs w.mu.
func (w *World) movingIn(s *session, hubUp bool) []string {
	var list []string
	atHub := s.atHub()
	if !s.line.idle() {
		list = append(list, s.host.name+": a frame is on its way to or from the hub")
	}
	if !atHub && hubUp && !s.host.isOffline() {
		list = append(list, s.host.name+" is not at the hub")
	}
	for _, o := range w.order {
		if o == s || o.over || o.room != s.room || o.id == s.id {
			continue
		}
		name := s.host.name + " to " + o.host.name
		p := s.pairs[o.id]
		switch {
		case p == nil || !p.stated:
			if atHub && o.atHub() && s.line.hub == o.line.hub {
				list = append(list, name+": not connected yet"+w.hint(s, o))
			}
		case p.state == noom.PeerClosed:
			if atHub && o.atHub() && s.line.hub == o.line.hub {
				list = append(list, name+": gone, though both are at the hub")
			}
		case p.state != noom.PeerConnected:
			list = append(list, fmt.Sprintf("%s: %s%s", name, p.state, w.hint(s, o)))
		case p.sent > p.acked:
			list = append(list, fmt.Sprintf("%s: frame %d of epoch %d is not acknowledged", name, p.acked+1, p.epoch.Number))
		}
	}
	return list
}

// apart reports whether a member is not at its hub, or two members of a room are not connected.
func (w *World) apart() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.order {
		if s.over {
			continue
		}
		if !s.atHub() {
			return true
		}
		for _, o := range w.order {
			if o == s || o.over || o.room != s.room || o.id == s.id {
				continue
			}
			if p := s.pairs[o.id]; p == nil || !p.stated || p.state != noom.PeerConnected {
				return true
			}
		}
	}
	return false
}

// hint says why two members may never connect.
func (w *World) hint(a, b *session) string {
	if a.host.nat == SymmetricNAT && b.host.nat >= PortRestrictedNAT || b.host.nat == SymmetricNAT && a.host.nat >= PortRestrictedNAT {
		if !w.options.turn {
			return fmt.Sprintf(" (%s and %s need a TURN server: add noomtest.WithTURN)", a.host.nat, b.host.nat)
		}
	}
	return ""
}

func (s *session) atHub() bool { return s.online && s.line.over() == nil }

func (h *host) isOffline() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.offline || h.silent
}
