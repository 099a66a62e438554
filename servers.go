package noom

import (
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/iceservers"
	"noom/internal/recovery"
	"noom/signal"
)

// This file keeps ICE servers fresh: a hub hands out credentials that expire
// (PROTOCOL.md section 2, servers). The room asks for new ones in time, and a
// connection takes the newest whenever it gathers candidates. A TURN server may
// refuse to go on with a relay whose credentials have expired, so a connection
// over a relay moves to a new one before that.

const serversRetry = 5 * time.Second // at least, between two questions

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
		l.on((*recovery.Machine).ServersTold)
		l.planRelay()
	})
}

func (l *link) askServers() {
	l.trace("asking for ICE servers")
	l.room.send(signal.Message{Type: signal.TypeServers})
}

// planRelay says when the relay's credentials are about to expire.
func (l *link) planRelay() {
	if l.conn != nil && l.conn.servers.Lifetime > 0 {
		l.on(func(m *recovery.Machine) []recovery.Action { return m.CredentialsLast(max(l.conn.servers.Due(), 0)) })
	}
}

// byOwnRelay reports whether the path goes, or went last, by a relay of ours.
func byOwnRelay(c *conn) bool {
	pair, err := c.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	return err == nil && pair != nil && pair.Local.Typ == webrtc.ICECandidateTypeRelay
}

// checkRelay says that the path's relay is about to end, if it is one and there
// are new credentials.
func (l *link) checkRelay() {
	if l.room.servers().Due() > 0 && byOwnRelay(l.conn) {
		l.trace("restart, for the relay's credentials are about to expire")
		l.on((*recovery.Machine).RelayEnds)
	}
}
