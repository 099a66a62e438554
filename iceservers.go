package noom

import (
	"log/slog"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/iceservers"
	"noom/internal/mailbox"
	"noom/signal"
)

const serversRetry = 5 * time.Second // at least, between two questions

// iceSupply keeps ICE servers fresh: a hub hands out credentials that expire
// (PROTOCOL.md section 2, servers). It asks for new ones in time, and a
// connection takes the newest whenever it gathers candidates.
type iceSupply struct {
	own    *iceservers.Set  // of Config.ICEServers, in place of the hub's; may be nil
	mail   *mailbox.Mailbox // the room's
	ask    func()           // the hub, for new ones
	landed func()           // called when there are new ones
	log    *slog.Logger

	mu     sync.Mutex
	newest *iceservers.Set // of the hub; replaced, never changed in place

	renewal *time.Timer // until the hub is asked; the room's loop's
}

// take takes the servers out of a joined or servers frame. The room's loop calls it.
func (s *iceSupply) take(m *signal.Message) {
	var list []webrtc.ICEServer
	for _, server := range m.ICEServers {
		usable, skipped := iceservers.Usable(webrtc.ICEServer{
			URLs: server.URLs, Username: server.Username, Credential: server.Credential,
		})
		for _, err := range skipped {
			s.log.Warn("the hub named an ICE server that cannot be used; it is skipped", "err", err)
		}
		list = append(list, usable...)
	}
	newest := iceservers.New(list, time.Duration(m.Lifetime)*time.Millisecond)
	s.mu.Lock()
	s.newest = newest
	s.mu.Unlock()
	if s.own != nil {
		return
	}
	if s.renewal != nil {
		s.renewal.Stop()
		s.renewal = nil
	}
	if newest.Lifetime > 0 {
		s.renew(max(newest.Due(), serversRetry))
	}
	s.landed()
}

// renew asks the hub for servers after a pause, and again until it answers.
func (s *iceSupply) renew(pause time.Duration) {
	var own *time.Timer
	own = time.AfterFunc(pause, func() {
		s.mail.Post(func() {
			if s.renewal == own {
				s.ask()
				s.renew(max(s.current().Lifetime/10, serversRetry))
			}
		})
	})
	s.renewal = own
}

// current returns those to use now. Called from anywhere; not to be changed.
func (s *iceSupply) current() *iceservers.Set {
	if s.own != nil {
		return s.own
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}
