package noom

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"noom/internal/data"
	"noom/signal"
)

const (
	maxMembers = 1024 // whatever the hub says, because it may lie
	maxAsleep  = 64   // lost members that are kept in case they come back
)

var errTooMany = fmt.Errorf("more than %d members", maxMembers)

// roster is the list of those present. It owns the links of all peers, those asleep included, and what the hub says
// about each. The room's loop calls its methods; peers, peer and sendAll may be called from anywhere.
type roster struct {
	self    string // our id
	events  *eventQueue
	trace   *tracer
	log     *slog.Logger
	verify  func(Member) error // Config.Verify; may be nil
	build   func(Member) *peer // makes the link of a newcomer and starts it
	sealed  func() bool        // nothing new is accepted
	removed func(*peer)        // called for each link that is taken out

	// For readers; written by the loop alone.
	mu    sync.Mutex
	links map[string]*peer
	order []*peer // in join order; replaced, never changed in place

	asleep      map[string]*peer
	lost        map[*peer]int  // those in links that the hub has lost, with their place in the order of losses
	saidGoodbye map[*peer]bool // those in links whose goodbye the hub has passed on; the link ends by itself
	places      int            // in the room, as the hub says; 0: it does not say
	losses      int            // how many members the hub has lost so far
	lies        []string       // kinds of lies of the hub, each logged once
}

// peers returns everyone, in join order. Called from anywhere.
func (r *roster) peers() []*peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.order
}

// peer returns the one with that id. Called from anywhere.
func (r *roster) peer(id string) (*peer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.links[id]
	return l, ok
}

// present reports whether a member is in the room, or asleep.
func (r *roster) present(id string) bool { return r.links[id] != nil || r.asleep[id] != nil }

// has reports whether l is in the room.
func (r *roster) has(l *peer) bool { return r.links[l.member.ID] == l }

// each calls f for every link, those asleep included.
func (r *roster) each(f func(*peer)) {
	for _, links := range []map[string]*peer{r.links, r.asleep} {
		for _, l := range links {
			f(l)
		}
	}
}

// eachPresent calls f for every link in the room.
func (r *roster) eachPresent(f func(*peer)) {
	for _, l := range r.links {
		f(l)
	}
}

// memberOf returns the member with that id, the zero Member if there is none.
func (r *roster) memberOf(id string) Member {
	if l := r.links[id]; l != nil {
		return l.Member()
	}
	return Member{}
}

// sendAll queues a message for every peer: first for all that take it at once, then it waits for the others in
// parallel. Called from anywhere.
func (r *roster) sendAll(message []byte, offer func(*peer) (wait func() error, err error)) error {
	if err := data.CheckSize(message); err != nil {
		return err // even if there are no peers
	}
	if r.sealed() {
		return ErrClosed
	}
	var mu sync.Mutex
	var failed []error
	var blocked sync.WaitGroup
	for _, l := range r.peers() {
		report := func(err error) {
			if err != nil {
				mu.Lock()
				failed = append(failed, &PeerError{Peer: l, Err: err})
				mu.Unlock()
			}
		}
		wait, err := offer(l)
		if wait == nil {
			report(err)
			l.link.Kick()
			continue
		}
		blocked.Go(func() { report(wait()) })
	}
	blocked.Wait()
	return errors.Join(failed...)
}

// follow takes a whole roster from the hub, at the first join and after each return.
func (r *roster) follow(members []Member, places int) {
	there := make(map[string]bool)
	for _, member := range members {
		if l := r.member(member, true); l != nil {
			there[member.ID] = true
			l.link.Expect()
		}
	}
	for _, l := range r.order {
		if !there[l.member.ID] {
			r.lose(l)
		}
	}
	r.places = places
	r.dropGhosts()
}

// welcome takes a member that has come, or come back, to the hub while we were there.
func (r *roster) welcome(m Member) {
	if l := r.member(m, false); l != nil {
		l.link.Welcome()
	}
}

// member makes sure that m is in the roster and returns its link, nil if m must not be in it.
func (r *roster) member(m Member, existing bool) *peer {
	if m.ID == r.self {
		return nil
	}
	if err := m.Verify(); err != nil {
		r.reportLie("false member ignored", err)
		return nil
	}
	l := r.links[m.ID]
	if l != nil && l.member.Session == m.Session {
		delete(r.lost, l)
		r.rename(l, m.Name)
		l.link.SetRights(m.Rights)
		return l
	}
	if l != nil {
		reason := ReasonLost
		if r.saidGoodbye[l] {
			reason = ReasonLeft
		}
		r.forget(l, reason)
	}
	if len(r.links) >= maxMembers {
		r.reportLie("member beyond the bound ignored", errTooMany)
		return nil
	}
	if r.verify != nil {
		if err := r.verify(m); err != nil {
			r.log.Info("member refused", "member", m.ID, "error", err)
			return nil
		}
	}
	l = r.wake(m)
	if l == nil {
		l = r.build(m)
	}
	r.mu.Lock()
	r.links[m.ID] = l
	r.order = append(slices.Clip(r.order), l)
	r.mu.Unlock()
	if r.sealed() {
		l.link.Stream.Seal()
	}
	r.events.add(PeerJoined{Peer: l, Existing: existing})
	return l
}

