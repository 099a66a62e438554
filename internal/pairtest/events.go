package pairtest

import (
	"fmt"

	"noom/internal/exchange"
	"noom/internal/recovery"
)

// Events appends all that may happen next.
func (w *World) Events(to []Event) []Event {
	for i := range w.ends {
		to = w.wishes(to, i)
		to = w.deliveries(to, i)
		to = w.timers(to, i)
	}
	if w.may(0, HubRestart) && w.sees != [2]int8{} {
		to = append(to, Event{Kind: HubRestart})
	}
	if w.may(0, Cut) && !w.cut {
		to = append(to, Event{Kind: Cut})
	}
	if w.cut {
		to = append(to, Event{Kind: Heal})
	}
	return to
}

func (w *World) may(i int, k Kind) bool {
	return w.ends[i].used[k] < w.cfg.Bounds[k] && (w.cfg.Most == 0 || w.spent < w.cfg.Most) && (i == 0 || !w.cfg.Alone)
}

// wishes are what users, networks and other accidents do to end i.
func (w *World) wishes(to []Event, i int) []Event {
	e := &w.ends[i]
	l := &e.link
	alive := l.recovery.Alive()
	for k := range bounded {
		if !w.may(i, k) || !e.here {
			continue
		}
		var can bool
		switch k {
		case Wish, Leave:
			can = true
		case Mute:
			can = l.known
		case Restart:
			can = alive && w.hubReaches(i)
		case Move:
			can = alive && l.up() && !w.hubReaches(i) && w.cfg.Channel
		case Fail:
			can = l.known && !l.recovery.Broken()
		case Timeout:
			can = w.patient(i) && w.calm()
		case NoPath:
			can = w.pathless(i) && w.calm()
		case Reborn, LoseHub:
			can = e.online
		case Again:
			other := &w.ends[1-i]
			can = e.online && other.online && w.sees[i] == e.session && w.sees[1-i] == other.session
		case Gather:
			can = alive && l.conn.local != name{}
		case Deafen:
			can = l.unproven() && !l.conn.deaf && (!w.cfg.Hubless || w.paired() && w.ends[1-i].link.unproven())
		case Rogue:
			for said := range l.said {
				if alive && l.said[said] != nil {
					to = append(to, Event{k, uint8(i), uint8(said)})
				}
			}
		default:
		}
		if can {
			to = append(to, Event{Kind: k, At: uint8(i)})
		}
	}
	return to
}

// deliveries are what the paths may do to end i.
func (w *World) deliveries(to []Event, i int) []Event {
	e := &w.ends[i]
	at := uint8(i)
	first := len(w.hub[i]) // of the frames that a notice is ahead of
	if len(e.notices) > 0 {
		first = int(e.notices[0].behind)
		if first == 0 || w.cfg.Jumbled {
			to = append(to, Event{Kind: Hear, At: at})
		}
	}
	for k := range w.hub[i] {
		if w.cfg.Wild || w.may(i, Lose) {
			to = append(to, Event{Lose, at, uint8(k)})
		}
		if k > w.cfg.Reorder || !w.cfg.Jumbled && k >= first {
			continue
		}
		to = append(to, Event{Receive, at, uint8(k)})
		if w.cfg.Wild || w.may(i, Repeat) {
			to = append(to, Event{Repeat, at, uint8(k)})
		}
	}
	if len(w.inBand[i]) > 0 {
		f := &w.inBand[i][0]
		if w.arrives(i, f) {
			to = append(to, Event{Kind: ReceiveInBand, At: at})
		}
		if !w.carries(1-i, f.from, f.to, f.via) || e.link.iceOf(f.via).deaf {
			to = append(to, Event{Kind: LoseInBand, At: at})
		}
	}
	return to
}

// arrives reports whether a frame toward end i gets there by its connection.
func (w *World) arrives(i int, f *frame) bool {
	if !w.carries(i, f.to, f.from, f.via) || w.ends[i].link.iceOf(f.via).deaf {
		return false
	}
	if w.paired() && w.epoch(i) == f.via {
		return w.path()
	}
	return !w.cut && w.carries(1-i, f.from, f.to, f.via)
}

