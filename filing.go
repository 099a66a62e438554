package noom

import (
	"context"
	"errors"
	"sync"
	"time"

	"noom/internal/data"
	"noom/internal/files"
)

const (
	patienceForOffer = 10 * time.Second       // for the first message of a channel that the peer has opened for a file
	patienceToCancel = time.Second            // for the last frame of a file to be taken
	pauseToOpen      = 250 * time.Millisecond // before a channel is opened again
)

var errStalled = errors.New("noom: nothing came for too long")

// filing is what there is of files between us and one peer, from the time at which it enters the room until it leaves. The
// files themselves are driven by those who send and accept them.
type filing struct {
	peer   *peer
	ctx    context.Context // ends when the peer leaves, with ErrClosed as its cause
	end    context.CancelCauseFunc
	places chan struct{} // one for each file that we send
	turns  chan struct{} // one for each file that we receive

	mu        sync.Mutex
	connected bool
	since     time.Time     // when connected has changed
	changed   chan struct{} // closed when it changes
	incoming  map[files.ID]*incoming
	pending   int               // offers that are not decided on, or not seen to be
	over      []*files.Receiver // the last ones
}

func newFiling(p *peer) *filing {
	f := &filing{
		peer: p, places: make(chan struct{}, files.MaxPending), turns: make(chan struct{}, files.MaxRunning),
		changed: make(chan struct{}), incoming: make(map[files.ID]*incoming),
	}
	f.ctx, f.end = context.WithCancelCause(p.room.ctx)
	return f
}

// close ends all files, because the peer leaves or we do.
func (f *filing) close() { f.end(ErrClosed) }

// until returns a context that ends with ctx, and with the filing.
func (f *filing) until(ctx context.Context) (both context.Context, cancel func()) {
	both, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(f.ctx, func() { end(ErrClosed) })
	return both, func() {
		stop()
		end(nil)
	}
}

// setConnected notes whether channels can be opened and carry something.
func (f *filing) setConnected(connected bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if connected != f.connected {
		f.connected, f.since = connected, time.Now()
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// waitConnected waits until there is a connection.
func (f *filing) waitConnected(ctx context.Context) error {
	for {
		f.mu.Lock()
		connected, changed := f.connected, f.changed
		f.mu.Unlock()
		if connected {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// rest returns how much is left of a patience that has begun then and is for the time in which we are connected.
func (f *filing) rest(began time.Time, patience time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.connected {
		return patience
	}
	if f.since.After(began) {
		began = f.since
	}
	return patience - time.Since(began)
}

// patiently calls wait with a context that ends with ctx, or with errStalled as its cause after so long a time without a
// break in the connection; 0: never.
func patiently[T any](ctx context.Context, f *filing, patience time.Duration, wait func(context.Context) (T, error)) (got T, err error) {
	for began := time.Now(); ; {
		within, cancel := ctx, func() {}
		if patience > 0 {
			within, cancel = context.WithTimeoutCause(ctx, f.rest(began, patience), errStalled)
		}
		got, err = wait(within)
		ended := within.Err() != nil
		cancel()
		switch {
		case err == nil || !ended:
			return got, err
		case ctx.Err() != nil:
			return got, context.Cause(ctx)
		case f.rest(began, patience) <= 0:
			return got, errStalled
		}
	}
}

// give sends a frame, if there is one, over a channel, if there is one. A channel that is over says so to Receive.
func give(ctx context.Context, c *data.Channel, frame []byte) {
	if c == nil || frame == nil {
		return
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), patienceToCancel)
	defer cancel()
	_ = c.Send(within, frame)
}

// pause waits a while, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
