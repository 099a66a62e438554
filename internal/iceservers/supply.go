package iceservers

import (
	"log/slog"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/mailbox"
	"noom/signal"
)

// retryInterval is the minimum time between two requests for new servers.
const retryInterval = 5 * time.Second

// noServers is used until the hub has named servers.
var noServers Set

// Supply keeps ICE servers fresh, because a hub hands out credentials that expire (PROTOCOL.md section 2, servers). It
// asks for new ones in time, and a connection takes the newest whenever it gathers candidates.
type Supply struct {
	Own     *Set             // the user's, in place of the hub's; may be nil
	Mail    *mailbox.Mailbox // of the loop that owns the supply
	Ask     func()           // asks the hub for new servers
	Changed func()           // is called when there are new servers
	Log     *slog.Logger

	mu     sync.Mutex
	newest *Set // from the hub; replaced, never changed in place

	renewal mailbox.Timer // until the hub is asked; owned by the loop
}

// Take takes the servers from a joined or servers frame. The loop calls it.
func (s *Supply) Take(m *signal.Message) {
	var list []webrtc.ICEServer
	for _, server := range m.ICEServers {
		usable, skipped := Usable(webrtc.ICEServer{
			URLs: server.URLs, Username: server.Username, Credential: server.Credential,
		})
		for _, err := range skipped {
			s.Log.Warn("the hub named an ICE server that cannot be used; it is skipped", "error", err)
		}
		list = append(list, usable...)
	}
	newest := New(list, time.Duration(m.Lifetime)*time.Millisecond)
	s.mu.Lock()
	s.newest = newest
	s.mu.Unlock()
	if s.Own != nil {
		return
	}
	s.renewal.Stop()
	if newest.Lifetime > 0 {
		s.renew(max(newest.Due(), retryInterval))
	}
	s.Changed()
}

// renew asks the hub for new servers after a pause, and then at intervals until it answers.
func (s *Supply) renew(pause time.Duration) {
	s.renewal.Set(s.Mail, pause, func() {
		s.Ask()
		s.renew(max(s.Current().Lifetime/10, retryInterval))
	})
}

// Current returns the servers to use now. Called from anywhere; the result must not be changed.
func (s *Supply) Current() *Set {
	if s.Own != nil {
		return s.Own
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil {
		return &noServers
	}
	return s.newest
}
