package bot

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"noom"
)

// stage is a room while the bot is in it: it takes the events and hands each to its handler.
type stage struct {
	// Immutable.
	room     noom.Room
	handlers Handlers
	backlog  int
	log      *slog.Logger
	ctx      context.Context // of handlers
	cancel   context.CancelFunc
	calls    sync.WaitGroup // goroutines of handlers

	// Owned by listen.
	stays map[string]*stay // of the members that are there, by id

	mu    sync.Mutex        // also held when ctx ends
	lanes map[laneKey]*lane // those that are busy
}

// stay is that of a member in the room.
type stay struct {
	ctx       context.Context
	cancel    context.CancelFunc
	connected bool // it was
	tracks    map[noom.RemoteTrack]context.CancelFunc
}

func newStage(ctx context.Context, room noom.Room, handlers Handlers, c *Config) *stage {
	s := &stage{
		room: room, handlers: handlers, backlog: c.Backlog, log: c.Join.Logger,
		stays: make(map[string]*stay), lanes: make(map[laneKey]*lane),
	}
	// Not with ctx: the contexts of handlers end when nothing is handed to them any longer.
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if handlers.Question != nil {
		answering := room.(interface { // as each that Join returns
			HandleRest(func(ctx context.Context, from noom.Peer, topic string, data []byte) ([]byte, error))
		})
		answering.HandleRest(s.question)
	}
	if handlers.Entered != nil {
		s.calls.Go(func() { handlers.Entered(s.ctx, room) })
	}
	return s
}

// listen takes events until the room is over, and returns why, or until ctx ends.
func (s *stage) listen(ctx context.Context) error {
	room := s.room.(interface { // as each that Join returns
		NextHeld(ctx context.Context) (noom.Event, func(), error)
	})
	for {
		e, taken, err := room.NextHeld(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // a handler has taken the last event
			return s.room.Err()
		}
		if taken == nil {
			taken = func() {}
		}
		if over, ok := e.(noom.Closed); ok {
			return over.Err
		}
		s.dispatch(e, taken)
	}
}

// close ends the contexts of handlers, leaves the room, and waits for both, but no longer than patience.
func (s *stage) close(patience time.Duration) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(s.ctx), patience)
	defer stop()
	s.mu.Lock() // so that no question comes after that
	s.cancel()
	s.mu.Unlock()
	returned := make(chan struct{})
	go func() {
		s.calls.Wait()
		close(returned)
	}()
	select {
	case <-returned:
	case <-time.After(patience / 2):
	}
	if err := s.room.Leave(ctx); err != nil {
		s.log.Warn("bot: at the goodbye", "room", s.room.Name(), "error", err)
	}
	select {
	case <-returned:
		return nil
	case <-ctx.Done():
		return ErrBusy
	}
}

// dispatch hands an event to its handler, and has taken called, which acknowledges the event.
func (s *stage) dispatch(event noom.Event, taken func()) {
	switch e := event.(type) {
	case noom.PeerJoined:
		s.joined(e)
	case noom.PeerLeft:
		s.left(e)
	case noom.PeerStateChanged:
		if here := s.of(e.Peer); !here.connected && e.State == noom.PeerConnected {
			here.connected = true
			alone(here.ctx, s, s.handlers.Connected, e)
		}
		s.other(e)
	case noom.TrackAdded:
		here := s.of(e.Peer)
		ctx, cancel := context.WithCancel(here.ctx)
		here.tracks[e.Track] = cancel
		alone(ctx, s, s.handlers.Track, e)
	case noom.TrackRemoved:
		here := s.of(e.Peer)
		if cancel := here.tracks[e.Track]; cancel != nil {
			cancel()
			delete(here.tracks, e.Track)
		}
		s.other(e)
	case noom.ChannelOpened:
		taken()
		alone(s.of(e.Peer).ctx, s, s.handlers.Channel, e)
	case noom.ChatReceived:
		inTurn(s.ctx, s, laneKey{laneChat, e.From.ID}, s.handlers.Chat, e)
	case noom.DataReceived:
		s.data(e, taken)
	default:
		s.other(e)
	}
}

// of returns the stay of a peer. One that is not there any longer has one that has ended.
func (s *stage) of(p noom.Peer) *stay {
	if here := s.stays[p.ID()]; here != nil {
		return here
	}
	gone := s.newStay()
	gone.cancel()
	return gone
}

func (s *stage) newStay() *stay {
	here := &stay{tracks: make(map[noom.RemoteTrack]context.CancelFunc)}
	here.ctx, here.cancel = context.WithCancel(s.ctx)
	return here
}

func (s *stage) joined(e noom.PeerJoined) {
	here := s.newStay()
	s.stays[e.Peer.ID()] = here
	if s.handlers.Joined == nil && s.handlers.Left == nil {
		return
	}
	s.put(laneKey{lanePresence, e.Peer.ID()}, job{joins: true, do: func() {
		if s.handlers.Joined != nil {
			s.handlers.Joined(here.ctx, s.room, e)
		}
	}})
}

func (s *stage) left(e noom.PeerLeft) {
	if here := s.stays[e.Member.ID]; here != nil {
		here.cancel()
		delete(s.stays, e.Member.ID)
	}
	k := laneKey{lanePresence, e.Member.ID}
	if !s.forgetJoin(k) {
		inTurn(s.ctx, s, k, s.handlers.Left, e)
	}
}

// data acknowledges a message when its handler has it, so that until then it counts as one in flight.
func (s *stage) data(e noom.DataReceived, taken func()) {
	if s.handlers.Data == nil {
		taken()
		return
	}
	ctx := s.of(e.Peer).ctx
	s.put(laneKey{laneData, e.Peer.ID()}, job{do: func() {
		taken()
		s.handlers.Data(ctx, s.room, e)
	}})
}

// question answers a question, unless the stage ends. It is called from anywhere, in a goroutine of its own.
func (s *stage) question(ctx context.Context, from noom.Peer, topic string, data []byte) ([]byte, error) {
	s.mu.Lock()
	if s.ctx.Err() != nil {
		s.mu.Unlock()
		return nil, noom.ErrCancelled
	}
	s.calls.Add(1)
	s.mu.Unlock()
	defer s.calls.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	return s.handlers.Question(ctx, s.room, Question{Peer: from, Topic: topic, Data: data})
}

func (s *stage) other(e noom.Event) { inTurn(s.ctx, s, laneKey{laneEvent, ""}, s.handlers.Event, e) }

// alone calls a handler at once, beside all others.
func alone[E noom.Event](ctx context.Context, s *stage, h Handler[E], e E) {
	if h != nil {
		s.calls.Go(func() { h(ctx, s.room, e) })
	}
}

// inTurn calls a handler once those before it in its lane have returned.
func inTurn[E noom.Event](ctx context.Context, s *stage, k laneKey, h Handler[E], e E) {
	if h != nil {
		s.put(k, job{do: func() { h(ctx, s.room, e) }})
	}
}
