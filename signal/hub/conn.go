package hub

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"noom/signal"
)

// lingerTime is how long a connection that is to end may take to be written what
// still waits for it.
const lingerTime = 5 * time.Second

// A conn is one connection to the hub. One goroutine lives as long as it does:
// the reader, which steps the room with each frame it brings. The writer comes
// when the outbox has something, and the timer when the pulse is to be asked.
type conn struct {
	hub     *Hub
	link    signal.Signaler
	outbox  outbox
	pulse   pulse
	timer   *time.Timer    // calls mind
	written sync.WaitGroup // for the writer to have closed the connection

	calls  context.Context                    // for calls of link: ends when it is cut, or never if link can be aborted
	stop   func()                             // ends them, and so reader and writer
	forget func() bool                        // ends the watch over the context that Serve was given; nil: there is none
	why    atomic.Pointer[error]              // it was cut; nil: it was not
	parted atomic.Bool                        // its member's bye was posted, and it ends soon
	asking atomic.Pointer[context.CancelFunc] // ends the call that is under way of a function in Config

	address netip.Addr // of the other end; invalid if the transport has none
	number  int64      // in a cluster: what other hubs call it, beside this hub's id

	// Owned by the reader.
	given     context.Context // for functions in Config; nil when they will no longer be called
	rate      *rate.Limiter
	join      *application // once asked for
	challenge signal.Bytes // the nonce that awaits its proof; nil: none does
	grant     Grant        // once authorised
	loudness  bucket       // deliveries of what it said to many
	spread    int32        // such deliveries since the last frame
	pardoned  int8         // bad requests in a row
	counted   bool         // by the gate
	left      bool         // said bye
	leaving   bool         // has not, but its browser said that the page goes away
	since     time.Time    // when it entered, set before; until then: when it came
	place     place        // of the room, once joined
}

// An application is what a join asks for.
type application struct {
	Room, Name, Session, Token string
	Key                        signal.PublicKey
	Sends                      []string
	Card                       *signal.Card
}

// is reports whether a join asks for the same, whatever its token is.
func (a *application) is(m *signal.Message) bool {
	return m.Room == a.Room && m.Name == a.Name && m.Session == a.Session && bytes.Equal(m.Key, a.Key)
}

func (h *Hub) newConn(ctx context.Context, s signal.Signaler) *conn {
	c := &conn{
		hub:     h,
		link:    s,
		outbox:  outbox{maxFrames: h.config.QueueFrames, maxBytes: h.config.QueueBytes},
		pulse:   pulse{heartbeat: h.config.Heartbeat},
		address: signal.Address(s).Unmap().WithZone(""), // the zone is a name of this machine's own
		rate:    rate.NewLimiter(rate.Limit(h.config.Limits.Rate), h.config.Limits.Burst),
	}
	c.calls, c.given = context.Background(), ctx
	if link, can := s.(signal.Aborter); can {
		c.stop = link.Abort
	} else {
		c.calls, c.stop = context.WithCancel(c.calls)
	}
	if ctx.Done() != nil {
		c.forget = context.AfterFunc(ctx, func() { c.cutFor(context.Cause(ctx)) })
	}
	if h.fleet != nil {
		c.number = h.fleet.numbers.Add(1)
	}
	c.since = time.Now()
	c.outbox.write = c.write
	c.written.Add(1)
	c.pulse.expect(c.since.Add(h.config.JoinTimeout))
	c.timer = time.AfterFunc(time.Hour, c.mind)
	c.timer.Reset(h.config.JoinTimeout) // not before c.timer is set
	return c
}

// cut ends the connection at once, with all that is done for it.
func (c *conn) cut() {
	c.cutFor(context.Canceled)
	if c.forget != nil {
		c.forget()
	}
}

func (c *conn) cutFor(why error) {
	c.why.CompareAndSwap(nil, &why)
	if cancel := c.asking.Load(); cancel != nil {
		(*cancel)()
	}
	c.stop()
}

// ask calls f with a context that ends with the connection. Most connections need
// one for a moment, if ever.
func (c *conn) ask(f func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(c.given)
	defer cancel()
	c.asking.Store(&cancel)
	defer c.asking.Store(nil)
	if c.why.Load() == nil { // otherwise asking may have gone unseen
		f(ctx)
	}
}

// end waits until the connection is closed and returns why it was.
func (c *conn) end() error {
	c.written.Wait()
	c.pulse.end()
	c.timer.Stop()
	_, why := c.outbox.end()
	return why
}

