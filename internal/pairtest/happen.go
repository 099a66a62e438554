package pairtest

import (
	"noom/internal/exchange"
	"noom/internal/negotiate"
	"noom/internal/recovery"
)

// This file lets an event happen; events.go says which can.

// Do lets one event happen, with all that the end makes of it at once.
func (w *World) Do(ev Event) {
	i := int(ev.At)
	e := &w.ends[i]
	l := &e.link
	w.tell("%s", w.text(ev))
	if ev.Kind < bounded && (!w.cfg.Wild || ev.Kind != Lose && ev.Kind != Repeat) {
		e.used[ev.Kind]++
		w.spent++
	}
	switch ev.Kind {
	case Join:
		w.join(i)
	case Hear:
		w.hear(i)
	case Receive, Repeat:
		f := w.hub[i][ev.Frame]
		if ev.Kind == Receive {
			w.take(i, int(ev.Frame))
		}
		w.byHub = true
		w.receive(i, f)
	case Lose:
		w.take(i, int(ev.Frame))
	case ReceiveInBand:
		f := w.inBand[i][0]
		w.inBand[i] = without(w.inBand[i], 0)
		w.receive(i, f)
	case LoseInBand:
		w.inBand[i] = without(w.inBand[i], 0)
	case Wish:
		w.publish(i)
	case Restart, Move:
		w.on(i, RecoveryInput{Call: "restart"})
	case Mute:
		e.mutes++
		l.tableDirty = true
	case LoseOld:
		w.pathIs(i, l.old[ev.Frame].number, recovery.NoPath)
	case ConnectOld:
		w.reach(CameUpLate)
		n := l.old[ev.Frame].number
		w.pathIs(i, n, recovery.Found)
		w.on(i, RecoveryInput{Call: "controlOpened", Conn: n})
	case Fail:
		w.giveUp(i)
	case Timeout:
		if l.recovery.State().Armed[recovery.ForPath] {
			w.reach(InVain)
		}
		for _, t := range []recovery.Timer{recovery.ToConnect, recovery.ForPath, recovery.ToReturn} {
			w.elapsed(i, t)
		}
	case NoPath:
		w.pathIs(i, l.conn.number, recovery.NoPath)
	case Begin:
		w.elapsed(i, recovery.Pause)
	case Mend:
		if w.hubReaches(i) {
			w.reach(Mended)
		}
		w.elapsed(i, recovery.ToRestart)
	case LetGo:
		w.letGo(i)
	case Look:
		w.look(i)
	case Deafen:
		l.conn.deaf = true
		if w.cfg.Hubless { // nothing could mend what only one end notices
			w.ends[1-i].link.conn.deaf = true
		}
	case Part:
		w.reach(Parted)
		w.elapsed(i, recovery.Farewell)
	case Resend:
		w.resend(i)
	case Gather:
		l.conn.pending = with(l.conn.pending, l.conn.local)
	case SendCandidates:
		w.sendCandidates(i)
	case StartICE:
		l.conn.started = true
		w.work(i)
	case Connect:
		w.pathIs(i, l.conn.number, recovery.Found)
		w.on(i, RecoveryInput{Call: "dataOpened", Conn: l.conn.number})
	case Interrupted:
		w.pathIs(i, l.conn.number, recovery.Disconnected)
	case Rogue:
		w.exchange(i).Send(exchange.Message{Type: rogueTypes[ev.Frame], Body: l.said[ev.Frame]})
	case Cut:
		w.cut = true
	case Heal:
		w.cut = false
	case HubNotices:
		w.miss(i, byeLost)
	case Again:
		w.notify(i, welcome, w.sees[1-i])
		w.notify(1-i, joined, w.sees[i])
	default:
		w.depart(i, ev.Kind)
	}
	w.forgetEnded()
	if w.x[i] != nil {
		w.flush(i)
	}
	w.byHub = false
	w.purge()
	w.check()
}

// depart is how an end, or the hub, goes.
func (w *World) depart(i int, k Kind) {
	e := &w.ends[i]
	switch k {
	case LoseHub:
		w.disconnect(i)
	case HubRestart:
		w.disconnect(0)
		w.disconnect(1)
		w.sees = [2]int8{}
	case Leave:
		if e.online {
			w.miss(i, byeLeft)
		}
		w.disconnect(i)
		e.here = false
		w.forget(i)
	case Reborn:
		w.disconnect(i)
		w.rebirth(i)
	default:
	}
}

// rebirth makes the end another session.
func (w *World) rebirth(i int) {
	e := &w.ends[i]
	w.forget(i)
	e.session++
	e.lives, e.card = 0, card{}
	e.tracks, e.mutes = w.cfg.Tracks, 0
}

// publish adds a track.
func (w *World) publish(i int) {
	e := &w.ends[i]
	e.tracks++
	l := &e.link
	if !l.recovery.Alive() {
		return
	}
	l.waiting++
	if l.conn.local != (name{}) {
		w.try(i, w.act(i, w.turn(i, TurnInput{Call: "need"}, (*negotiate.Machine).Need), nil))
	}
}

// pathIs says what ICE says of a connection.
func (w *World) pathIs(i int, n recovery.Number, p recovery.Path) {
	w.on(i, RecoveryInput{Call: "pathChanged", Conn: n, Path: p})
}

func (w *World) elapsed(i int, t recovery.Timer) {
	w.on(i, RecoveryInput{Call: "elapsed", Timer: t})
}

// purge forgets frames that nobody can see any more.
func (w *World) purge() {
	for i := range w.ends {
		e := &w.ends[i]
		for len(w.inBand[i]) > 0 && !w.carries(i, e.session, w.inBand[i][0].from, w.inBand[i][0].via) {
			w.inBand[i] = without(w.inBand[i], 0)
		}
		if w.keep {
			continue
		}
		x := w.x[i]
		mute := func(f frame) bool {
			return f.to == e.session && f.from == e.link.session && !f.stale && x != nil &&
				(f.Epoch.Less(x.Epoch()) || f.Epoch == x.Epoch() && f.Seq == 0 && f.Ack <= x.Acked())
		}
		for k := 0; w.cfg.Broken == None && k < len(w.hub[i]); k++ {
			if mute(w.hub[i][k]) {
				w.take(i, k)
				k--
			}
		}
	}
}

// check holds the invariants that are not about a call to the connection.
func (w *World) check() {
	for i := range w.ends {
		if l := &w.ends[i].link; len(l.inbox) > exchange.Window+maxUnbounded {
			w.fail("%s has %d messages to act on", letter(i), len(l.inbox))
		}
	}
	a, b := &w.ends[0].link, &w.ends[1].link
	if w.paired() && a.turn.Turn() && b.turn.Turn() {
		w.fail("both hold the turn of epoch %v", w.epochName(0))
	}
}
