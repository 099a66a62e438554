package noom

import (
	"slices"
	"time"

	"noom/internal/conduct"
	"noom/internal/fanout"
	"noom/internal/inbound"
	"noom/signal"
)

// This file is the part of a link that says what flows where: our sections
// and table, the peer's table and the tracks that follow from it.

// publish adds a sender. Called from anywhere.
func (l *link) publish(s *fanout.Sender) {
	l.mail.Post(func() {
		l.senders = append(l.senders, s)
		if l.conn != nil {
			l.conn.Publish(s)
		}
	})
}

// publishAlone adds a sender for this peer only, which ends with the peer.
func (l *link) publishAlone(s *fanout.Sender) {
	if !l.mail.Post(func() { l.own = append(l.own, s) }) {
		_ = s.Close()
		return
	}
	l.publish(s)
}

// unpublish removes a sender.
func (l *link) unpublish(s *fanout.Sender) {
	l.mail.Post(func() {
		is := func(o *fanout.Sender) bool { return o == s }
		l.senders = slices.DeleteFunc(l.senders, is)
		l.own = slices.DeleteFunc(l.own, is)
		if l.conn != nil {
			l.conn.Unpublish(s)
		}
	})
}

// retable says that a sender's row has changed, or whether it sends stereo.
func (l *link) retable() {
	l.mail.Post(func() {
		if l.conn != nil {
			l.conn.Retable()
		}
	})
}

// applyTable makes the peer's tracks what its table says.
func (l *link) applyTable(t *signal.Table) {
	added, muted := l.tracks.News(t)
	if !l.conduct.Work.AllowN(time.Now(), added*conduct.TrackCost+muted) {
		l.fail(errTables)
		return
	}
	l.tracksChanged(l.tracks.Take(t, l.may(RightPublish), l.conn.Inbounds))
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
