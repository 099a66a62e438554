package inbound

import (
	"slices"
	"strings"
	"sync"

	"github.com/pion/webrtc/v4"

	"noom/signal"
)

// Tracks is what one peer sends: its table and the tracks in it, over all connections
// to that peer. Methods return what has changed, and the owner reports it. The zero
// value is a peer without tracks.
type Tracks struct {
	// OnWant is called from anywhere when Wants would return something else. It is set before there are tracks.
	OnWant func()

	// Owned by one goroutine, which calls Told, News, Take, Retake, Feed and Reopen.
	table *signal.Table     // the latest; nil: none has arrived
	rows  map[string]string // from mid to track id, according to the table

	// What readers see. No call leaves Tracks while mu is held.
	mu    sync.Mutex
	list  []*Track // by name and id
	ended bool     // there are no tracks until Reopen
}

// Diff is what has changed. A track that was added or removed is in no other list.
type Diff struct {
	Added   []*Track
	Muted   []*Track // now muted, or no longer; see Track.Muted
	Paused  []*Track // now paused, or no longer; see Track.Paused
	Removed []*Track // they have ended
	// Withheld counts the rows that were ignored because the peer may not publish.
	Withheld int
}

// Told reports whether the peer has sent a table.
func (ts *Tracks) Told() bool { return ts.table != nil }

// News counts what Take would change: new tracks, and those that are muted, paused, or no longer.
func (ts *Tracks) News(t *signal.Table) (added, changed int) {
	if !ts.newer(t) {
		return 0, 0
	}
	for _, row := range t.Tracks {
		track := ts.byID(row.ID)
		switch {
		case track == nil:
			added++
		case track.Muted() != row.Muted || track.Paused() != row.Paused:
			changed++
		}
	}
	return added, changed
}

// newer reports whether a table is newer than the latest. Version 0 never is.
func (ts *Tracks) newer(t *signal.Table) bool {
	return ts.table == nil && t.Version > 0 || ts.table != nil && t.Version > ts.table.Version
}

// Take applies a table if it is newer than the latest, and feeds the tracks from
// inbounds, by mid. A peer that may not publish has no tracks; only the receivers can
// enforce that.
func (ts *Tracks) Take(t *signal.Table, mayPublish bool, inbounds map[string]*Inbound) Diff {
	if !ts.newer(t) {
		return Diff{}
	}
	ts.table = t
	return ts.Retake(mayPublish, inbounds)
}

// Retake applies the latest table again, if there is one, because the peer's rights have changed.
func (ts *Tracks) Retake(mayPublish bool, inbounds map[string]*Inbound) (d Diff) {
	if ts.table == nil {
		return Diff{}
	}
	rows := ts.table.Tracks
	if !mayPublish {
		d.Withheld, rows = len(rows), nil
	}
	var list []*Track
	ts.rows = make(map[string]string, len(rows))
	for mid, row := range rows {
		ts.rows[mid] = row.ID
		track := ts.byID(row.ID)
		if track == nil {
			track = NewTrack(row.ID, row.Name, webrtc.NewRTPCodecType(row.Kind), row.Muted)
			track.onWant = ts.OnWant
			track.paused = row.Paused
			d.Added = append(d.Added, track)
		} else {
			if track.setMuted(row.Muted) {
				d.Muted = append(d.Muted, track)
			}
			if track.setPaused(row.Paused) {
				d.Paused = append(d.Paused, track)
			}
		}
		list = append(list, track)
	}
	removed, ended := ts.replace(list)
	for mid, in := range inbounds {
		ts.Feed(mid, in)
	}
	if ended {
		return Diff{}
	}
	d.Removed = removed
	return d
}

// replace replaces the list, ends the tracks that are no longer in it, and returns those.
func (ts *Tracks) replace(list []*Track) (removed []*Track, ended bool) {
	slices.SortFunc(list, byNameAndID)
	ts.mu.Lock()
	old := ts.list
	if ended = ts.ended; !ended {
		ts.list = list
	}
	ts.mu.Unlock()
	if ended {
		return nil, true
	}
	return endAllBut(list, old), false
}

// endAllBut ends those of tracks that are not kept, and returns them.
func endAllBut(kept, tracks []*Track) (ended []*Track) {
	for _, t := range tracks {
		if !slices.Contains(kept, t) {
			t.End()
			ended = append(ended, t)
		}
	}
	return ended
}

// Feed makes an Inbound feed the track at its mid in the table, if there is one. An Inbound whose track has moved to
// another mid feeds it until that begins.
func (ts *Tracks) Feed(mid string, in *Inbound) {
	_, named := ts.rows[mid]
	if t := in.track.Load(); !named && t != nil && ts.byID(t.id) == t {
		return
	}
	in.Assign(ts.byID(ts.rows[mid]))
}

// End ends all tracks and returns them as removed. There are no tracks until Reopen,
// whatever Take is given. It may be called from anywhere.
func (ts *Tracks) End() Diff {
	ts.mu.Lock()
	old := ts.list
	ts.list, ts.ended = nil, true
	ts.mu.Unlock()
	return Diff{Removed: endAllBut(nil, old)}
}

// Reopen forgets the table: the peer is back, and begins again with version 1.
func (ts *Tracks) Reopen() {
	ts.table, ts.rows = nil, nil
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.ended = false
}

// List returns the tracks by name and id. It may be called from anywhere.
func (ts *Tracks) List() []*Track {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return slices.Clone(ts.list)
}

// Wants returns the height in pixels that is wanted of each track, by id. Those that are wanted in full are left out. It
// may be called from anywhere.
func (ts *Tracks) Wants() map[string]int {
	wants := make(map[string]int)
	for _, t := range ts.List() {
		if height := t.wantedHeight(); height != inFull {
			wants[t.id] = height
		}
	}
	return wants
}

// TakePeak returns the highest level of all tracks since the last call, or false if
// none has one. It may be called from anywhere.
func (ts *Tracks) TakePeak() (dBov int, ok bool) {
	for _, t := range ts.List() {
		if v, has := t.takePeak(); has && (!ok || v > dBov) {
			dBov, ok = v, true
		}
	}
	return dBov, ok
}

func (ts *Tracks) byID(id string) *Track {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if i := slices.IndexFunc(ts.list, func(t *Track) bool { return t.id == id }); i >= 0 {
		return ts.list[i]
	}
	return nil
}

// byNameAndID is the order of List.
func byNameAndID(a, b *Track) int {
	return strings.Compare(a.name+"\n"+a.id, b.name+"\n"+b.id)
}
