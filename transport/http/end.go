package http

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"noom/signal"
)

const (
	sendTimeout  = 10 * time.Second // for the other end to make room for one frame
	closeTimeout = 2 * time.Second  // for the other end to get what was sent and that this one has closed
)

// An end is what both ends of a connection have in common: what has come and was not received yet,
// and what was sent and has not arrived yet. It implements most of [signal.Signaler]. What carries
// the frames is around it, a link at a member and a session at a hub.
type end struct {
	endpoint string
	hold     func(n int, must bool) bool // asks for n more bytes to be held, or fewer; nil: there is no such bound

	// Each holds a token when something has changed for the one that waits for it.
	arrived  chan struct{} // for Receive and Wait
	taken    chan struct{} // for what brings frames: there is room again
	room     chan struct{} // for Send
	outbound chan struct{} // for what carries frames: there are some

	closing chan struct{} // closed when Close was called
	over    chan struct{} // closed when the connection has ended

	mu      sync.Mutex
	in      [][]byte
	inBytes int
	inEnd   error // what Receive returns behind those; nil: more may come
	out     flow
	left    bool          // the other end has closed
	shut    bool          // Close was called
	why     error         // why the connection has ended; nil: it has not
	broken  *signal.Error // why what was received last is no frame; nil: it is one
}

func (e *end) init(endpoint string) {
	e.endpoint = endpoint
	for _, c := range []*chan struct{}{&e.arrived, &e.taken, &e.room, &e.outbound} {
		*c = make(chan struct{}, 1)
	}
	e.closing, e.over = make(chan struct{}), make(chan struct{})
}

// poke leaves a token.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Endpoint returns the address that proofs are bound to; see [signal.Endpoint].
func (e *end) Endpoint() string { return e.endpoint }

// finish ends the connection, the first time. The caller holds e.mu.
func (e *end) finish(why error) {
	if e.why != nil {
		return
	}
	e.why = why
	if e.hold != nil {
		e.hold(-e.inBytes-e.out.bytes, true)
	}
	e.out.kept = nil // e.in may still be received
	close(e.over)
}

// Receive implements [signal.Signaler].
func (e *end) Receive(ctx context.Context) (signal.Message, error) {
	frame, err := e.next(ctx)
	if err != nil {
		return signal.Message{}, fmt.Errorf("http: receive: %w", err)
	}
	m, err := signal.Decode(frame)
	if err != nil {
		e.note(err)
		return signal.Message{}, fmt.Errorf("http: receive: %w", err)
	}
	return m, nil
}

// note keeps why what was received is no frame.
func (e *end) note(err error) {
	if why, ok := errors.AsType[*signal.Error](err); ok {
		e.mu.Lock()
		e.broken = why
		e.mu.Unlock()
	}
}

func (e *end) next(ctx context.Context) ([]byte, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		frame, err, is := e.pop()
		if is {
			return frame, err
		}
		e.await(ctx)
	}
}

// await returns when pop may have something, or ctx has ended.
func (e *end) await(ctx context.Context) {
	select {
	case <-e.arrived:
	case <-e.closing:
	case <-e.over:
	case <-ctx.Done():
	}
}

// pop takes the next frame, or the error that comes instead. It reports false if neither is there.
func (e *end) pop() (frame []byte, err error, is bool) { //nolint:revive // the error is a value here
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.shut:
		return nil, net.ErrClosed, true
	case len(e.in) > 0:
		frame = e.in[0]
		e.in[0] = nil
		if e.in = e.in[1:]; len(e.in) == 0 {
			e.in = nil
		}
		e.inBytes -= len(frame)
		if e.hold != nil && e.why == nil {
			e.hold(-len(frame), true)
		}
		poke(e.taken)
		return frame, nil, true
	case e.inEnd != nil:
		return nil, e.inEnd, true
	default:
		return nil, e.why, e.why != nil
	}
}

// Bounds of what has come and was not received.
const (
	mostIn       = 128 << 10 // bytes
	mostInFrames = 512
)

