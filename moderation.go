package noom

import (
	"context"
	"errors"
	"slices"

	"noom/signal"
)

// This file is what members do to each other by right, which the hub grants:
// kick, lock, mute, close; and what follows from the rights of others.

func (r *room) Kick(ctx context.Context, id string) error {
	if err := signal.CheckID(id); err != nil {
		return signal.Errorf(signal.CodeNoSuchMember, signal.TypeKick, "noom: kick: %v", err)
	}
	kick := signal.Message{Type: signal.TypeKick, To: id}
	if p, known := r.Peer(id); known { // the hub may not know it, as after a restart
		kick.Session = p.Member().Session
	}
	return r.ask(ctx, kick)
}

func (r *room) Lock(ctx context.Context) error {
	return r.ask(ctx, signal.Message{Type: signal.TypeLock})
}

func (r *room) Unlock(ctx context.Context) error {
	return r.ask(ctx, signal.Message{Type: signal.TypeUnlock})
}

func (r *room) Locked() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.locked
}

func (r *room) CloseForAll(ctx context.Context) error {
	if r.ctx.Err() != nil {
		return ErrClosed
	}
	err := r.ask(ctx, signal.Message{Type: signal.TypeClose})
	if !errors.Is(err, ErrClosed) {
		return err
	}
	<-r.done // the confirmation is the end
	if errors.Is(r.err, ErrRoomClosed) {
		return nil
	}
	return err
}

func (l *link) RequestMute(ctx context.Context, track string) error {
	track = signal.CleanName(track)
	if err := signal.CheckName(track); err != nil {
		return signal.Errorf(signal.CodeMalformed, signal.TypeMute, "noom: mute request: %v", err)
	}
	return l.room.ask(ctx, signal.Message{Type: signal.TypeMute, To: l.member.ID, Name: track})
}

// The hub's notices, taken by the room's loop.

func (r *room) lockChanged(m signal.Message) {
	locked := m.Type == signal.TypeLocked
	r.setLocked(locked, r.memberOf(m.From))
	if m.From == r.self.ID {
		asked := signal.TypeUnlock
		if locked {
			asked = signal.TypeLock
		}
		r.settle(nil, func(p *request) bool { return p.message.Type == asked })
	}
}

func (r *room) setLocked(locked bool, by Member) {
	r.mu.Lock()
	before := r.locked
	r.locked = locked
	r.mu.Unlock()
	if locked != before {
		r.events.add(RoomLocked{Locked: locked, By: by})
	}
}

// memberOf returns the member with that id, the zero Member if there is none.
func (r *room) memberOf(id string) Member {
	if id == r.self.ID {
		return r.Self()
	}
	if l := r.links[id]; l != nil {
		return l.Member()
	}
	return Member{}
}

func (r *room) muteRequested(m signal.Message) {
	if m.From == r.self.ID {
		r.settle(nil, func(p *request) bool {
			return p.message.Type == m.Type && p.message.To == m.To && p.message.Name == m.Name
		})
	}
	if by := r.memberOf(m.From); m.To == r.self.ID && by.ID != "" {
		r.events.add(MuteRequested{By: by, Track: m.Name})
	}
}

// Rights.

func (r *room) may(right signal.Right) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rights.Has(right)
}

// setRights takes what the hub lets us do. It changes only when we come back
// with another token.
func (r *room) setRights(rights signal.Rights) {
	r.mu.Lock()
	before, now := r.rights.Has(RightPublish), rights.Has(RightPublish)
	r.rights = rights
	senders := r.senders
	r.mu.Unlock()
	if before == now {
		return
	}
	for _, links := range []map[string]*link{r.links, r.asleep} {
		for _, l := range links {
			for _, s := range senders {
				if now {
					l.publish(s)
				} else {
					l.unpublish(s)
				}
			}
		}
	}
	if !now && len(senders) > 0 {
		r.log.Warn("the hub lets this member publish nothing; its tracks go nowhere", "tracks", len(senders))
	}
}

// setRights takes what the hub says the peer may do.
func (l *link) setRights(rights signal.Rights) {
	l.mu.Lock()
	same := slices.Equal(l.rights, rights) && (l.rights == nil) == (rights == nil)
	l.rights = rights
	l.mu.Unlock()
	if !same {
		l.mail.Post(func() {
			if l.conn != nil && l.heard != nil {
				l.takeTable()
			}
		})
	}
}

func (l *link) may(right signal.Right) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rights.Has(right)
}