// timers are what end i does by itself, sooner or later.
func (w *World) timers(to []Event, i int) []Event {
	e := &w.ends[i]
	l := &e.link
	c := &l.conn
	at := uint8(i)
	if e.here && !e.online && !w.cfg.Hubless {
		to = append(to, Event{Kind: Join, At: at})
	}
	if w.sees[i] != 0 && (!e.online || w.sees[i] != e.session) {
		to = append(to, Event{Kind: HubNotices, At: at})
	}
	armed := l.recovery.State().Armed
	if armed[recovery.Pause] {
		to = append(to, Event{Kind: Begin, At: at})
	}
	if armed[recovery.ToRestart] && w.calm() {
		to = append(to, Event{Kind: Mend, At: at})
	}
	if (armed[recovery.Settle] || armed[recovery.Proof]) && w.calm() {
		to = append(to, Event{Kind: Look, At: at})
	}
	if armed[recovery.Farewell] {
		to = append(to, Event{Kind: Part, At: at})
	}
	// Who has connected waits for the other to, at least so long.
	if armed[recovery.Linger] && w.ends[1-i].link.up() && w.paired() {
		to = append(to, Event{Kind: LetGo, At: at})
	}
	for k, o := range l.old {
		if w.cut || !w.carries(1-i, l.session, e.session, o.epoch) {
			to = append(to, Event{LoseOld, at, uint8(k)})
		}
		if !l.recovery.Up(o.number) && w.pathOver(o.epoch) {
			to = append(to, Event{ConnectOld, at, uint8(k)})
		}
	}
	if !l.recovery.Alive() {
		return to
	}
	if w.x[i].Pending() && w.calm() {
		to = append(to, Event{Kind: Resend, At: at})
	}
	if len(c.pending) > 0 && c.local != (name{}) && w.x[i].Room() {
		to = append(to, Event{Kind: SendCandidates, At: at})
	}
	if !c.started && c.local != (name{}) && c.remote != (name{}) {
		to = append(to, Event{Kind: StartICE, At: at})
	}
	if !l.up() && w.path() {
		to = append(to, Event{Kind: Connect, At: at})
	}
	if l.up() && !w.path() && (w.cut || w.paired() || !w.carries(1-i, l.session, e.session, w.epoch(i))) {
		to = append(to, Event{Kind: Interrupted, At: at})
	}
	return to
}

// hubReaches reports whether frames can be hoped to reach the other by hub.
func (w *World) hubReaches(i int) bool { return w.ends[i].online && !w.ends[i].link.recovery.Lost() }

// patient reports whether end i waits for a connection to come up, or a restart to help.
func (w *World) patient(i int) bool {
	armed := w.ends[i].link.recovery.State().Armed
	return armed[recovery.ToConnect] || armed[recovery.ForPath] || armed[recovery.ToReturn]
}

// pathless reports whether ICE at end i may find that there is no path.
func (w *World) pathless(i int) bool {
	l := &w.ends[i].link
	p := l.recovery.Path()
	return l.recovery.Alive() && l.conn.started && !w.path() && (p == recovery.Checking || p == recovery.Disconnected)
}

// moving reports whether anything is on its way.
func (w *World) moving() bool {
	for i := range w.ends {
		if len(w.hub[i]) > 0 || len(w.inBand[i]) > 0 && w.arrives(i, &w.inBand[i][0]) {
			return true
		}
	}
	return false
}

// paired reports whether the two connections are of one epoch.
func (w *World) paired() bool {
	a, b := &w.ends[0], &w.ends[1]
	return a.link.conn.open() && b.link.conn.open() && w.epoch(0) == w.epoch(1) &&
		a.link.session == b.session && b.link.session == a.session
}

// calm reports whether a long timer may end.
func (w *World) calm() bool { return !w.cfg.Lazy || !w.moving() }

// path reports whether ICE can find, or has, a way between the two.
func (w *World) path() bool { return w.paired() && w.pathOver(w.epoch(0)) }

// pathOver is path for the connection of an epoch: each knows the other's
// credentials.
func (w *World) pathOver(e exchange.Epoch) bool {
	a, b := w.ends[0].link.iceOf(e), w.ends[1].link.iceOf(e)
	return !w.cut && a.started && b.started && a.remote == b.local && b.remote == a.local
}

// text is an event as transcripts have it.
func (w *World) text(ev Event) string {
	s := ev.String()
	switch ev.Kind {
	case Receive, Repeat, Lose:
		return fmt.Sprintf("%s (%v)", s, &w.hub[ev.At][ev.Frame])
	case ReceiveInBand, LoseInBand:
		return fmt.Sprintf("%s (%v)", s, &w.inBand[ev.At][0])
	default:
		return s
	}
}

// String is the event as scripts have it.
func (ev Event) String() string {
	if ev.Kind == HubRestart || ev.Kind == Cut || ev.Kind == Heal {
		return kindNames[ev.Kind]
	}
	s := letter(int(ev.At)) + " " + kindNames[ev.Kind]
	if ev.Frame > 0 {
		s += fmt.Sprintf(" #%d", ev.Frame)
	}
	return s
}
