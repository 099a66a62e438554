// Package uplink is a member's way to the hub and back to it: it dials, joins, proves its
// identity, keeps the heartbeat, and redials until it is back, its owner ends it, or the
// hub says no for good. It owns the connection to the hub, the frames that wait for it,
// and the pauses between two dials. What the frames say is its owner's business.
package uplink

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"noom/signal"
)

const (
	// FirstRedial is the pause before the first dial after a loss. It doubles with each try.
	FirstRedial = 100 * time.Millisecond

	hubAnswers = time.Second      // to a nudge, or its connection is given up
	calmAfter  = 10 * time.Second // connected so long, redials start at FirstRedial again
)

// Config says whom an Uplink joins as, and what it calls; none of its functions may be nil
// but for TokenSource, and none may block.
type Config struct {
	Dialer signal.Dialer
	Room   string
	Self   signal.Member                  // ID, PublicKey and Session
	Name   func() string                  // the nickname to join under, asked before each join
	Sign   func(text []byte) signal.Bytes // with the key behind Self

	// Token is shown to the hub, or what TokenSource returns if that is not nil. With a
	// TokenSource, a member whose authorisation has ended comes back.
	Token       string
	TokenSource func(context.Context) (string, error)

	DialTimeout time.Duration // of one dial and join, the first excepted
	RedialMax   time.Duration // the longest pause between two dials, unless the hub asks for more

	// Trace is called for each frame to or from the hub that the owner does not see
	// on its way: those of joins and goodbyes. It is called from several goroutines.
	Trace func(sent bool, m signal.Message)
	// Lost is called each time the connection is lost and will be dialled again.
	Lost func(error)
	Log  *slog.Logger
}

// Uplink is the way to one hub. After Join, Run keeps it going, and one goroutine receives
// from Frames. All other methods may be called from anywhere, and none of them blocks.
type Uplink struct {
	cfg    Config
	frames chan signal.Message
	nudge  chan struct{} // holds a token while the hub is to be asked for a sign of life
	gone   chan struct{} // closed when no connection to a hub will be made any longer
	outbox atomic.Pointer[outbox]
	parted atomic.Bool    // a goodbye was said: the hub is not dialled again
	tasks  sync.WaitGroup // the goroutines of connections

	// Owned by Join, then by Run.
	conn      signal.Signaler
	heartbeat time.Duration
}

// New returns an Uplink that has not joined.
func New(cfg Config) *Uplink {
	return &Uplink{
		cfg: cfg, frames: make(chan signal.Message),
		nudge: make(chan struct{}, 1), gone: make(chan struct{}),
	}
}

// Join dials the hub and joins, once, and returns the joined frame. The Uplink is online then.
func (u *Uplink) Join(ctx context.Context) (joined signal.Message, err error) {
	if u.conn, joined, err = u.enter(ctx); err != nil {
		return joined, err
	}
	u.heartbeat = heartbeatOf(&joined)
	u.outbox.Store(newOutbox())
	return joined, nil
}

// Frames brings what the hub says, in order and one at a time, so that a flood is held up
// in the socket. A joined frame among them is that of a return to the hub.
func (u *Uplink) Frames() <-chan signal.Message { return u.frames }

// Online reports whether there is a connection to the hub.
func (u *Uplink) Online() bool { return u.outbox.Load() != nil }

// Put puts m, which must be encodable, on its way to the hub. Without one it goes nowhere.
func (u *Uplink) Put(m signal.Message) {
	if out := u.outbox.Load(); out != nil {
		out.put(m)
	}
}

// Nudge asks the hub for a sign of life, without which its connection is given up. A pause
// before a redial is cut short.
func (u *Uplink) Nudge() {
	select {
	case u.nudge <- struct{}{}:
	default:
	}
}

// Goodbye says goodbye to the hub, which is not dialled again. The channel is closed when
// the goodbye was handed to the connection, or can no longer be; it is nil if there is none.
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

// Gone is closed when Run is over. After a goodbye, that is when the hub has closed the
// connection because it has taken it.
func (u *Uplink) Gone() <-chan struct{} { return u.gone }

// Run keeps the Uplink at a hub until ctx ends or a goodbye was said, and returns nil
// then. Else the hub has refused for good, and the error says why.
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
		if time.Since(since) > calmAfter {
			pause = FirstRedial
		}
		var joined signal.Message
		if u.conn, joined, err = u.redial(ctx, &pause, retryAfter(err)); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		u.heartbeat = heartbeatOf(&joined)
		u.outbox.Store(newOutbox()) // joined makes the owner send
		if !u.handOver(ctx, joined) {
			_ = u.conn.Close()
			return nil
		}
	}
}

// Wait returns when nothing of the Uplink runs any longer, after Run has ended.
func (u *Uplink) Wait() { u.tasks.Wait() }

// handOver hands a frame to the owner.
func (u *Uplink) handOver(ctx context.Context, m signal.Message) bool {
	m.Body = bytes.Clone(m.Body) // the Signaler's until the next Receive
	select {
	case u.frames <- m:
		return true
	case <-ctx.Done():
		return false
	}
}

// redial tries until it is back, ctx ends, or the hub says no for good. pause
// grows with each try, and over connections that break at once; wait is what the hub has
// asked for besides.
func (u *Uplink) redial(ctx context.Context, pause *time.Duration, wait time.Duration) (signal.Signaler, signal.Message, error) {
	for {
		jittered := *pause/2 + rand.N(*pause/2+1)
		*pause = min(2**pause, u.cfg.RedialMax)
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
		s, joined, err := u.enter(dialCtx)
		cancel()
		if err == nil || ctx.Err() != nil || final(err) {
			return s, joined, err
		}
		u.cfg.Log.Debug("redial", "error", err)
		wait = retryAfter(err)
	}
}
