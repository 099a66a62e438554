package noom

import (
	"context"
	"errors"
	"sync"

	"noom/signal"
)

// This file has what a member may do to others with a right that the hub grants (kick, lock, mute, close), and what
// happens when others do it.

func (r *room) Kick(ctx context.Context, id string) error {
	if err := signal.CheckID(id); err != nil {
		return signal.Errorf(signal.CodeNoSuchMember, signal.TypeKick, "noom: kick: %v", err)
	}
	kick := signal.Message{Type: signal.TypeKick, To: id}
	if p, known := r.Peer(id); known { // for a hub that does not know the member, as after a restart
		kick.Session = p.Member().Session
	}
	return r.requests.ask(ctx, kick)
}

func (p *peer) RequestMute(ctx context.Context, track string) error {
	track = signal.CleanName(track)
	if err := signal.CheckName(track); err != nil {
		return signal.Errorf(signal.CodeMalformed, signal.TypeMute, "noom: mute request: %v", err)
	}
	return p.room.requests.ask(ctx, signal.Message{Type: signal.TypeMute, To: p.member.ID, Name: track})
}

func (r *room) Lock(ctx context.Context) error {
	return r.requests.ask(ctx, signal.Message{Type: signal.TypeLock})
}

func (r *room) Unlock(ctx context.Context) error {
	return r.requests.ask(ctx, signal.Message{Type: signal.TypeUnlock})
}

func (r *room) Locked() bool { return r.standing.isLocked() }

func (r *room) CloseForAll(ctx context.Context) error {
	if r.ctx.Err() != nil {
		return ErrClosed
	}
	err := r.requests.ask(ctx, signal.Message{Type: signal.TypeClose})
	if !errors.Is(err, ErrClosed) {
		return err
	}
	<-r.Done() // the end of the room confirms it
	if errors.Is(r.Err(), ErrRoomClosed) {
		return nil
	}
	return err
}

// standing is what the hub says about us and the room: our name, our rights, and whether the room is locked. The room's
// loop writes it; any goroutine may read it.
type standing struct {
	self     Member // without Name, Rights and Account
	events   *eventQueue
	requests *requests

	mu      sync.Mutex
	name    string
	rights  signal.Rights // ours, as the hub grants them
	account string        // as the hub says it
	locked  bool
}

// member returns us as the others see us.
func (s *standing) member() Member {
	m := s.self
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Name, m.Rights, m.Account = s.name, s.rights, s.account
	return m
}

func (s *standing) may(right signal.Right) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rights.Has(right)
}

func (s *standing) isLocked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locked
}

func (s *standing) rename(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name = name
}

// grant takes the rights that the hub grants us, and whom it takes us for, and returns whether we could publish before and may now. They change
// only when we come back with another token.
func (s *standing) grant(rights signal.Rights, account string) (before, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, now = s.rights.Has(RightPublish), rights.Has(RightPublish)
	s.rights, s.account = rights, account
	return before, now
}

func (s *standing) setLocked(locked bool, by Member) {
	s.mu.Lock()
	before := s.locked
	s.locked = locked
	s.mu.Unlock()
	if locked != before {
		s.events.add(RoomLocked{Locked: locked, By: by})
	}
}

// lockChanged takes the hub's word that the room was locked or unlocked, by us or by another member.
func (s *standing) lockChanged(m signal.Message, by Member) {
	locked, ours := m.Type == signal.TypeLocked, m.From == s.self.ID
	if ours {
		by = s.member()
	}
	s.setLocked(locked, by)
	if ours {
		asked := signal.TypeUnlock
		if locked {
			asked = signal.TypeLock
		}
		s.requests.settle(nil, func(p *signal.Message) bool { return p.Type == asked })
	}
}

// muteRequested takes a request to mute: the hub has passed ours on, or by asks us.
func (s *standing) muteRequested(m signal.Message, by Member) {
	if m.From == s.self.ID {
		by = s.member()
		s.requests.settle(nil, func(p *signal.Message) bool {
			return p.Type == m.Type && p.To == m.To && p.Name == m.Name
		})
	}
	if m.To == s.self.ID && by.ID != "" {
		s.events.add(MuteRequested{By: by, Track: m.Name})
	}
}
