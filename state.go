package noom

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"noom/internal/data"
	"noom/internal/mailbox"
	"noom/internal/state"
)

// maxAsideBytes is how many bytes of frames of one peer, of the room's state and of chat, may wait for the room's loop.
const maxAsideBytes = 1 << 20

// stateWantCost is what a peer pays, in records, for asking us for all that we have of a writer.
const stateWantCost = 32

// State is a map of small values that the members of a room share: who has the floor, what is on the screen, the score.
// Keys are 1 to 256 bytes of UTF-8 that do not begin with "noom:", values up to 32768 bytes. They belong to nobody: who
// writes last wins, and of two members that write at the same time the same one everywhere. A newcomer gets what there is
// from the other members; the hub has no part in it, and may be gone. Every member of the room can write and delete.
//
// What a member writes shows as long as it is in the room. When it leaves or is lost, that goes, and what others have
// written there with [StateOptions].Keep shows again, if anything; if it comes back in the same session, as after an
// outage, so does what it has written. What was written with Keep stays while anyone is there. Members sign what they
// write, so no member can change what it passes on of another's. Who has deleted something is known for 10 minutes: a
// member that was cut off for longer may bring it back.
//
// One member can have 65536 bytes of keys and values, and 256 keys. What is written while there is no connection to a
// member comes to it later. The methods may be called from anywhere.
type State struct {
	room *room

	mu      sync.RWMutex // a leaf lock. The room's loop alone changes machine
	machine *state.Machine

	timer mailbox.Timer // the loop's
	due   time.Time     // of timer
}

// StateEntry is what a member has written under a key.
type StateEntry struct {
	Key   string
	Value []byte
	By    Member // its Name is empty if it is not in the room
	Keep  bool
}

// StateOptions are options of [State].Set. nil stands for the zero StateOptions.
type StateOptions struct {
	Keep bool // the value stays when this member leaves
}

func newState(r *room) *State { return &State{room: r, machine: state.New(r.self.ID, r.self.Session)} }

// Set writes a value under a key. It does not wait for other members. A nil o works. Errors: [ErrStateKey], [ErrTooBig],
// [ErrStateFull], [ErrClosed], ctx's.
func (s *State) Set(ctx context.Context, key string, value []byte, o *StateOptions) error {
	return s.write(ctx, key, value, o != nil && o.Keep, false)
}

// Delete deletes what shows under a key, whoever has written it. It does nothing if nothing shows here. Errors:
// [ErrStateKey], [ErrClosed], ctx's.
func (s *State) Delete(ctx context.Context, key string) error {
	return s.write(ctx, key, nil, false, true)
}

// Get returns what shows under a key, and whether anything does.
func (s *State) Get(key string) (StateEntry, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.machine.Get(key)
	if r == nil || !state.IsKey(key) {
		return StateEntry{}, false
	}
	return s.entry(r), true
}

// All yields all that shows, sorted by key, as it is when the loop over it begins.
func (s *State) All() iter.Seq[StateEntry] {
	return func(yield func(StateEntry) bool) {
		s.mu.RLock()
		list := s.machine.Shown()
		s.mu.RUnlock()
		for _, r := range list {
			if state.IsKey(r.Key) && !yield(s.entry(r)) {
				return
			}
		}
	}
}

func (s *State) entry(r *state.Record) StateEntry {
	return StateEntry{Key: r.Key, Value: slices.Clone(r.Value), By: s.writer(r), Keep: r.Keep}
}

// writer returns who has written a record.
func (s *State) writer(r *state.Record) Member {
	if self := s.room.Self(); r.Writer == self.ID && r.Session == self.Session {
		return self
	}
	if p, ok := s.room.roster.peer(r.Writer); ok && p.member.Session == r.Session {
		return p.Member()
	}
	return Member{ID: r.Writer, PublicKey: r.PublicKey, Session: r.Session}
}

func (s *State) attributesOf(id string) map[string]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.machine.Get(state.AttributesKey(id))
	if r == nil {
		return nil
	}
	return state.DecodeAttributes(r.Value)
}

func (s *State) setAttributes(ctx context.Context, attributes map[string]string) error {
	value, err := state.EncodeAttributes(attributes)
	if err != nil {
		return fmt.Errorf("noom: set attributes: %w", err)
	}
	return s.ask(ctx, state.AttributesKey(s.room.self.ID), value, false, false)
}

