package noom

import (
	"slices"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
	"noom/signal"
)

// This file is the part of a link that says what flows where: our sections
// and table, the peer's table and the tracks that follow from it.

// publish adds a sender. Called from anywhere.
func (l *link) publish(s *fanout.Sender) {
	l.mail.Post(func() {
		l.senders = append(l.senders, s)
		if l.conn != nil {
			l.conn.publish(s)
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

func (l *link) trackByID(id string) *remoteTrack {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.tracks, func(t *remoteTrack) bool { return t.id == id }); i >= 0 {
		return l.tracks[i]
	}
	return nil
}

// receiving takes a section of the peer's that pion has set up.
func (l *link) receiving(mid string, in *inbound) { in.assign(l.trackByID(l.rows[mid])) }

// applyTable makes the peer's tracks what its table says, and tells the
// difference.
func (l *link) applyTable(t *signal.Table) {
	if t.Version <= l.heardVersion {
		return
	}
	if !l.conduct.work.AllowN(time.Now(), l.tableCost(t)) {
		l.fail(errWork)
		return
	}
	l.heardVersion, l.heard = t.Version, t
	l.takeTable()
}

// tableCost is what a table makes us, and the application, do: in frames.
func (l *link) tableCost(t *signal.Table) (cost int) {
	for _, row := range t.Tracks {
		track := l.trackByID(row.ID)
		switch {
		case track == nil:
			cost += trackCost
		case track.Muted() != row.Muted:
			cost++
		}
	}
	return cost
}

// takeTable makes tracks of the table heard last: of none of its rows if the peer
// has no right to publish, which nobody but the receivers can enforce.
func (l *link) takeTable() {
	rows := l.heard.Tracks
	if len(rows) > 0 && !l.may(RightPublish) {
		l.log.Info("tracks not taken: the peer may not publish", "tracks", len(rows))
		rows = nil
	}
	var tracks []*remoteTrack
	var events []Event
	clear(l.rows)
	for mid, row := range rows {
		l.rows[mid] = row.ID
		track := l.trackByID(row.ID)
		if track == nil {
			track = newRemoteTrack(row.ID, row.Name, webrtc.NewRTPCodecType(row.Kind), row.Muted)
			events = append(events, TrackAdded{Peer: l, Track: track})
		} else if track.setMuted(row.Muted) {
			events = append(events, TrackMuted{Peer: l, Track: track, Muted: row.Muted})
		}
		tracks = append(tracks, track)
	}
	l.setTracks(tracks)
	for mid, in := range l.conn.inbounds {
		in.assign(l.trackByID(l.rows[mid]))
	}
	for _, e := range events {
		l.tell(e)
	}
}

// setTracks replaces the list and ends those that are no longer in it.
func (l *link) setTracks(tracks []*remoteTrack) {
	slices.SortFunc(tracks, byNameAndID)
	l.mu.Lock()
	if l.gone {
		tracks = nil
	}
	old := l.tracks
	l.tracks = tracks
	l.mu.Unlock()
	for _, t := range old {
		if !slices.Contains(tracks, t) {
			t.close()
			l.tell(TrackRemoved{Peer: l, Track: t})
		}
	}
}
