package pairtest

import (
	"noom/internal/exchange"
	"noom/internal/negotiate"
	"noom/internal/recovery"
)

// This file is about the card of a newcomer: its first offer, which goes with its first join of a session, and with the
// welcome that the other hears.

// card is an end's, as it was made. The zero card is none.
type card struct {
	made   bool
	tracks int8 // in the offer
	mutes  int8
}

// cardEpoch is the epoch of end i's card.
func cardEpoch(i int) exchange.Epoch { return exchange.Epoch{Number: 1, By: letter(i)} }

// cardName names the offer in end i's card of a session, and its ICE generation. No other offer has that name, although
// it is of the same epoch as an offer that i made instead would be.
func cardName(i int, session int8) name {
	return name{session: session, life: 1, epoch: 1, by: int8(i), n: 100}
}

func cardBody(i int, session int8, c card) *body {
	of := cardName(i, session)
	return &body{id: 1, offer: of, ufrag: of, version: 1, mutes: c.mutes, tracks: c.tracks}
}

// makeCard is called when an end joins: the first time in its session it has a card.
func (w *World) makeCard(i int) (c card) {
	e := &w.ends[i]
	if w.cfg.Cards && e.carded != e.session {
		c = card{true, e.tracks, e.mutes}
		e.carded, e.card = e.session, c
	}
	return c
}

// takeCard takes the other's card for its first frame, if there has been none.
func (w *World) takeCard(i int, n notice) {
	if w.epoch(i).Number > 0 {
		return
	}
	m := exchange.Message{Type: offer, Body: cardBody(1-i, n.session, n.card).encode()}
	w.byHub = true
	w.receive(i, frame{Frame: exchange.Frame{Message: m, Epoch: cardEpoch(1 - i), Seq: 1}, from: n.session, to: w.ends[i].session})
}

// answered reports whether the epoch of end i's card has begun, because a frame of it has come.
func (w *World) answered(i int) bool {
	l := &w.ends[i].link
	if l.card.made {
		w.reach(CardAnswered)
		w.tell("  %s begins epoch %v, by its card", letter(i), epochName(cardEpoch(i)))
		w.exchange(i).Begin()
		l.turn = negotiate.Begin()
		w.on(i, RecoveryInput{Call: "begun"})
		return true
	}
	w.fail("%s is answered a card that it has given up", letter(i)) // only a hub could make that of two members
	return false
}

// giveCardUp is called when the link's card is of no use any more, and there has been no epoch.
func (w *World) giveCardUp(i int) {
	l := &w.ends[i].link
	if l.card.made && !w.breaks(CardPassed) {
		w.exchange(i).Pass(cardEpoch(i))
	}
	l.card = card{}
}

// claim makes the connection of end i's card that of its epoch. The offer is as it was when the card was made.
func (w *World) claim(i int, a recovery.Action) {
	e := &w.ends[i]
	l := &e.link
	c := l.card
	l.card = card{}
	l.conn = conn{number: a.Conn, epoch: w.epoch(i), offered: c.tracks}
	w.turn(i, TurnInput{Call: "need"}, (*negotiate.Machine).Need)
	w.pc(i, CreateOffer)
	w.newGeneration(i)
	l.conn.local, l.conn.outstanding = cardName(i, e.session), cardName(i, e.session)
	w.pc(i, SetLocalOffer)
	l.tableVersion = max(l.tableVersion, 1)
	l.tableDirty = l.tableDirty || c.mutes != e.mutes
	w.exchange(i).Sent(exchange.Message{Type: offer, Body: cardBody(i, e.session, c).encode()})
	if l.waiting = e.tracks - c.tracks; l.waiting > 0 {
		w.try(i, w.act(i, w.turn(i, TurnInput{Call: "need"}, (*negotiate.Machine).Need), nil))
	}
}
