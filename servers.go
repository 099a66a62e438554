package noom

import (
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/iceservers"
	"noom/signal"
)

// This file keeps ICE servers fresh: a hub hands out credentials that expire
// (PROTOCOL.md section 2, servers). The room asks for new ones in time, and a
// connection takes the newest whenever it gathers candidates. A TURN server may
// refuse to go on with a relay whose credentials have expired, so a connection
// over a relay moves to a new one before that.

const (
	serversWait  = time.Second     // for an answer, when those there are have expired
	serversRetry = 5 * time.Second // at least, between two questions
)

// The room's part; its loop calls what follows.

// serversTold takes the servers out of a joined or servers frame.
func (r *room) serversTold(m *signal.Message) {
	var list []webrtc.ICEServer
	for _, s := range m.ICEServers {
		usable, skipped := iceservers.Usable(webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
		for _, err := range skipped {
			r.log.Warn("the hub named an ICE server that cannot be used; it is skipped", "err", err)
		}
		list = append(list, usable...)
	}
	newest := iceservers.New(list, time.Duration(m.Lifetime)*time.Millisecond)
	r.mu.Lock()
	r.hubICE = newest
	r.mu.Unlock()
	if r.cfg.ICEServers != nil {
		return
	}
	if r.renewal != nil {
		r.renewal.Stop()
		r.renewal = nil
	}
	if newest.Lifetime > 0 {
		r.renewServers(max(newest.Due(), serversRetry))
	}
	for _, l := range r.links {
		l.serversTold()
	}
}

// renewServers asks the hub for servers after a pause, and again until it answers.
func (r *room) renewServers(pause time.Duration) {
	var own *time.Timer
	own = time.AfterFunc(pause, func() {
		r.mail.Post(func() {
			if r.renewal == own {
				r.send(signal.Message{Type: signal.TypeServers})
				r.renewServers(max(r.servers().Lifetime/10, serversRetry))
			}
		})
	})
	r.renewal = own
}

// servers returns those to use now. Called from anywhere; not to be changed.
func (r *room) servers() *iceservers.Set {
	if r.cfg.ICEServers != nil {
		return &iceservers.Set{List: r.cfg.ICEServers}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hubICE
}

// The links' part; their loops call what follows, but for serversTold.

// serversTold tells that there are new ones.
func (l *link) serversTold() {
	l.mail.Post(func() {
		if l.patience != nil && l.patience == l.serversTimer {
			l.later(&l.patience, 0, l.serversNext)
		}
		l.serversTimer = nil
		l.planRelay()
	})
}

// awaitServers makes what needs servers wait a moment for them, if those
// there are have expired and the hub can be asked. If it returns true, next
// is called later, unless something else comes first.
func (l *link) awaitServers(next func()) bool {
	waited := l.serversTimer != nil && l.patience == nil // what runs now is next
	l.serversTimer = nil
	if waited || !l.room.servers().Expired() || !l.room.online() {
		return false
	}
	l.trace("asking for ICE servers")
	l.room.send(signal.Message{Type: signal.TypeServers})
	l.later(&l.patience, serversWait, next)
	l.serversTimer, l.serversNext = l.patience, next
	return true
}

// regather is called right before ICE restarts, at either end: the newest
// servers are used, and from now on frames go by hub, for the path they would take in-band is
// given up (pion says so only later).
func (l *link) regather() {
	c := l.conn
	c.path = webrtc.ICEConnectionStateChecking
	if newest := l.room.servers(); newest != c.servers {
		config := c.pc.GetConfiguration()
		config.ICEServers = newest.List
		if err := c.pc.SetConfiguration(config); err != nil {
			l.trace("ICE servers not taken", "error", err)
			return
		}
		c.servers = newest
	}
	l.planRelay()
}

// planRelay looks after the relay when its credentials are about to expire.
func (l *link) planRelay() {
	if l.conn != nil && l.conn.servers.Lifetime > 0 {
		l.later(&l.relay, max(l.conn.servers.Due(), 0), l.renewRelay)
	}
}

// byOwnRelay reports whether the path goes, or went last, by a relay of ours.
func (l *link) byOwnRelay() bool {
	pair, err := l.conn.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	return err == nil && pair != nil && pair.Local.Typ == webrtc.ICECandidateTypeRelay
}

// renewRelay restarts ICE if the path goes by a relay of ours whose
// credentials are about to expire, and there are new ones.
func (l *link) renewRelay() {
	c := l.conn
	if c == nil || l.broken || !c.up() || !l.room.online() || l.room.servers().Due() <= 0 {
		return // whatever mends that takes the newest servers anyway, or calls here again
	}
	if !l.byOwnRelay() {
		return
	}
	l.trace("restart, for the relay's credentials are about to expire")
	l.pathAsked = true
	l.try(l.act(l.turn.Restart()))
}
