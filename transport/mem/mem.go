// Package mem carries noom's signaling in memory: for tests, and for members
// that live in the same process as their hub. Frames go through the codec as
// on any other transport. It uses channels only, so it works inside a
// testing/synctest bubble.
package mem

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"noom/signal"
)

// bufferedFrames is how many frames may be on their way in each direction before
// Send blocks.
const bufferedFrames = 16

// Server is what serves a hub's end of a connection: a *hub.Hub.
type Server interface {
	Serve(ctx context.Context, s signal.Signaler) error
}

// Dialer returns a Dialer whose connections h serves. The context of a dial bounds only that dial;
// the connection lasts until either end closes it.
func Dialer(h Server) signal.Dialer {
	return signal.DialerFunc(func(ctx context.Context) (signal.Signaler, error) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("mem: dial: %w", err)
		}
		client, server := Pipe()
		go func() {
			_ = h.Serve(context.WithoutCancel(ctx), server) // the client learns it from its own end
			_ = server.Close()                              // never fails
		}()
		return client, nil
	})
}

// Pipe returns the two ends of one connection. At most 16 frames wait in each
// direction; then Send blocks. What was sent before a Close is still received,
// then Receive returns io.EOF, or an error that wraps the [*signal.Error] of
// CloseWith.
func Pipe() (client, server signal.Signaler) {
	up, down := make(chan []byte, bufferedFrames), make(chan []byte, bufferedFrames)
	a, b := newEnd(down, up), newEnd(up, down)
	a.other, b.other = b, a
	return a, b
}

// An end is one end of a connection.
type end struct {
	in    <-chan []byte
	out   chan<- []byte
	other *end

	closing sync.Once
	closed  chan struct{}
	why     *signal.Error // set before closed is closed; nil: nothing was said

	last []byte // owned by Receive: the frame it gave last
}

func newEnd(in <-chan []byte, out chan<- []byte) *end {
	return &end{in: in, out: out, closed: make(chan struct{})}
}

// Send implements [signal.Signaler].
func (e *end) Send(ctx context.Context, m signal.Message) error {
	frame, err := m.Encode()
	if err != nil {
		return err
	}
	if err := e.over(ctx); err != nil {
		return fmt.Errorf("mem: send: %w", err)
	}
	select {
	case e.out <- bytes.Clone(frame):
		return nil
	case <-e.closed:
	case <-e.other.closed:
	case <-ctx.Done():
	}
	return fmt.Errorf("mem: send: %w", e.over(ctx))
}

// Receive implements [signal.Signaler]. It wipes the bytes of the previous message, so that a
// caller that keeps them too long finds out here and not where a transport reuses its buffer.
func (e *end) Receive(ctx context.Context) (signal.Message, error) {
	clear(e.last)
	e.last = nil
	if err := cmp.Or(e.ended(), ctx.Err()); err != nil {
		return signal.Message{}, fmt.Errorf("mem: receive: %w", err)
	}
	select {
	case frame := <-e.in:
		return e.decode(frame)
	case <-e.closed:
	case <-ctx.Done():
	case <-e.other.closed:
		select {
		case frame := <-e.in: // sent before it closed
			return e.decode(frame)
		default:
		}
	}
	return signal.Message{}, fmt.Errorf("mem: receive: %w", e.over(ctx))
}

func (e *end) decode(frame []byte) (signal.Message, error) {
	e.last = frame
	m, err := signal.Decode(frame)
	if err != nil {
		return signal.Message{}, fmt.Errorf("mem: receive: %w", err)
	}
	return m, nil
}

// over says why nothing more can be sent, nil if it can.
func (e *end) over(ctx context.Context) error {
	if err := e.ended(); err != nil {
		return err
	}
	select {
	case <-e.other.closed:
		if e.other.why != nil {
			return e.other.why
		}
		return io.EOF
	default:
	}
	return ctx.Err()
}

// ended is net.ErrClosed once this end is closed.
func (e *end) ended() error {
	select {
	case <-e.closed:
		return net.ErrClosed
	default:
		return nil
	}
}

// Close implements [signal.Signaler].
func (e *end) Close() error { return e.CloseWith(nil) }

// CloseWith closes and gives the other end the reason. The first close counts.
func (e *end) CloseWith(why *signal.Error) error {
	e.closing.Do(func() {
		e.why = why
		close(e.closed)
	})
	return nil
}
