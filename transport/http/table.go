package http

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"noom/signal"
)

// A table holds the sessions of one handler, and bounds them and what is held for them, by address
// and in all.
type table struct {
	maxSessions, maxPerAddress int // of the second negative: no bound
	maxHeld                    int64
	held                       atomic.Int64

	mu       sync.Mutex
	sessions map[string]*session
	shares   map[netip.Prefix]*share
}

// A share is what is held for the sessions of one address.
type share struct {
	from     netip.Prefix
	held     atomic.Int64
	sessions int // under table.mu
}

// shareOf is which part of all may be held for one address.
const shareOf = 8

// nowhere counts the sessions whose address counts for nothing: loopback, where a proxy speaks for
// everyone, and transports without addresses.
var nowhere netip.Prefix

func (t *table) shareFor(a netip.Addr) *share {
	from := signal.Neighbourhood(a)
	if a.Unmap().IsLoopback() {
		from = nowhere
	}
	sh := t.shares[from]
	if sh == nil {
		sh = &share{from: from}
		t.shares[from] = sh
	}
	return sh
}

// A refusal says why there is no further session.
type refusal int

const (
	refusedNot refusal = iota
	refusedAll
	refusedAddress
)

// add adds a session, or says why there cannot be another one.
func (t *table) add(s *session) refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.sessions) >= t.maxSessions {
		return refusedAll
	}
	sh := t.shareFor(s.address)
	if sh.from.IsValid() && t.maxPerAddress >= 0 && sh.sessions >= t.maxPerAddress {
		return refusedAddress
	}
	sh.sessions++
	s.share = sh
	s.hold = func(n int, must bool) bool { return t.hold(sh, int64(n), must) }
	s.id = signal.NewSession()
	t.sessions[s.id] = s
	s.idle = time.AfterFunc(idleTimeout, s.expire)
	return refusedNot
}

// remove removes a session, once it is over.
func (t *table) remove(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.id] != s {
		return
	}
	delete(t.sessions, s.id)
	if s.share.sessions--; s.share.sessions == 0 {
		delete(t.shares, s.share.from)
	}
}

func (t *table) find(id string) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[id]
}

// hold counts n more bytes, or fewer. Unless they must be held it may refuse them, because too many
// are: each session may hold a frame in each direction, whatever the others do.
func (t *table) hold(sh *share, n int64, must bool) bool {
	all, near := t.held.Add(n), sh.held.Add(n)
	if must || n <= 0 || all <= t.maxHeld && (!sh.from.IsValid() || near <= t.maxHeld/shareOf) {
		return true
	}
	t.held.Add(-n)
	sh.held.Add(-n)
	return false
}
