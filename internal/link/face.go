package link

import (
	"log/slog"
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"

	"noom/internal/bandwidth"
	"noom/internal/connection"
	"noom/internal/inbound"
	"noom/internal/quality"
	"noom/internal/recovery"
	"noom/internal/traffic"
	"noom/signal"
)

// face is what others see of a link, at any time and from anywhere. The room's loop writes name, rights and account, and sets
// gone; the link's loop writes the rest.
type face struct {
	member signal.Member // immutable: ID, PublicKey, Session
	report Report
	log    *slog.Logger

	mu      sync.Mutex
	name    string
	rights  signal.Rights
	account string
	gone    bool // out of the roster
	left    int  // how often it has gone
	state   recovery.Peer
	shown   *connection.Conn  // nil if there is none
	wanted  *signal.WantsBody // of our tracks, by the peer; nil: it has said nothing. It is replaced, never changed

	quality  quality.Quality
	measured connection.Measured // in the last second; zero while the peer is not connected
}

// Member returns the peer's identity.
func (f *face) Member() signal.Member {
	m := f.member
	f.mu.Lock()
	defer f.mu.Unlock()
	m.Name, m.Rights, m.Account = f.name, f.rights, f.account
	return m
}

// SetName sets the peer's name.
func (f *face) SetName(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.name = name
}

// SetAccount sets whom the hub takes the peer for.
func (f *face) SetAccount(account string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.account = account
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

// Quality returns how good the connection is, which is quality.Lost if the peer is gone.
func (f *face) Quality() quality.Quality {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return quality.Lost
	}
	return f.quality
}

func (f *face) setQuality(q quality.Quality) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quality = q
}

// Measured returns how the connection did in the last second, zero while the peer is not connected.
func (f *face) Measured() connection.Measured {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.measured
}

func (f *face) setMeasured(m connection.Measured) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.measured = m
}

// goOut makes the peer look gone.
func (f *face) goOut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	f.left++
}

func (f *face) timesGone() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.left
}

// comeBack makes the peer look present, unless it has gone more often than so many times.
func (f *face) comeBack(left int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left != left {
		return false
	}
	f.gone = false
	return true
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

// Steps returns when the current connection reached what; all zero if there is none.
func (f *face) Steps() connection.Steps {
	f.mu.Lock()
	c := f.shown
	f.mu.Unlock()
	if c == nil {
		return connection.Steps{}
	}
	return c.Steps()
}

// Bandwidth returns what is known of the path of the current connection; the zero State if there is none.
func (f *face) Bandwidth() (state bandwidth.State) {
	f.withTraffic(func(c *traffic.Control) { state = c.State() })
	return state
}

// Target returns how many bits per second may be sent over the current connection, all included; 0 if there is none.
func (f *face) Target() (bps int) {
	f.withTraffic(func(c *traffic.Control) { bps = c.Target() })
	return bps
}

// Want says how many bits per second could be sent over the current connection, by sources that follow Target. The next
// connection must be told again.
func (f *face) Want(bps int) { f.withTraffic(func(c *traffic.Control) { c.Want(bps) }) }

// Beside says how many bits per second the room's other connections send.
func (f *face) Beside(bps int) { f.withTraffic(func(c *traffic.Control) { c.Beside(bps) }) }

func (f *face) withTraffic(do func(*traffic.Control)) {
	f.mu.Lock()
	c := f.shown
	f.mu.Unlock()
	if c != nil {
		do(c.Traffic)
	}
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
