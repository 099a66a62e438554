package noomtest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"noom"
	"noom/signal"
	"noom/transport/mem"
)

// SignalerPair returns the two ends of a connection in memory, for testing
// code that holds a [noom.Signaler]: a hub of your own, a proxy, a recorder.
// The test fails where that code breaks the rules of the interface: two Sends
// or two Receives at once, or a use after an error. The bytes of a message are wiped
// when the next one is received, as any transport may.
//
// To test an implementation of the interface, run package
// transport/transporttest over it, and a whole call with [World.Via].
func SignalerPair(tb testing.TB) (member, hub noom.Signaler) {
	tb.Helper()
	a, b := mem.Pipe()
	ends := [2]*checked{{Signaler: a, tb: tb, name: "the member's end"}, {Signaler: b, tb: tb, name: "the hub's end"}}
	tb.Cleanup(func() {
		for _, e := range ends {
			_ = e.Close()
		}
	})
	return ends[0], ends[1]
}

// checked is a Signaler that watches how it is used.
type checked struct {
	noom.Signaler
	tb                 testing.TB
	name               string
	sending, receiving atomic.Bool
	spent              atomic.Bool
}

func (c *checked) begin(what string, busy *atomic.Bool) {
	if busy.Swap(true) {
		c.tb.Errorf("noomtest: %s: two calls of %s at once: use one goroutine, or a lock", c.name, what)
	}
	if c.spent.Load() {
		c.tb.Errorf("noomtest: %s: %s after an error: only Close is of use then", c.name, what)
	}
}

func (c *checked) Send(ctx context.Context, m signal.Message) error {
	c.begin("Send", &c.sending)
	defer c.sending.Store(false)
	if _, err := m.Encode(); err != nil {
		return err // refused, and nothing else happens
	}
	err := c.Signaler.Send(ctx, m)
	if err != nil {
		c.spent.Store(true)
	}
	return err
}

func (c *checked) Receive(ctx context.Context) (signal.Message, error) {
	c.begin("Receive", &c.receiving)
	defer c.receiving.Store(false)
	m, err := c.Signaler.Receive(ctx)
	if fault, ok := errors.AsType[*signal.Error](err); err != nil && (!ok || fault.About == "") {
		c.spent.Store(true)
	}
	return m, err
}

func (c *checked) CloseWith(why *signal.Error) error { return signal.CloseWith(c.Signaler, why) }
