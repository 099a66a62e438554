package pairtest

import (
	"noom/internal/exchange"
	"noom/internal/negotiate"
)

// This file, frames.go and recovery.go do for an end what the loop of package link does:
// they carry out what the machines say. Functions have the names they have there.

const (
	offer      = "offer"
	answer     = "answer"
	candidates = "candidates"
	ask        = "ask"
	grant      = "grant"
	table      = "table"
)

// Negotiation.

func (w *World) work(i int) {
	l := &w.ends[i].link
	for len(l.inbox) > 0 && !l.recovery.Broken() && !w.mustWait(i) {
		m := l.inbox[0]
		l.inbox = without(l.inbox, 0)
		w.try(i, w.handle(i, m))
	}
}

func (w *World) mustWait(i int) bool {
	l := &w.ends[i].link
	description := l.inbox[0].Type == offer || l.inbox[0].Type == answer
	if !description || l.conn.remote == (name{}) || l.conn.started {
		return false
	}
	w.reach(Waited)
	return !w.breaks(Patience)
}

func (w *World) handle(i int, m exchange.Message) bool {
	l := &w.ends[i].link
	w.tell("  %s acts on %v", letter(i), &frame{Frame: exchange.Frame{Message: m}})
	switch m.Type {
	case offer, answer:
		return w.described(i, m)
	case ask:
		if !l.turn.Turn() {
			w.reach(AskedMoot)
		}
		return w.act(i, w.turn(i, TurnInput{Call: "asked"}, (*negotiate.Machine).Asked), nil)
	case grant:
		l.conn.asked = false
		return w.act(i, w.turn(i, TurnInput{Call: "granted"}, (*negotiate.Machine).Granted), nil)
	case candidates:
		w.addCandidates(i, decode(m.Body))
	case table:
		b := decode(m.Body)
		l.applyTable(&b)
	}
	return true
}

func (w *World) described(i int, m exchange.Message) bool {
	l := &w.ends[i].link
	in := decode(m.Body)
	var actions []negotiate.Action
	if m.Type == offer {
		restarts := l.conn.remote != (name{}) && l.conn.remote != in.ufrag
		actions = w.turn(i, TurnInput{"offered", in.id, restarts}, func(m *negotiate.Machine) []negotiate.Action {
			return m.Offered(in.id, restarts)
		})
	} else {
		id := in.id
		if w.breaks(AnswerID) {
			id = l.turn.State().Local
		}
		actions = w.turn(i, TurnInput{Call: "answered", ID: id}, func(m *negotiate.Machine) []negotiate.Action { return m.Answered(id) })
	}
	if !w.act(i, actions, &in) {
		return false
	}
	if l.waiting == 0 {
		return true
	}
	return w.act(i, w.turn(i, TurnInput{Call: "need"}, (*negotiate.Machine).Need), nil)
}

// turn asks the end's turn machine.
func (w *World) turn(i int, in TurnInput, call func(*negotiate.Machine) []negotiate.Action) []negotiate.Action {
	m := &w.ends[i].link.turn
	before := m.State()
	actions := call(m)
	if w.watch != nil {
		w.watch.Turn(before, in, actions, m.State())
	}
	if w.breaks(HandOver) {
		s := m.State()
		for _, a := range actions {
			switch a.Kind {
			case negotiate.Offer:
				s.Turn = true
			case negotiate.Answer:
				s.Turn = before.Turn
			default:
			}
		}
		*m = negotiate.Restore(s)
	}
	return actions
}

func (w *World) act(i int, actions []negotiate.Action, in *body) bool {
	for _, a := range actions {
		switch a.Kind {
		case negotiate.Offer:
			w.offer(i, a.ID, a.Restart)
		case negotiate.Answer:
			w.answer(i, in)
		case negotiate.Apply:
			w.apply(i, in)
		case negotiate.Ask:
			c := &w.ends[i].link.conn
			if c.asked {
				w.fail("%s asks again", letter(i))
			}
			c.asked = true
			if !w.breaks(Ask) {
				w.queue(i, ask, nil, false)
			}
		case negotiate.Grant:
			if !w.breaks(GrantTurn) {
				w.queue(i, grant, nil, false)
			}
		case negotiate.Rebuild:
			if w.cfg.Bounds[Rogue] == 0 {
				w.fail("%s finds that %s broke the rules", letter(i), letter(1-i))
			}
			return false
		}
		if w.err != nil {
			return true
		}
	}
	return true
}

// pc calls the connection of end i.
func (w *World) pc(i int, op Operation) {
	c := &w.ends[i].link.conn
	next, ok := After(c.signaling, op)
	if !ok {
		w.fail("%s calls %v in %v", letter(i), op, c.signaling)
		return
	}
	if next != c.signaling {
		w.tell("  %s %v: %v", letter(i), op, next)
	}
	c.signaling = next
}

