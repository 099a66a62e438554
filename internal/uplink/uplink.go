// Package uplink connects a member to the hub and keeps it connected: it dials, joins,
// proves the member's identity, keeps the heartbeat, and redials until it is back, its
// owner ends it, or the hub refuses for good. Of several hubs it takes the first in the room's
// order that lets it in. It owns the connection to the hub, the frames that wait for it, the
// pauses between dials, and what is known of each hub. Its owner deals with the frames.
package uplink

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"noom/signal"
)

const (
	// FirstRedial is the pause before the first dial after a loss. It doubles with each dial.
	FirstRedial = 100 * time.Millisecond
	// CalmAfter is how long a connection must have lasted for redials to start at FirstRedial again.
	CalmAfter = 10 * time.Second

	hubAnswers = time.Second // for the hub to answer a nudge

	// How many joined frames may come again on one connection: so many at once, and so many a second from there on.
	againBurst, againRate = 8, 1
)

// Config says which member an Uplink joins as, and what it calls. None of its functions
// may be nil, except TokenSource, and none may block.
type Config struct {
	Dialer signal.Dialer
	Room   string
	Self   signal.Member                  // ID, PublicKey and Session
	Name   func() string                  // the nickname to join under, asked before each join
	Sign   func(text []byte) signal.Bytes // with the key behind Self
	Sends  func() []string                // what we publish, as a join says it, asked before each join; nil: nothing

	// The hub gets Token or, if TokenSource is not nil, what that returns. With a
	// TokenSource, a member whose authorisation has ended comes back.
	Token       string
	TokenSource func(context.Context) (string, error)

	JoinInFrame bool // the Dialer gets no join to hand over

	DialTimeout time.Duration // of one dial and join, except the first; several hubs share it
	RedialMax   time.Duration // the longest pause between two dials, unless the hub asks for more

	// Trace is called for each frame to or from the hub that does not pass through the
	// owner: those of joins and goodbyes. It is called from several goroutines.
	Trace func(sent bool, m signal.Message)
	// Lost is called each time the connection is lost and the hub will be dialled again.
	Lost func(error)
	Log  *slog.Logger
}

// Uplink is the way to one hub. After Join, the owner calls Run in one goroutine and receives
// from Frames in another. All other methods may be called from anywhere, and none of them
// blocks.
type Uplink struct {
	cfg    Config
	frames chan signal.Message
	again  chan signal.Message
	nudge  chan struct{} // holds a token while the hub has to be asked for a sign of life
	gone   chan struct{} // closed when the hub will not be dialled again
	outbox atomic.Pointer[outbox]
	parted atomic.Bool    // we have said goodbye: the hub is not dialled again
	tasks  sync.WaitGroup // the goroutines of connections

	arrival Arrival // immutable after Join

	// Owned by Join, then by Run.
	conn      signal.Signaler
	hubs      hubs
	at        int // which of them conn is to
	heartbeat time.Duration
	warned    bool // of a token that the hub does not want
}

// New returns an Uplink that has not joined.
func New(cfg Config) *Uplink {
	return &Uplink{
		cfg: cfg, frames: make(chan signal.Message), again: make(chan signal.Message),
		nudge: make(chan struct{}, 1), gone: make(chan struct{}),
	}
}

// Join dials the hub and joins, once, and returns the joined frame. After that the Uplink is online. Of several hubs each is
// tried once. card, which may be nil, goes with this join and with no later one.
func (u *Uplink) Join(ctx context.Context, card *signal.Card) (joined signal.Message, err error) {
	u.arrival.Began = time.Now()
	u.hubs = hubsOf(u.cfg.Dialer, u.cfg.Room)
	if u.conn, joined, err = u.attempt(ctx, &u.arrival, card); err != nil {
		return joined, err
	}
	u.heartbeat = heartbeatOf(&joined)
	u.outbox.Store(newOutbox())
	return joined, nil
}

// Arrival says when each step of the first join was reached. It is called after Join.
func (u *Uplink) Arrival() Arrival { return u.arrival }

// Frames delivers the hub's frames, in order and one at a time, so that a flood waits in
// the socket. A joined frame among them means that we are back at the hub.
func (u *Uplink) Frames() <-chan signal.Message { return u.frames }