// handle acts on one frame. It reports whether there may be a next.
func (c *conn) handle(m *signal.Message) bool {
	if e := c.hub.exceeds(m); e != nil {
		if e.Code == signal.CodeTooBig || e.Code == signal.CodeBadName && m.Type == signal.TypeJoin {
			c.refuse(e)
			return false
		}
		c.send(errorFrame(e))
		return true
	}
	switch {
	case m.Type == signal.TypeBye:
		c.left = true
		c.outbox.abandon(nil, nil)
		return false
	case m.Type == signal.TypeJoin && c.join == nil:
		return c.askedToJoin(m)
	case m.Type == signal.TypeJoin && c.join.is(m):
		if c.challenge != nil { // a join in a request has no token
			c.join.Token = strings.Clone(m.Token)
		}
		return true
	case m.Type == signal.TypeJoin:
		c.send(errorFrame(signal.Errorf(signal.CodeAlreadyJoined, m.Type, "this connection has asked to join %q already", c.join.Room)))
		return true
	case m.Type == signal.TypePing && c.join != nil:
		c.send(pong)
		return true
	case c.place != nil:
		return c.inRoom(m)
	case c.challenge != nil && m.Type == signal.TypeProof:
		return c.proven(m)
	case c.challenge != nil:
		c.refuse(signal.Errorf(signal.CodeJoinFirst, m.Type, "a proof must answer the challenge before anything else"))
	default:
		c.refuse(signal.Errorf(signal.CodeJoinFirst, m.Type, "the first frame must be a join, not %q", m.Type))
	}
	return false
}

// inRoom acts on a frame of a joined member. Types that members do not send are ignored, as unknown
// types are.
func (c *conn) inRoom(m *signal.Message) bool {
	var e *signal.Error
	switch {
	case m.Pair():
		e = c.place.relay(c, *m)
	case m.Type == signal.TypeChat:
		e = c.place.chat(c, *m, time.Now().UnixMilli())
	case m.Type == signal.TypeRename:
		e = c.place.rename(c, strings.Clone(m.Name)) // it is part of an envelope
	case rightsNeeded[m.Type] != "":
		e = c.place.moderate(c, *m)
	case m.Type == signal.TypeServers:
		servers := c.servers(c.member())
		if p, ok := c.place.(*shared); ok {
			p.served(c, servers)
		}
		c.send(servers)
	}
	if e != nil {
		c.refuse(e)
	}
	return e == nil
}

// reason is the reason for the others when the reader has ended.
func (c *conn) reason() signal.Reason {
	switch {
	case c.left || c.parted.Load():
		return signal.ReasonLeft
	case c.leaving:
		return reasonLeaving
	}
	return signal.ReasonLost
}

// send queues a frame of the hub's own.
func (c *conn) send(m *signal.Message) {
	frame, err := m.Encode()
	if err != nil {
		panic(err) // none of them is near the limit
	}
	if !c.outbox.push(m, len(frame)) {
		c.tooSlow()
	}
}

// refuse ends the connection with an error frame and its code.
func (c *conn) refuse(e *signal.Error) {
	c.finish(errorFrame(e), e)
}

// finish ends the connection with a last frame. What waits and that frame may
// take linger to be written.
func (c *conn) finish(m *signal.Message, why error) {
	if _, err := m.Encode(); err != nil {
		c.outbox.abandon(nil, why)
		return
	}
	if c.outbox.finish(m, why) {
		time.AfterFunc(lingerTime, c.cut)
	}
}

// tooSlow cuts a connection whose outbox is full. The writer may hang in a
// write, so another goroutine closes; it ends within the transport's bound
// for closing.
func (c *conn) tooSlow() {
	e := signal.Errorf(signal.CodeTooSlow, "", "does not read what it is sent")
	if c.outbox.abandon(e, e) {
		go func() {
			_ = signal.CloseWith(c.link, e) // nothing is left to be done about a failure
			c.cut()
		}()
	}
}

// log logs the connection's end.
func (c *conn) log(why error) {
	if log := c.hub.config.Logger; !log.Enabled(context.Background(), slog.LevelInfo) { // the usual case, and cheap
		return
	}
	attrs := append(c.attrs(), slog.Any("why", why))
	if refusal, refused := errors.AsType[*signal.Error](why); refused {
		c.hub.logbook.write(string(refusal.Code), slog.LevelInfo, "left", attrs...)
	} else {
		c.hub.config.Logger.LogAttrs(context.Background(), slog.LevelDebug, "left", attrs...)
	}
}
