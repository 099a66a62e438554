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
	build   func(Member) *peer // makes the peer of a newcomer and starts its link
	sealed  func() bool        // nothing new is accepted
	added   func(*peer)        // called for each member that comes, when that is an event
	removed func(*peer)        // called for each link that is taken out

	// For readers; written by the loop alone.
	mu    sync.Mutex
	byID  map[string]*peer
	order []*peer // in join order; replaced, never changed in place

	asleep  map[string]*peer
	lost    map[*peer]int  // those in links that the hub has lost, with their place in the order of losses
	leaving map[*peer]bool // those in links that end by themselves, because the hub has passed on a goodbye, or that the page goes away
	places  int            // in the room, as the hub says; 0: it does not say
	losses  int            // how many members the hub has lost so far
	lies    []string       // kinds of lies of the hub, each logged once
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
	p, ok := r.byID[id]
	return p, ok
}

// present reports whether a member is in the room, or asleep.
func (r *roster) present(id string) bool { return r.byID[id] != nil || r.asleep[id] != nil }

// has reports whether p is in the room.
func (r *roster) has(p *peer) bool { return r.byID[p.member.ID] == p }

// each calls f for every link, those asleep included.
func (r *roster) each(f func(*peer)) {
	for _, links := range []map[string]*peer{r.byID, r.asleep} {
		for _, p := range links {
			f(p)
		}
	}
}

// eachPresent calls f for every link in the room.
func (r *roster) eachPresent(f func(*peer)) {
	for _, p := range r.byID {
		f(p)
	}
}

