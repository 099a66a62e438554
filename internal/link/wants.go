package link

import (
	"maps"
	"time"

	"noom/internal/mailbox"
	"noom/signal"
)

// This file says what we need of the peer's tracks, and takes what the peer needs of ours (PROTOCOL.md section 4.4.1).

// wantsPause is the least time between two of our wants.
const wantsPause = 500 * time.Millisecond

// wants is what the peer was told about its tracks.
type wants struct {
	version int64 // of the latest; 0: none was sent
	sent    map[string]int
	due     bool          // they may have changed
	renewed bool          // a new epoch needs them again
	pause   mailbox.Timer // since the latest
}

// renew makes the next epoch begin with them, if the peer has ever got any.
func (w *wants) renew() {
	w.renewed = w.version > 0
	w.due = w.due || w.renewed
}

// sendWants sends what is wanted of the peer's tracks, if it has changed and enough time is over.
func (l *Link) sendWants() {
	w := &l.wants
	if !w.due || w.pause.Pending() || !l.conns.current.Described() || !l.frames.Window() {
		return
	}
	w.due = false
	wanted := l.Tracks.Wants()
	if !w.renewed && maps.Equal(wanted, w.sent) { // both are empty at first
		return
	}
	body, err := signal.EncodeBody(&signal.WantsBody{Version: w.version + 1, Wants: wanted})
	if err != nil {
		l.fail(err)
		return
	}
	w.version, w.sent, w.renewed = w.version+1, wanted, false
	l.frames.Send(signal.TypeWants, body, false)
	w.pause.Set(l.mail, wantsPause, func() {}) // the end of the round sends what has changed
}

// Wants takes what the peer needs of our tracks.
func (h connHost) Wants(w *signal.WantsBody) {
	last := h.wantedNow()
	if w.Version <= last.Version {
		return
	}
	changed := differing(last.Wants, w.Wants)
	if !h.cfg.Conduct.Work.AllowN(time.Now(), changed) {
		h.fail(errWants)
		return
	}
	h.setWanted(w)
	if changed > 0 {
		h.host.WantsChanged()
	}
}

// differing counts the tracks of which something else is wanted.
func differing(before, now map[string]int) (n int) {
	for id, height := range now {
		if old, limited := before[id]; !limited || old != height {
			n++
		}
	}
	for id := range before {
		if _, limited := now[id]; !limited {
			n++
		}
	}
	return n
}

// Wanted returns what the peer needs of our track with that id: a picture of that height in pixels, 0 for none, or, if
// limited is false, all of it.
func (f *face) Wanted(trackID string) (height int, limited bool) {
	height, limited = f.wantedNow().Wants[trackID]
	return height, limited
}

// wantedNow returns the latest wants of the peer.
func (f *face) wantedNow() signal.WantsBody {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wanted == nil {
		return signal.WantsBody{}
	}
	return *f.wanted
}

// setWanted sets it; nil: the peer has said nothing.
func (f *face) setWanted(w *signal.WantsBody) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted = w
}