// Again delivers the joined frames that come while we are at the hub, in their place among those of Frames: the hub says
// anew who is in the room, and what we have asked of it may be lost.
func (u *Uplink) Again() <-chan signal.Message { return u.again }

// Online reports whether there is a connection to the hub.
func (u *Uplink) Online() bool { return u.outbox.Load() != nil }

// Put sends m, which must be encodable, to the hub. Without a hub it is dropped.
func (u *Uplink) Put(m signal.Message) {
	if out := u.outbox.Load(); out != nil {
		out.put(m)
	}
}

// Nudge asks the hub for a sign of life, and gives up the connection if none comes. If the
// Uplink is waiting to redial, it redials at once.
func (u *Uplink) Nudge() {
	select {
	case u.nudge <- struct{}{}:
	default:
	}
}

// Goodbye says goodbye to the hub, which is not dialled again. The returned channel is
// closed when the goodbye was handed to the connection, or no longer can be. It is nil if
// there is no connection.
func (u *Uplink) Goodbye() (handedOver <-chan struct{}) {
	u.parted.Store(true)
	out := u.outbox.Load()
	if out == nil {
		return nil
	}
	bye := signal.Message{Type: signal.TypeBye}
	u.cfg.Trace(true, bye)
	out.put(bye)
	return out.over
}

// Gone is closed when Run returns. After a goodbye that means that the hub has received
// it, because the hub then closes the connection.
func (u *Uplink) Gone() <-chan struct{} { return u.gone }

// Run keeps the Uplink connected. It returns nil when ctx ends or after a goodbye, and an
// error if the hub has refused for good.
func (u *Uplink) Run(ctx context.Context) error {
	defer close(u.gone)
	pause := FirstRedial
	for {
		since := time.Now()
		err := u.converse(ctx, u.conn, u.heartbeat)
		if ctx.Err() != nil || u.parted.Load() {
			return nil
		}
		u.cfg.Lost(err)
		if time.Since(since) > CalmAfter {
			pause = FirstRedial
		}
		if _, said := errors.AsType[*signal.Error](err); said { // a connection that broke says nothing of the hub
			u.hubs.failed(u.at, time.Now(), RetryAfter(err))
		}
		var joined signal.Message
		if u.conn, joined, err = u.redial(ctx, &pause); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		u.heartbeat = heartbeatOf(&joined)
		u.outbox.Store(newOutbox()) // before handing over joined, because the owner sends then
		if !handOver(ctx, u.frames, joined) {
			_ = u.conn.Close()
			return nil
		}
	}
}

// Wait waits until all goroutines of the Uplink have ended. It is called after Run has returned.
func (u *Uplink) Wait() { u.tasks.Wait() }

// handOver hands a frame to the owner.
func handOver(ctx context.Context, to chan<- signal.Message, m signal.Message) bool {
	m.Body = bytes.Clone(m.Body) // the Signaler reuses the bytes in the next Receive
	select {
	case to <- m:
		return true
	case <-ctx.Done():
		return false
	}
}

// NextPause returns how long to wait before the next attempt, at random between half of pause and all of it, and doubles
// that, up to most.
func NextPause(pause *time.Duration, most time.Duration) time.Duration {
	jittered := *pause/2 + rand.N(*pause/2+1)
	*pause = min(2**pause, most)
	return jittered
}

// redial dials until it is back, ctx ends, or the hub refuses for good. pause grows with
// each dial, also when connections break at once. A hub that has asked us to stay away is
// not dialled earlier.
func (u *Uplink) redial(ctx context.Context, pause *time.Duration) (signal.Signaler, signal.Message, error) {
	for {
		wait := u.hubs.wait(time.Now())
		jittered := NextPause(pause, u.cfg.RedialMax)
		nudge := u.nudge
		if wait > 0 {
			nudge = nil
		}
		select {
		case <-time.After(max(jittered, wait)):
		case <-nudge: // a new network may be better
			*pause = FirstRedial
		case <-ctx.Done():
			return nil, signal.Message{}, ctx.Err()
		}
		dialCtx, cancel := context.WithTimeout(ctx, u.cfg.DialTimeout)
		s, joined, err := u.attempt(dialCtx, new(Arrival), nil)
		cancel()
		if err == nil || ctx.Err() != nil || IsFinal(err) {
			return s, joined, err
		}
		u.cfg.Log.Debug("redial", "error", err)
	}
}
