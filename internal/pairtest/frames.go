package pairtest

import (
	"noom/internal/exchange"
	"noom/internal/negotiate"
	"noom/internal/recovery"
)

// This file does for an end what package frames does.

func (w *World) receive(i int, f frame) {
	e := &w.ends[i]
	l := &e.link
	checked := !w.breaks(SessionCheck)
	switch {
	case !l.known:
		return
	case f.to != e.session && checked:
		if !f.stale {
			w.tell("  %s answers stale", letter(i))
			w.reach(Staled)
			w.toHub(i, frame{stale: true, from: e.session, to: f.from})
		}
		return
	case f.stale:
		if f.from != l.session {
			w.tell("  %s learns that %s is another run now", letter(i), letter(1-i))
			w.reach(Corrected)
			w.member(i, f.from)
			w.hubSays(i, "welcome")
		}
		return
	case f.from != l.session && checked:
		w.tell("  %s drops it: of another session", letter(i))
		return
	}
	x := w.exchange(i)
	if x.Ahead(f.Epoch) && l.recovery.MustWait() {
		w.on(i, RecoveryInput{Call: "peerBegins"})
	}
	if f.Epoch == cardEpoch(i) && x.Ahead(f.Epoch) && w.cfg.Cards && !w.answered(i) {
		return
	}
	x = w.exchange(i)
	if w.breaks(EpochCheck) && f.Epoch.Less(x.Epoch()) {
		f.Epoch = x.Epoch()
	}
	seen, old := x.Got(), x.Epoch()
	messages, renewed, ok := x.Receive(f.Frame)
	if !ok {
		w.tell("  %s drops it: not of epoch %v", letter(i), w.epochName(i))
	}
	if f.Seq > 0 && (w.breaks(Suppression) && ok && f.Seq <= seen || w.breaks(Order) && f.Seq > seen+1) {
		messages = append(messages, f.Message)
	}
	switch {
	case f.Epoch == old && f.Seq > seen+1:
		w.reach(CameEarly)
	case f.Epoch == old && f.Seq > 0 && f.Seq <= seen:
		w.reach(CameAgain)
	}
	if renewed {
		w.reach(TakenOver)
		if old.Number == f.Epoch.Number {
			w.reach(Crossed)
			if len(l.old) > 0 {
				w.reach(MovedBoth)
			}
		}
		via := recovery.Number(0)
		if f.via != (exchange.Epoch{}) && f.via == l.conn.epoch {
			via = l.conn.number
			w.reach(Moved)
		}
		w.tell("  %s takes epoch %v over", letter(i), w.epochName(i))
		l.turn = negotiate.Machine{}
		w.on(i, RecoveryInput{Call: "renewed", Conn: via})
	}
	if !l.recovery.Alive() {
		return
	}
	for _, m := range messages {
		l.inbox = with(l.inbox, m)
	}
	w.work(i)
}

func (w *World) flush(i int) {
	l := &w.ends[i].link
	if !l.conn.open() {
		return
	}
	if !l.recovery.Broken() {
		w.sendTable(i)
		w.exchange(i).Press()
		for _, f := range w.exchange(i).Flush() {
			w.send(i, f)
		}
	}
	w.byHub = false
}

func (w *World) send(i int, f exchange.Frame) {
	e := &w.ends[i]
	g := frame{Frame: f, from: e.session, to: e.link.session}
	inBand := false
	for _, via := range w.carriers(i, f.Again) {
		if f.HubOnly {
			break
		}
		inBand = true
		g.via = via
		w.tell("  %s ~> %s: %v", letter(i), letter(1-i), &g)
		if !w.cut || f.Seq > 0 {
			w.put(i, &w.inBand[1-i], g)
		}
	}
	g.via = exchange.Epoch{}
	if !inBand || f.Again || w.byHub {
		if f.HubOnly && !e.online {
			w.reach(Stuck)
			e.link.conn.stuck = true
		}
		if inBand {
			w.reach(BothPaths)
		}
		w.toHub(i, g)
	}
}

// put adds end i's frame to those on their way, unless the very same is there.
func (w *World) put(i int, to *[]frame, f frame) {
	if w.cfg.Lazy && f.Seq == 0 && !f.stale {
		w.receive(1-i, f)
		return
	}
	for k := range *to {
		if g := &(*to)[k]; f.same(g) || w.cfg.Lazy && f.Seq == g.Seq && f.Epoch == g.Epoch && f.from == g.from && f.to == g.to {
			return
		}
	}
	if len(*to) < w.cfg.Cap {
		*to = with(*to, f)
	}
}

func (w *World) queue(i int, kind string, b *body, hubOnly bool) {
	m := exchange.Message{Type: kind, HubOnly: hubOnly}
	if b != nil {
		m.Body = b.encode()
	}
	x := w.exchange(i)
	x.Send(m)
	if n := x.Queued() - x.Acked(); n > exchange.Window+maxUnbounded {
		w.fail("%s has %d messages queued", letter(i), n)
	}
}

// maxUnbounded is how many messages may be queued that do not ask for room
// first: the turn allows no more of them.
const maxUnbounded = 4
