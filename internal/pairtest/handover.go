package pairtest

import (
	"slices"

	"noom/internal/exchange"
)

// This file does for an end what handover.go does in the root package: a
// connection of an epoch before serves until the next is up.

func (w *World) hubReaches(i int) bool { return w.ends[i].online && !w.ends[i].link.lost }

// maxOld is how many connections serve at most; so many epochs may begin before one is up.
const maxOld = 2

// setAside makes the connection, of epoch e, serve until the next is up.
func (w *World) setAside(i int, e exchange.Epoch) {
	l := &w.ends[i].link
	if w.cfg.Channel && l.conn.open && !w.breaks(Keep) {
		before := l.old[max(0, len(l.old)-maxOld+1):]
		if w.breaks(KeepTwo) {
			before = nil
		}
		l.old, l.conn = with(before, e), conn{}
		w.tell("  %s keeps its connection of epoch %v", letter(i), epochName(e))
	}
}

// carriers returns the epochs of the connections that a frame goes by: the
// newest that works, all of them if it is not the first time.
func (w *World) carriers(i int, again bool) []exchange.Epoch {
	l := &w.ends[i].link
	all := l.old
	if w.cfg.Channel && l.conn.up {
		all = with(all, w.epoch(i))
	}
	if !again && len(all) > 1 {
		all = all[len(all)-1:]
	}
	return all
}

// carries reports whether end i still has the connection that a frame of its
// and the other's session went by.
func (w *World) carries(i int, ours, theirs int8, via exchange.Epoch) bool {
	end := &w.ends[i]
	l := &end.link
	return end.session == ours && l.session == theirs &&
		(l.conn.open && w.epoch(i) == via || slices.Contains(l.old, via))
}

// loseOld ends a connection of an epoch before.
func (w *World) loseOld(i, k int) {
	l := &w.ends[i].link
	l.old = without(l.old, k)
	if len(l.old) == 0 && l.broken && l.lost {
		w.drop(i)
	}
}