// wake wakes and returns the sleeping link of a member, nil if there is none of its session.
func (r *roster) wake(m Member) *peer {
	l := r.asleep[m.ID]
	delete(r.asleep, m.ID)
	switch {
	case l == nil:
		return nil
	case l.member.Session != m.Session:
		l.link.Close()
		return nil
	}
	r.rename(l, m.Name)
	l.link.SetRights(m.Rights)
	l.link.Wake()
	return l
}

// reportLie reports what an honest hub never says. It logs each kind of lie once, because the hub may repeat it.
func (r *roster) reportLie(what string, err error) {
	if !slices.Contains(r.lies, what) {
		r.lies = append(r.lies, what)
		r.log.Warn(what+"; the hub may be lying", "error", err)
	}
	r.trace.note(Member{}, what, "error", err)
}

// remove takes l out of the roster.
func (r *roster) remove(l *peer, reason Reason) {
	r.mu.Lock()
	delete(r.links, l.member.ID)
	r.order = slices.DeleteFunc(slices.Clone(r.order), func(o *peer) bool { return o == l })
	r.mu.Unlock()
	delete(r.lost, l)
	delete(r.saidGoodbye, l)
	l.link.Depart()
	r.removed(l)
	r.events.add(PeerLeft{Member: l.Member(), Reason: reason})
}

// forget ends l for good and takes it out of the roster.
func (r *roster) forget(l *peer, reason Reason) {
	l.link.Close()
	r.remove(l, reason)
}

// drop takes out a link whose connection is dead, if the hub has lost its member.
func (r *roster) drop(l *peer) {
	if !r.has(l) {
		return
	}
	if r.lost[l] == 0 { // the member came back in the meantime
		l.link.Welcome()
		return
	}
	r.park(l)
}

// park takes l out of the roster and puts it to sleep, in case its member returns.
func (r *roster) park(l *peer) {
	l.link.Sleep()
	r.remove(l, ReasonLost)
	for id, other := range r.asleep {
		if len(r.asleep) < maxAsleep {
			break
		}
		other.link.Close()
		delete(r.asleep, id)
	}
	r.asleep[l.member.ID] = l
}

// lose notes that the hub has lost l, which stays in the roster as long as its connection lives.
func (r *roster) lose(l *peer) {
	if r.lost[l] == 0 {
		r.losses++
		r.lost[l] = r.losses
	}
	l.link.HubLost()
}

// dropGhosts drops peers that the hub has lost, the earliest loss first, while there are more than the room has places.
// Otherwise a member that joins, cuts its connection to the hub and joins under another key could have any number of
// connections to us.
func (r *roster) dropGhosts() {
	for r.places > 0 && len(r.links) >= r.places { // one place is our own
		var ghost *peer
		for l, loss := range r.lost {
			if ghost == nil || loss < r.lost[ghost] {
				ghost = l
			}
		}
		if ghost == nil {
			return
		}
		r.park(ghost)
	}
}

// left takes out a link that has ended by itself because its member has said goodbye.
func (r *roster) left(l *peer) {
	if r.has(l) {
		r.remove(l, ReasonLeft)
	}
}

// reborn takes a member's own word that it runs a new session.
func (r *roster) reborn(l *peer, session string) {
	if !r.has(l) || session == l.member.Session || !l.conduct.Reborn(time.Now()) {
		return // the member says so again
	}
	m := l.Member()
	m.Session = session
	r.welcome(m)
}

// bye takes the hub's word that another member is gone.
func (r *roster) bye(m signal.Message) {
	if l := r.asleep[m.From]; l != nil && m.Reason != ReasonLost {
		delete(r.asleep, m.From)
		l.link.Close()
	}
	l := r.links[m.From]
	if l == nil || m.Session != "" && m.Session != l.member.Session {
		return
	}
	switch m.Reason {
	case ReasonLost:
		r.lose(l)
	case ReasonLeft:
		r.saidGoodbye[l] = true
		l.link.Goodbye()
	default:
		r.forget(l, m.Reason)
	}
}

func (r *roster) rename(l *peer, name string) {
	old := l.Name()
	if old == name {
		return
	}
	l.link.SetName(name)
	r.events.add(PeerRenamed{Peer: l, Old: old})
}

// close ends all links with the room.
func (r *roster) close() { r.each(func(l *peer) { l.link.Close() }) }
