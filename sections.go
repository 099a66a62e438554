package noom

import (
	"slices"
	"time"

	"noom/internal/inbound"
	"noom/signal"
)

// This file is the part of a link that says what flows where: our sections
// and table, the peer's table and the tracks that follow from it.

// publish adds a sender. Called from anywhere.
func (l *link) publish(s *sender) {
	l.mail.Post(func() {
		l.senders = append(l.senders, s)
		if l.conn != nil {
			l.conn.publish(s)
		}
	})
}

// publishAlone adds a sender for this peer only, which ends with the peer.
func (l *link) publishAlone(s *sender) {
	if !l.mail.Post(func() { l.own = append(l.own, s) }) {
		_ = s.Close()
		return
	}
	l.publish(s)
}

// unpublish removes a sender.
func (l *link) unpublish(s *sender) {
	l.mail.Post(func() {
		is := func(o *sender) bool { return o == s }
		l.senders = slices.DeleteFunc(l.senders, is)
		l.own = slices.DeleteFunc(l.own, is)
		if l.conn != nil {
			l.conn.unpublish(s)
		}
	})
}

// retable says that a sender's row has changed, or whether it sends stereo.
func (l *link) retable() {
	l.mail.Post(func() {
		if l.conn != nil {
			l.conn.retable()
		}
	})
}

// applyTable makes the peer's tracks what its table says.
func (l *link) applyTable(t *signal.Table) {
	added, muted := l.tracks.News(t)
	if !l.conduct.work.AllowN(time.Now(), added*trackCost+muted) {
		l.fail(errWork)
		return
	}
	l.tracksChanged(l.tracks.Take(t, l.may(RightPublish), l.conn.inbounds))
}

// tracksChanged reports what has changed in the peer's tracks.
func (l *link) tracksChanged(d inbound.Diff) {
	if d.Withheld > 0 {
		l.log.Info("tracks not taken: the peer may not publish", "tracks", d.Withheld)
	}
	for _, t := range d.Removed {
		l.tell(TrackRemoved{Peer: l, Track: t})
	}
	for _, t := range d.Added {
		l.tell(TrackAdded{Peer: l, Track: t})
	}
	for _, t := range d.Muted {
		l.tell(TrackMuted{Peer: l, Track: t, Muted: t.Muted()})
	}
}