// accept adds a frame that has come, unless this end has closed. It reports false if there is no
// room for it. What it keeps is a copy, because the frame may be part of something large, of which it
// alone is counted. The caller holds e.mu, and pokes e.arrived when it has added all.
func (e *end) accept(frame []byte) bool {
	if e.shut || e.why != nil {
		return true
	}
	full := len(e.in) >= mostInFrames || e.inBytes+len(frame) > mostIn
	if len(e.in) > 0 && (full || e.hold != nil && !e.hold(len(frame), false)) {
		return false
	}
	if len(e.in) == 0 && e.hold != nil {
		e.hold(len(frame), true)
	}
	e.in = append(e.in, bytes.Clone(frame))
	e.inBytes += len(frame)
	return true
}

// Send implements [signal.Signaler]. It waits at most 10 s for the other end to make room, then the
// connection ends.
func (e *end) Send(ctx context.Context, m signal.Message) error {
	return e.SendAll(ctx, []*signal.Message{&m})
}

// SendAll implements [signal.BatchSender].
func (e *end) SendAll(ctx context.Context, batch []*signal.Message) error {
	for _, m := range batch {
		if _, err := m.Encode(); err != nil {
			return err // nothing has happened
		}
	}
	defer poke(e.outbound)
	for _, m := range batch {
		frame, err := m.Encode()
		if err == nil {
			err = e.send(ctx, frame)
		}
		if err != nil {
			return fmt.Errorf("http: send: %w", err)
		}
	}
	return nil
}

// budgetPause is after how long a Send that the other connections leave no room asks again.
const budgetPause = 100 * time.Millisecond

func (e *end) send(ctx context.Context, frame []byte) error {
	var late *time.Timer
	for {
		sent, pause, err := e.push(ctx, frame)
		if sent || err != nil {
			return err
		}
		poke(e.outbound) // what was sent before makes room
		if late == nil {
			late = time.NewTimer(sendTimeout)
			defer late.Stop()
		}
		select {
		case <-e.room:
		case <-pause:
		case <-e.closing:
		case <-e.over:
		case <-ctx.Done():
		case <-late.C:
			e.mu.Lock()
			defer e.mu.Unlock()
			err = fmt.Errorf("no room within %v: %w", sendTimeout, os.ErrDeadlineExceeded)
			e.finish(err)
			return err
		}
	}
}

// push adds a frame to what is sent, if there is room. pause, if not nil, says when to try again.
func (e *end) push(ctx context.Context, frame []byte) (sent bool, pause <-chan time.Time, err error) {
	if err = ctx.Err(); err != nil {
		return false, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.shut:
		return false, nil, net.ErrClosed
	case e.why != nil:
		return false, nil, e.why
	case e.left:
		return false, nil, e.inEnd
	case !e.out.fits(len(frame)):
		return false, nil, nil
	}
	if e.hold != nil && !e.hold(len(frame), len(e.out.kept) == 0) {
		return false, time.After(budgetPause), nil
	}
	e.out.push(frame)
	return true, nil, nil
}

// acknowledge notes what the other end has of what was sent. The caller holds e.mu.
func (e *end) acknowledge(number int64) bool {
	freed, ok := e.out.acknowledge(number)
	if freed > 0 && e.why == nil {
		if e.hold != nil {
			e.hold(-freed, true)
		}
		poke(e.room)
	}
	return ok
}

// shutDown says that this end closes, behind everything that was sent. It reports false if that was
// said before.
func (e *end) shutDown(why *signal.Error) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shut {
		return false
	}
	e.shut, e.out.end = true, endingOf(why)
	if e.hold != nil && e.why == nil {
		e.hold(-e.inBytes, true)
	}
	e.in, e.inBytes = nil, 0
	close(e.closing)
	poke(e.outbound)
	poke(e.taken)
	return true
}

// closedBy is what an ending of the other end means to Receive.
func closedBy(end *ending) error {
	if end.code != "" {
		return signal.Errorf(end.code, "", "the other end closed")
	}
	return fmt.Errorf("the other end closed: %w", io.EOF)
}

// endingOf is what to say when closing for a reason.
func endingOf(why *signal.Error) *ending {
	if why == nil || !isCode([]byte(why.Code)) {
		return new(ending)
	}
	return &ending{why.Code}
}
