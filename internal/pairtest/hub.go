package pairtest

import (
	"fmt"

	"noom/internal/exchange"
	"noom/internal/recovery"
)

// This file is the hub, and what an end's room (roster.go of package noom)
// makes of its notices.

// toHub puts a frame on its way to the other end.
func (w *World) toHub(i int, f frame) {
	how := "->"
	if !w.ends[i].online || w.sees[1-i] == 0 || !w.ends[1-i].online {
		how = "-x" // nobody there
	}
	w.tell("  %s %s hub -> %s: %v", letter(i), how, letter(1-i), &f)
	if how == "->" {
		w.put(i, &w.hub[1-i], f)
	}
}

// join connects end i to the hub.
func (w *World) join(i int) {
	e := &w.ends[i]
	other := &w.ends[1-i]
	e.online = true
	w.sees[i], w.hub[i] = e.session, nil
	e.notices = []notice{{kind: joined, session: w.sees[1-i]}}
	c := w.makeCard(i)
	if w.sees[1-i] != 0 && other.online {
		w.notify(1-i, welcome, e.session)
		other.notices[len(other.notices)-1].card = c // notify has copied them
	}
}

// disconnect ends the end's connection to the hub, which need not notice.
func (w *World) disconnect(i int) {
	w.ends[i].online, w.ends[i].notices, w.hub[i] = false, nil, nil
	if w.ends[i].card.made { // its first join has failed, and the next is another session
		w.rebirth(i)
	}
}

// miss makes the hub forget end i and tell the other.
func (w *World) miss(i int, kind noticeKind) {
	if w.ends[1-i].online {
		w.notify(1-i, kind, w.sees[i])
	}
	w.sees[i] = 0
}

// notify tells end i of the other.
func (w *World) notify(i int, kind noticeKind, session int8) {
	e := &w.ends[i]
	e.notices = with(e.notices, notice{kind: kind, session: session, behind: int8(len(w.hub[i]))})
}

// take removes the k-th frame on its way from the hub to end i.
func (w *World) take(i, k int) {
	w.hub[i] = without(w.hub[i], k)
	e := &w.ends[i]
	notices := make([]notice, 0, len(e.notices))
	for _, n := range e.notices {
		if int(n.behind) > k {
			n.behind--
		}
		notices = append(notices, n)
	}
	e.notices = notices
}

// hear takes the hub's next notice.
func (w *World) hear(i int) {
	e := &w.ends[i]
	n := e.notices[0]
	e.notices = without(e.notices, 0)
	w.tell("  hub -> %s: %v", letter(i), n)
	l := &e.link
	switch {
	case n.kind == joined && n.session != 0:
		w.member(i, n.session)
		e.card = card{} // the link has it, or nobody
		w.hubSays(i, "expect")
	case n.kind == joined:
		e.card = card{}
		if l.known {
			w.hubSays(i, "hubLost")
		}
	case n.kind == welcome:
		news := l.session != n.session
		w.member(i, n.session)
		if news && n.card.made {
			w.takeCard(i, n)
		}
		w.hubSays(i, "welcome")
	case n.kind == byeLeft && l.session == n.session && l.known:
		w.hubSays(i, "goodbye")
	case n.kind == byeLeft && l.session == n.session:
		w.forget(i)
	case n.kind == byeLost && l.known && l.session == n.session:
		w.hubSays(i, "hubLost")
	}
}

// hubSays passes on what the hub says of the other.
func (w *World) hubSays(i int, call string) {
	l := &w.ends[i].link
	if w.breaks(HubReturn) && call != "hubLost" && call != "goodbye" && l.recovery.Alive() {
		w.resend(i)
		return
	}
	w.on(i, RecoveryInput{Call: call})
}

// member makes sure that the other, in that session, is in the roster.
func (w *World) member(i int, session int8) {
	l := &w.ends[i].link
	if l.session != session {
		w.forget(i)
		*l = link{session: session, recovery: recovery.New(w.options(i))}
		w.ends[i].lives++
		w.x[i], w.own[i] = exchange.New(letter(i)), true
		l.card, w.ends[i].card = w.ends[i].card, card{}
	}
	if l.recovery.Asleep() {
		w.reach(Woke)
		l.heardVersion = 0
		w.on(i, RecoveryInput{Call: "wake"})
	}
	l.known = true
}

func (w *World) forget(i int) {
	w.ends[i].link = link{}
	w.x[i] = nil
}

// drop puts the link to sleep.
func (w *World) drop(i int) {
	l := &w.ends[i].link
	w.on(i, RecoveryInput{Call: "sleep"})
	l.known = false
	l.heardTracks, l.heardMutes = 0, 0
	w.tell("  %s drops %s", letter(i), letter(1-i))
	w.reach(Slept)
}

// forgetEnded forgets links that are over: the other has said goodbye.
func (w *World) forgetEnded() {
	for i := range w.ends {
		if w.ends[i].link.recovery.Over() {
			w.forget(i)
		}
	}
}

func (w *World) resend(i int) {
	if !w.breaks(Retransmit) {
		w.exchange(i).Resend()
	}
}

// String returns what the hub says.
func (n notice) String() string {
	if n.session == 0 {
		return noticeNames[n.kind] + " nobody"
	}
	return fmt.Sprintf("%s session %d", noticeNames[n.kind], n.session)
}

// epochName is formatted only when somebody reads it.
type epochName exchange.Epoch

// String returns, say, "2A".
func (e epochName) String() string { return fmt.Sprintf("%d%s", e.Number, e.By) }

func (w *World) epochName(i int) epochName { return epochName(w.epoch(i)) }

// String returns the frame as one reads it: what it says, then its number and
// acknowledgement.
func (f *frame) String() string {
	if f.stale {
		return fmt.Sprintf("stale, session %d", f.from)
	}
	what := f.Type
	switch f.Type {
	case "":
		return fmt.Sprintf("ack %d in %d%s", f.Ack, f.Epoch.Number, f.Epoch.By)
	case offer, answer:
		b := decode(f.Body)
		what = fmt.Sprintf("%s %d (ufrag %v, %d tracks)", f.Type, b.id, b.ufrag, b.tracks)
	case candidates:
		b := decode(f.Body)
		what = fmt.Sprintf("candidates of %v", b.ufrag)
	case table:
		b := decode(f.Body)
		what = fmt.Sprintf("table %d", b.version)
	}
	if f.Seq == 0 {
		return what
	}
	return fmt.Sprintf("%s, seq %d ack %d in %d%s", what, f.Seq, f.Ack, f.Epoch.Number, f.Epoch.By)
}