func (s *State) write(ctx context.Context, key string, value []byte, keep, deleted bool) error {
	if !state.IsKey(key) {
		return ErrStateKey
	}
	return s.ask(ctx, key, value, keep, deleted)
}

// ask makes the room's loop write.
func (s *State) ask(ctx context.Context, key string, value []byte, keep, deleted bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.room.farewell.sealed.Load() {
		return ErrClosed
	}
	value = slices.Clone(value)
	refused, err := mailbox.Ask(ctx, s.room.mail, func() error { return s.writeNow(key, value, keep, deleted) })
	return errors.Join(refused, err)
}

// The room's loop calls what follows, but came.

func (s *State) writeNow(key string, value []byte, keep, deleted bool) error {
	var err error
	s.change(false, func(now time.Time) {
		if deleted && s.machine.Get(key) == nil {
			return
		}
		var r *state.Record
		if r, err = s.machine.Prepare(s.room.self.PublicKey, key, value, keep, deleted); err == nil {
			r.Signature = s.room.cfg.Identity.sign(r.Text(s.room.name))
			err = s.machine.Write(now, r)
		}
	})
	return err
}

// joined takes a member that has come.
func (s *State) joined(m Member) {
	s.change(true, func(now time.Time) { s.machine.Joined(now, m.ID, m.Session) })
}

// left takes a member that is gone.
func (s *State) left(m Member) {
	s.change(true, func(now time.Time) { s.machine.Left(now, m.ID) })
}

// opened is called when there is another connection to p.
func (s *State) opened(p *peer) {
	if s.room.roster.has(p) {
		s.change(true, func(time.Time) { s.machine.Opened(p.member.ID) })
	}
}

// came takes a frame from p. The loop of p's link calls it, and checks the signatures, which takes long.
func (s *State) came(p *peer, b []byte) {
	f, err := state.Decode(b)
	if err != nil {
		s.room.trace.note(p.member, "frame of the room's state dropped", "error", err)
		return
	}
	cost := 1 + len(f.Records) + len(f.Haves)/16
	if f.Type == state.Want {
		cost = stateWantCost
	}
	if !p.admitAside(len(b), cost) {
		return
	}
	f.Records = slices.DeleteFunc(f.Records, func(r *state.Record) bool {
		s.mu.RLock()
		useful := s.machine.Useful(r)
		s.mu.RUnlock()
		return !useful || !r.Verify(s.room.name)
	})
	p.postAside(len(b), func() {
		s.change(true, func(now time.Time) { s.machine.Receive(now, p.member.ID, &f) })
	})
}

// change changes the machine, and does what follows from it. If tell, the application sees what has changed.
func (s *State) change(tell bool, what func(now time.Time)) {
	now := time.Now()
	s.mu.Lock()
	what(now)
	out := s.machine.Flush()
	next := s.machine.Next(now)
	s.mu.Unlock()
	for _, o := range out.Frames {
		if p := s.room.roster.byID[o.To]; p != nil && !p.link.SendAside(data.AsideState, o.Frame.Encode(), o.Frame.Type == state.Written) {
			s.mu.Lock()
			s.machine.Lost(o.To)
			next = s.machine.Next(now)
			s.mu.Unlock()
		}
	}
	if tell {
		s.tell(out.Changes)
	}
	s.wait(now, next)
}

// tell makes events of changes.
func (s *State) tell(changes []state.Change) {
	for _, c := range changes {
		if id, are := state.AttributesOf(c.Key); are {
			if p := s.room.roster.byID[id]; p != nil {
				s.room.events.add(AttributesChanged{Peer: p})
			}
			continue
		}
		e := StateChanged{Key: c.Key, By: s.writer(c.By)}
		if !c.Gone {
			e.Value = slices.Clone(c.By.Value)
		}
		s.room.events.add(e)
	}
}

// wait makes the loop look again when the machine is due.
func (s *State) wait(now, next time.Time) {
	switch {
	case next.IsZero():
		s.timer.Stop()
	case !s.timer.Pending() || next.Before(s.due):
		s.due = next
		s.timer.Set(s.room.mail, next.Sub(now), func() { s.change(true, s.machine.Tick) })
	}
}
