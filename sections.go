package noom

import (
	"fmt"
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
		if l.conn == nil || l.broken {
			return // the next connection carries it from the start
		}
		for _, sec := range l.conn.sections {
			if sec.sender == nil && !sec.refused && sec.leg.Fits(s) {
				sec.sender, sec.flowing, sec.announced = s, false, 0
				l.tableDirty = true
				l.tellStereo()
				return
			}
		}
		l.waiting = append(l.waiting, s)
		// Before the first description of an epoch that the peer began, its
		// offer is on the way, and ours goes right behind the answer.
		if l.conn.local.ufrag != "" {
			l.try(l.act(l.turn.Need()))
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

// unpublish removes a sender, whose section stays for the next one.
func (l *link) unpublish(s *fanout.Sender) {
	l.mail.Post(func() {
		is := func(o *fanout.Sender) bool { return o == s }
		l.senders = slices.DeleteFunc(l.senders, is)
		l.waiting = slices.DeleteFunc(l.waiting, is)
		l.own = slices.DeleteFunc(l.own, is)
		if l.conn == nil {
			return
		}
		for _, sec := range l.conn.sections {
			if sec.sender == s {
				sec.leg.Detach()
				sec.sender, sec.flowing = nil, false
				l.tableDirty = true
			}
		}
	})
}

// retable says that a sender's row has changed, or whether it sends stereo.
func (l *link) retable() {
	l.mail.Post(func() {
		l.tableDirty = true
		if l.conn != nil && !l.broken {
			l.tellStereo()
		}
	})
}

// tellStereo makes an offer if a section has turned to stereo since its last one: a
// browser plays mono where it was told of nothing else. Mono needs none.
func (l *link) tellStereo() {
	for mid := range l.conn.sendsStereo() {
		if mid != "" && !l.conn.local.stereo[mid] && l.conn.local.ufrag != "" {
			l.try(l.act(l.turn.Need()))
			return
		}
	}
}

// What a description has room for, in bytes.
const (
	firstSize = 4096                  // what is there beside media sections: ICE, with some twenty candidates, DTLS, channels
	maxOurs   = signal.MaxSDP * 2 / 3 // the rest is the peer's, whose sections take more if it is a browser
)

// sectionSize is more than a section of ours takes in a description, in bytes:
// what it really is shows when it is too late to leave one out.
func sectionSize(kind webrtc.RTPCodecType) int {
	if kind == webrtc.RTPCodecTypeAudio {
		return 1152
	}
	return 2560
}

// fits reports whether a description has room for a section for s
// beside what is in the last one and what was made since.
func (c *conn) fits(s *fanout.Sender) bool {
	ours, added := sectionSize(s.Kind()), sectionSize(s.Kind())
	for _, sec := range c.sections {
		ours += sectionSize(sec.leg.Kind())
		if sec.mid() == "" {
			added += sectionSize(sec.leg.Kind())
		}
	}
	return ours <= maxOurs && max(c.local.size, firstSize)+added <= signal.MaxSDP
}

func (l *link) try(err error) {
	if err != nil {
		l.fail(err)
	}
}

// addSection gives s a transceiver of its own.
func (l *link) addSection(s *fanout.Sender) error {
	leg := fanout.NewLeg(s.Codec().RTPCodecCapability, l.room.self.ID, l.budget)
	transceiver, err := l.conn.pc.AddTransceiverFromTrack(leg, webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionSendonly,
	})
	if err != nil {
		return fmt.Errorf("add transceiver: %w", err)
	}
	sec := &section{leg: leg, transceiver: transceiver, sender: s, flowing: true}
	l.conn.sections = append(l.conn.sections, sec)
	l.counts(sec.stats)
	leg.Attach(s)
	rtp := transceiver.Sender()
	l.room.background(func() { leg.ReadRTCP(rtp) })
	return nil
}

// refuse tells that the peer cannot take what a section carries.
func (l *link) refuse(sec *section) {
	s := sec.sender
	if s == nil {
		return
	}
	sec.leg.Detach()
	sec.sender, sec.flowing = nil, false
	l.tableDirty = true
	l.tell(TrackRefused{Peer: l, Sender: s, Codec: s.Codec().MimeType, Err: fmt.Errorf("%w: the peer takes no %s", ErrCodec, s.Codec().MimeType)})
}

// sendTable tells of a change that no description has told of.
func (l *link) sendTable() {
	if !l.tableDirty || l.broken || l.conn.local.ufrag == "" || !l.ex.Room() || !l.placed() {
		return
	}
	body, err := signal.EncodeBody(&signal.TableBody{Table: l.table()})
	if err != nil {
		l.fail(err)
		return
	}
	l.queue(signal.TypeTable, body, false)
	l.announced()
}

// placed reports whether the table is worth telling: in an epoch that the peer
// began, our senders have no section before our first offer, and an empty
// table would end tracks that only move to another connection.
func (l *link) placed() bool { return len(l.conn.sections) > 0 || len(l.waiting) == 0 }

// table is the table for the next frame. One that is not worth telling has
// version 0, which nobody heeds.
func (l *link) table() signal.Table {
	if !l.placed() {
		return signal.Table{}
	}
	l.tableVersion++
	return l.conn.table(l.tableVersion)
}

// announced notes that the table was just queued as it is now.
func (l *link) announced() {
	l.tableDirty = false
	for _, sec := range l.conn.sections {
		if sec.sender != nil && !sec.flowing && sec.announced == 0 {
			sec.announced = l.ex.Queued()
		}
	}
}

// startFlowing lets media into sections whose new row the peer has: earlier,
// it would be taken for the track before.
func (l *link) startFlowing() {
	for _, sec := range l.conn.sections {
		if sec.sender != nil && !sec.flowing && sec.announced > 0 && l.ex.Acked() >= sec.announced {
			sec.flowing = true
			sec.leg.Attach(sec.sender)
		}
	}
}

// receiving takes a section of the peer's that pion has set up.
func (l *link) receiving(mid string, in *inbound) {
	l.conn.inbounds[mid] = in
	l.counts(func(now webrtc.StatsTimestamp) (string, webrtc.Stats) { return in.stats(now, mid) })
	in.assign(l.trackByID(l.rows[mid]))
}

func (l *link) trackByID(id string) *remoteTrack {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.tracks, func(t *remoteTrack) bool { return t.id == id }); i >= 0 {
		return l.tracks[i]
	}
	return nil
}

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