// memberOf returns the member with that id, the zero Member if there is none.
func (r *roster) memberOf(id string) Member {
	if p := r.byID[id]; p != nil {
		return p.Member()
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
	for _, p := range r.peers() {
		report := func(err error) {
			if err != nil {
				mu.Lock()
				failed = append(failed, &PeerError{Peer: p, Err: err})
				mu.Unlock()
			}
		}
		wait, err := offer(p)
		if wait == nil {
			report(err)
			p.link.Kick()
			continue
		}
		blocked.Go(func() { report(wait()) })
	}
	blocked.Wait()
	return errors.Join(failed...)
}

// follow takes a whole roster from the hub, at the first join, after each return, and when the hub says it again. The
// first of the members, so many, were there before us; the others have come after us.
func (r *roster) follow(members []Member, before, places int) {
	there := make(map[string]bool)
	for i, member := range members {
		p := r.member(member, i < before)
		if p == nil {
			continue
		}
		there[member.ID] = true
		if i < before {
			p.link.Expect()
		} else {
			p.link.Welcome(nil, nil)
		}
	}
	for _, p := range r.order {
		if !there[p.member.ID] {
			r.lose(p)
		}
	}
	r.places = places
	r.dropGhosts()
}

// welcome takes a member that has come, or come back, to the hub while we were there. sends is what it publishes, as far as
// is known, and card its first offer, if that is for us. A hub may repeat the card of a member that we know, so that counts
// for nothing.
func (r *roster) welcome(m Member, sends []string, card *signal.Card) {
	if p := r.byID[m.ID]; p != nil && p.member.Session == m.Session {
		card = nil
	}
	if p := r.member(m, false); p != nil {
		p.link.Welcome(sends, card)
	}
}

// member makes sure that m is in the roster and returns its link, nil if m must not be in it.
func (r *roster) member(m Member, existing bool) *peer {
	if m.ID == r.self {
		return nil
	}
	if signal.CheckName(m.Name) != nil {
		m.Name = "" // it is somebody all the same; a hub of another Unicode version may take names that we do not
	}
	m.DropBadAccount()
	if err := m.Verify(); err != nil {
		r.reportLie("false member ignored", err)
		return nil
	}
	p := r.byID[m.ID]
	if p != nil && p.member.Session == m.Session {
		delete(r.lost, p)
		delete(r.leaving, p)
		r.rename(p, m.Name)
		p.link.SetAccount(m.Account)
		p.link.SetRights(m.Rights)
		return p
	}
	if p != nil {
		r.forget(p, r.lostOrLeft(p))
	}
	if len(r.byID) >= maxMembers {
		r.reportLie("member beyond the bound ignored", errTooMany)
		return nil
	}
	if r.verify != nil {
		if err := r.verify(m); err != nil {
			r.log.Info("member refused", "member", m.ID, "error", err)
			return nil
		}
	}
	p = r.wake(m)
	if p == nil {
		p = r.build(m)
	}
	r.mu.Lock()
	r.byID[m.ID] = p
	r.order = append(slices.Clip(r.order), p)
	r.mu.Unlock()
	if r.sealed() {
		p.link.Stream.Seal()
		p.files.Load().close()
	}
	r.events.add(PeerJoined{Peer: p, Existing: existing})
	r.added(p)
	return p
}

// wake wakes and returns the sleeping link of a member, nil if there is none of its session.
func (r *roster) wake(m Member) *peer {
	p := r.asleep[m.ID]
	delete(r.asleep, m.ID)
	switch {
	case p == nil:
		return nil
	case p.member.Session != m.Session:
		p.link.Close()
		return nil
	}
	r.rename(p, m.Name)
	p.link.SetAccount(m.Account)
	p.link.SetRights(m.Rights)
	p.files.Store(newFiling(p))
	p.link.Wake()
	return p
}

// reportLie reports what an honest hub never says. It logs each kind of lie once, because the hub may repeat it.
func (r *roster) reportLie(what string, err error) {
	if !slices.Contains(r.lies, what) {
		r.lies = append(r.lies, what)
		r.log.Warn(what+"; the hub may be lying", "error", err)
	}
	r.trace.note(Member{}, what, "error", err)
}

// remove takes p out of the roster. The application is told once its link is at an end too, so that it finds a peer that
// has left closed.
func (r *roster) remove(p *peer) {
	r.mu.Lock()
	delete(r.byID, p.member.ID)
	r.order = slices.DeleteFunc(slices.Clone(r.order), func(o *peer) bool { return o == p })
	r.mu.Unlock()
	delete(r.lost, p)
	delete(r.leaving, p)
	p.link.Depart()
	p.files.Load().close()
	r.removed(p)
}

// lostOrLeft is why p, whose connection is dead or belongs to a former session, is gone.
func (r *roster) lostOrLeft(p *peer) Reason {
	if r.leaving[p] {
		return ReasonLeft
	}
	return ReasonLost
}

// forget ends p for good and takes it out of the roster.
func (r *roster) forget(p *peer, reason Reason) {
	p.link.Close()
	r.remove(p)
	r.events.add(PeerLeft{Member: p.Member(), Reason: reason})
}

// drop takes out a link whose connection is dead, if the hub has lost its member.
func (r *roster) drop(p *peer) {
	if !r.has(p) {
		return
	}
	if r.lost[p] == 0 { // the member came back in the meantime
		p.link.Welcome(nil, nil)
		return
	}
	r.park(p, r.lostOrLeft(p))
}

// park takes p out of the roster and puts it to sleep, in case its member returns in the same session: it goes on
// counting what it has sent and taken from where it was.
func (r *roster) park(p *peer, reason Reason) {
	r.remove(p)
	p.link.Sleep() // after that, so that all it was given while it was there ends
	r.events.add(PeerLeft{Member: p.Member(), Reason: reason})
	for id, other := range r.asleep {
		if len(r.asleep) < maxAsleep {
			break
		}
		other.link.Close()
		delete(r.asleep, id)
	}
	r.asleep[p.member.ID] = p
}

// lose notes that the hub has lost p, which stays in the roster as long as its connection lives.
func (r *roster) lose(p *peer) {
	if r.lost[p] == 0 {
		r.losses++
		r.lost[p] = r.losses
	}
	p.link.HubLost()
}

// dropGhosts drops peers that the hub has lost, the earliest loss first, while there are more than the room has places.
// Otherwise a member that joins, cuts its connection to the hub and joins under another key could have any number of
// connections to us.
func (r *roster) dropGhosts() {
	for r.places > 0 && len(r.byID) >= r.places { // one place is our own
		var ghost *peer
		for p, loss := range r.lost {
			if ghost == nil || loss < r.lost[ghost] {
				ghost = p
			}
		}
		if ghost == nil {
			return
		}
		r.park(ghost, r.lostOrLeft(ghost))
	}
}

// left takes out a link that has ended by itself because its member has said goodbye.
func (r *roster) left(p *peer) {
	if r.has(p) {
		r.remove(p)
		r.events.add(PeerLeft{Member: p.Member(), Reason: ReasonLeft})
	}
}

// reborn takes a member's own word that it runs a new session.
func (r *roster) reborn(p *peer, session string) {
	if !r.has(p) || session == p.member.Session || !p.conduct.Reborn(time.Now()) {
		return // the member says so again
	}
	m := p.Member()
	m.Session = session
	r.welcome(m, nil, nil)
}

// bye takes the hub's word that another member is gone.
func (r *roster) bye(m signal.Message) {
	if p := r.asleep[m.From]; p != nil && m.Reason != ReasonLost && m.Reason != ReasonExpired {
		delete(r.asleep, m.From)
		p.link.Close()
	}
	p := r.byID[m.From]
	if p == nil || m.Session != "" && m.Session != p.member.Session {
		return
	}
	switch m.Reason {
	case ReasonLost:
		if m.Leaving {
			r.leaving[p] = true
		}
		r.lose(p)
	case ReasonLeft:
		r.leaving[p] = true
		p.link.Goodbye()
	case ReasonExpired:
		r.park(p, m.Reason) // it may get a new token
	default:
		r.forget(p, m.Reason)
	}
}

func (r *roster) rename(p *peer, name string) {
	old := p.Name()
	if old == name {
		return
	}
	p.link.SetName(name)
	r.events.add(PeerRenamed{Peer: p, Old: old})
}

// close ends all links with the room.
func (r *roster) close() { r.each(func(p *peer) { p.link.Close() }) }