func (w *World) offer(i int, id int64, restart bool) {
	e := &w.ends[i]
	c := &e.link.conn
	c.offered, e.link.waiting = e.tracks, 0
	if restart = restart && e.link.recovery.MayRestart(); restart {
		w.regather(i)
	}
	w.pc(i, CreateOffer)
	if restart || c.local == (name{}) {
		w.newGeneration(i)
	}
	w.pc(i, SetLocalOffer)
	c.outstanding = w.named(i, int8(id))
	w.describe(i, offer, id, c.outstanding, restart)
}

// rogueTypes are the messages that a rogue says again, long after.
var rogueTypes = [2]string{answer, candidates}

func (w *World) remember(i, what int, b *body) {
	if w.cfg.Bounds[Rogue] > 0 {
		w.ends[i].link.said[what] = b.encode()
	}
}

// regather is called before ICE restarts: what was gathered belongs to the
// generation that ends.
func (w *World) regather(i int) {
	l := &w.ends[i].link
	w.on(i, RecoveryInput{Call: "restarted"})
	if !w.breaks(RestartClears) {
		l.conn.pending = nil
	}
}

// newGeneration gives the connection new ICE credentials. The pair in use is
// gone with the old ones, which the end need not notice at once.
func (w *World) newGeneration(i int) {
	c := &w.ends[i].link.conn
	c.generation++
	c.local, c.deaf = w.named(i, c.generation), false
}

func (w *World) answer(i int, in *body) {
	l := &w.ends[i].link
	c := &l.conn
	if c.local == (name{}) || c.remote != in.ufrag {
		if c.local != (name{}) {
			w.regather(i)
		}
		w.newGeneration(i)
	}
	c.asked = false
	w.setRemote(i, SetRemoteOffer, in)
	w.pc(i, CreateAnswer)
	w.pc(i, SetLocalAnswer)
	w.describe(i, answer, in.id, in.offer, false)
	l.applyTable(in)
	w.startICE(i)
}

func (w *World) apply(i int, in *body) {
	l := &w.ends[i].link
	if in.offer != l.conn.outstanding {
		w.fail("%s applies the answer to offer %v to its offer %v", letter(i), in.offer, l.conn.outstanding)
	}
	w.setRemote(i, SetRemoteAnswer, in)
	l.conn.agreed, l.conn.outstanding = l.conn.offered, name{}
	l.applyTable(in)
	w.startICE(i)
}

func (w *World) setRemote(i int, op Operation, in *body) {
	l := &w.ends[i].link
	c := &l.conn
	if here := w.named(i, 0); in.ufrag.session != l.session || in.ufrag.epoch != here.epoch || in.ufrag.by != here.by {
		w.fail("%s applies a description of session %d, epoch %v in session %d, epoch %v",
			letter(i), in.ufrag.session, in.ufrag, l.session, w.epochName(i))
	}
	if c.remote != (name{}) && !c.started {
		w.fail("%s applies a description before ICE has started on the last", letter(i))
	}
	if op == SetRemoteOffer {
		c.received = in.tracks
	}
	c.remote = in.ufrag
	w.pc(i, op)
}

// startICE lets ICE begin, now or later.
func (w *World) startICE(i int) {
	if !w.cfg.SlowICE {
		w.ends[i].link.conn.started = true
	}
}

func (w *World) describe(i int, kind string, id int64, of name, hubOnly bool) {
	e := &w.ends[i]
	e.link.tableVersion++
	e.link.tableDirty = false
	b := &body{
		id: id, offer: of, ufrag: e.link.conn.local,
		version: e.link.tableVersion, mutes: e.mutes, tracks: e.link.conn.offered,
	}
	w.queue(i, kind, b, hubOnly)
	if kind == answer {
		w.remember(i, 0, b)
	}
}

func (w *World) sendTable(i int) {
	e := &w.ends[i]
	l := &e.link
	if !l.tableDirty || l.recovery.Broken() || l.conn.local == (name{}) || !w.x[i].Room() {
		return
	}
	l.tableVersion++
	l.tableDirty = false
	w.queue(i, table, &body{version: l.tableVersion, mutes: e.mutes, tracks: l.conn.offered}, false)
}

func (l *link) applyTable(b *body) {
	if b.version > l.heardVersion {
		l.heardVersion, l.heardMutes, l.heardTracks = b.version, b.mutes, b.tracks
	}
}

// Candidates.

func (w *World) sendCandidates(i int) {
	c := &w.ends[i].link.conn
	for len(c.pending) > 0 && w.x[i].Room() {
		b := &body{ufrag: c.local, found: c.pending[0]}
		w.queue(i, candidates, b, false)
		w.remember(i, 1, b)
		c.pending = without(c.pending, 0)
	}
}

func (w *World) addCandidates(i int, b body) {
	c := &w.ends[i].link.conn
	if b.ufrag != c.remote && !w.breaks(CandidateTag) {
		w.tell("  %s drops candidates of %v", letter(i), b.ufrag)
		return
	}
	if c.remote == (name{}) {
		w.fail("%s adds a candidate before there is a remote description", letter(i))
	}
	if b.found != c.remote {
		w.fail("%s adds a candidate of generation %v to %v", letter(i), b.found, c.remote)
	}
}
