package link

import (
	"log/slog"
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"

	"noom/internal/connection"
	"noom/internal/inbound"
	"noom/internal/recovery"
	"noom/signal"
)

// face is what others see of a link, at any time and from anywhere. The room's loop writes name, rights and gone; the
// link's loop writes the rest.
type face struct {
	member signal.Member // immutable: ID, PublicKey, Session
	report Report
	log    *slog.Logger

	mu     sync.Mutex
	name   string
	rights signal.Rights
	gone   bool // out of the roster
	state  recovery.Peer
	shown  *connection.Conn // nil if there is none
}

// Member returns the peer's identity.
func (f *face) Member() signal.Member {
	m := f.member
	f.mu.Lock()
	defer f.mu.Unlock()
	m.Name, m.Rights = f.name, f.rights
	return m
}

// SetName sets the peer's name.
func (f *face) SetName(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.name = name
}

// setRights reports whether the rights differ from those before.
func (f *face) setRights(rights signal.Rights) (changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed = !slices.Equal(f.rights, rights) || (f.rights == nil) != (rights == nil)
	f.rights = rights
	return changed
}

func (f *face) may(right signal.Right) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rights.Has(right)
}

// State returns the state of the peer, which is recovery.Closed if the peer is gone.
func (f *face) State() recovery.Peer {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return recovery.Closed
	}
	return f.state
}

func (f *face) setState(s recovery.Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = s
}

func (f *face) setGone(gone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = gone
}

// Connection returns the current connection, or nil if there is none.
func (f *face) Connection() *webrtc.PeerConnection {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shown == nil {
		return nil
	}
	return f.shown.PC
}

// Stats returns the statistics of the current connection. They are empty if there is none.
func (f *face) Stats() webrtc.StatsReport {
	f.mu.Lock()
	c := f.shown
	f.mu.Unlock()
	if c == nil {
		return webrtc.StatsReport{}
	}
	return c.Stats()
}

func (f *face) show(c *connection.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shown = c
}

// withReport calls what with the Report, unless the peer is gone.
func (f *face) withReport(what func(Report)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.gone {
		what(f.report)
	}
}

// reportTracks reports changes of the peer's tracks.
func (f *face) reportTracks(d inbound.Diff) {
	if d.Withheld > 0 {
		f.log.Info("tracks ignored, because the peer may not publish", "tracks", d.Withheld)
	}
	f.withReport(func(r Report) { r.TracksChanged(d) })
}
