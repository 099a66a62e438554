package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"runtime"
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
	asking atomic.Pointer[context.CancelFunc] // ends the call that is under way of a function in Config

	address netip.Addr // of the other end; invalid if the transport has none

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
	since     time.Time    // when it entered, set before; until then: when it came
	home      *home        // the room, once joined
}

// An application is what a join asks for.
type application struct {
	Room, Name, Session, Token string
	Key                        signal.PublicKey
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

// quietTime is after how long a silence a member counts as idle.
const quietTime = time.Second

// read acts on frames until the connection ends or is to end. Nearly all connections wait for a
// frame nearly all the time, so this goroutine only waits, on the smallest stack there is:
// everything else happens on another one.
func (c *conn) read() {
	waiter, _ := c.link.(signal.Waiter)
	for last, more := (time.Time{}), true; more; {
		if waiter == nil || !waiter.Wait(c.calls) {
			more = c.step()
			continue
		}
		busy := time.Since(last) < quietTime
		runAside(func() {
			growStack()
			c.guard(func() { more = false; more = c.spell(waiter, busy) })
		})
		last = time.Now()
	}
}

// spell acts on the frame that has come and, while the member is busy, on those behind it: another
// goroutine for each would cost a tenth of relaying it. The first frame after a silence, if only
// the answer to a ping, ends the spell.
func (c *conn) spell(waiter signal.Waiter, busy bool) (more bool) {
	for {
		began := time.Now()
		if !c.step() {
			return false
		}
		if !busy {
			return true
		}
		waiter.Wait(c.calls)
		busy = time.Since(began) < quietTime
	}
}

// runAside runs f on another goroutine, whose stack is freed when that is done, and waits for it.
//
//go:noinline
func runAside(f func()) {
	var done sync.WaitGroup
	done.Go(f)
	done.Wait()
}

// growStack makes room on a fresh goroutine's stack at once. It would grow by
// and by, and each time everything on it is copied.
//
//go:noinline
func growStack() {
	var room [12 << 10]byte
	runtime.KeepAlive(&room)
}

// step acts on the next frame. It reports whether there may be another. A
// frame above the rate waits, and those behind it wait in the transport.
func (c *conn) step() bool {
	m, err := c.link.Receive(c.calls)
	bad := c.pardons(err)
	if err != nil && bad == nil {
		c.broken(err)
		return false
	}
	now := time.Now()
	c.pulse.beat(now)
	if bad == nil {
		c.hub.meter.take(&m)
	}
	if !c.rate.AllowN(now, 1) { // Wait costs more
		err := net.ErrClosed
		c.ask(func(ctx context.Context) { err = c.rate.Wait(ctx) })
		if err != nil {
			c.broken(err)
			return false
		}
	}
	if bad != nil {
		c.send(errorFrame(bad))
		return true
	}
	more := c.handle(&m)
	if c.spread == 0 || !more {
		return more
	}
	wait, _ := c.loudness.take(c.hub.loudness, float64(c.spread), now, math.MaxInt64)
	c.spread = 0
	return wait <= 0 || c.pause(wait)
}

// maxPardons is how many bad requests in a row are answered before the connection ends.
const maxPardons = 64

// pardons is the refusal of a bad request that does not end the connection: of a member, of
// a frame that was whole.
func (c *conn) pardons(err error) *signal.Error {
	if err == nil {
		c.pardoned = 0
		return nil
	}
	refusal, ok := errors.AsType[*signal.Error](err)
	if !ok || c.home == nil || !refusal.About.Request() || refusal.Code == signal.CodeTooBig || c.pardoned == maxPardons {
		return nil
	}
	c.pardoned++
	return refusal
}

// said counts what a frame of c's was made into: what goes to many costs the hub and
// everyone in the room as much as that many frames.
func (c *conn) said(deliveries []delivery[*conn]) []delivery[*conn] {
	for i := range deliveries {
		if n := len(deliveries[i].to); n > 1 {
			c.spread += int32(n)
		}
	}
	return deliveries
}

// pause waits. It reports false if the connection has ended meanwhile.
func (c *conn) pause(wait time.Duration) bool {
	err := net.ErrClosed
	c.ask(func(ctx context.Context) {
		select {
		case <-time.After(wait):
			err = nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	})
	if err != nil {
		c.broken(err)
	}
	return err == nil
}

// broken notes that nothing more can be read.
func (c *conn) broken(err error) {
	if refusal, ok := errors.AsType[*signal.Error](err); ok {
		c.refuse(refusal) // bytes that were no frame: the other end may still listen
		return
	}
	c.outbox.abandon(nil, c.lost(err))
}

// lost says why the connection can no longer be used: that it was cut, or what a call of the link
// returned.
func (c *conn) lost(err error) error {
	if why := c.why.Load(); why != nil {
		err = *why
	}
	return fmt.Errorf("hub: connection lost: %w", err)
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
	case m.Type == signal.TypeJoin:
		c.send(errorFrame(signal.Errorf(signal.CodeAlreadyJoined, m.Type, "this connection has asked to join %q already", c.join.Room)))
		return true
	case m.Type == signal.TypePing && c.join != nil:
		c.send(pong)
		return true
	case c.home != nil:
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
	case m.Type.Pair():
		e = c.home.relay(c, m)
	case m.Type == signal.TypeChat:
		e = c.home.chat(c, m, time.Now().UnixMilli())
	case m.Type == signal.TypeRename:
		e = c.home.rename(c, strings.Clone(m.Name)) // it is part of an envelope
	case rightsNeeded[m.Type] != "":
		e = c.home.moderate(c, m)
	case m.Type == signal.TypeServers:
		c.send(c.servers(c.member()))
	}
	if e != nil {
		c.refuse(e)
	}
	return e == nil
}

// reason is the reason for the others when the reader has ended.
func (c *conn) reason() signal.Reason {
	if c.left {
		return signal.ReasonLeft
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
