package hub

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"sync"
	"time"

	"noom/signal"
)

// This file reads a connection: at what rate, on which stack, and when that ends. writer.go writes it.

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
		c.leaving = errors.Is(err, signal.ErrLeaving)
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
	if !ok || c.place == nil || !refusal.About.Request() || refusal.Code == signal.CodeTooBig || c.pardoned == maxPardons {
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
