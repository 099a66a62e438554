package auto

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"noom/signal"
)

// A link is a connection whose end the dialer learns from.
type link struct {
	signal.Signaler

	dialer   *Dialer
	began    time.Duration   // by the dialer's time
	trial    *time.Timer     // of WebSocket; nil: it is one
	ctx      context.Context // of a trial
	endTrial context.CancelFunc
	heard    atomic.Bool // something has come
	closed   atomic.Bool
	back     atomic.Bool // it gives way to WebSocket
	noted    atomic.Bool // that it has broken
}

// trialTimeout bounds one trial of WebSocket.
const trialTimeout = 10 * time.Second

// Unwrap gives what tells the endpoint; see [signal.Signaler].
func (l *link) Unwrap() signal.Signaler { return l.Signaler }

// Receive implements [signal.Signaler].
func (l *link) Receive(ctx context.Context) (signal.Message, error) {
	m, err := l.Signaler.Receive(ctx)
	if err == nil {
		l.heard.Store(true)
	}
	return m, l.note(ctx, err)
}

// Send implements [signal.Signaler].
func (l *link) Send(ctx context.Context, m signal.Message) error {
	return l.note(ctx, l.Signaler.Send(ctx, m))
}

// SendAll implements [signal.BatchSender].
func (l *link) SendAll(ctx context.Context, batch []*signal.Message) error {
	return l.note(ctx, l.Signaler.(signal.BatchSender).SendAll(ctx, batch)) // both transports are
}

// note learns from how a call has ended.
func (l *link) note(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if l.back.Load() && !l.closed.Load() {
		return fmt.Errorf("%w: %w", errBack, err)
	}
	_, said := errors.AsType[*signal.Error](err)
	silent := !l.heard.Load() && errors.Is(ctx.Err(), context.DeadlineExceeded) // a proxy may open it, and carry nothing
	broken := !said && (ctx.Err() == nil || silent) && !l.closed.Load()
	if broken && l.trial == nil && !l.noted.Swap(true) {
		d := l.dialer
		d.mu.Lock()
		switch {
		case !silent:
			d.choice.broke(d.now(), d.now()-l.began)
		case d.choice.webSocketFirst(d.now()): // otherwise another connection's silence has been noted
			d.choice.failed(d.now())
		}
		d.mu.Unlock()
	}
	return err
}

// tryWebSocket tries WebSocket while HTTP carries the frames. If it works, this connection ends.
func (l *link) tryWebSocket() {
	d := l.dialer
	ctx, cancel := context.WithTimeout(l.ctx, trialTimeout)
	defer cancel()
	d.mu.Lock()
	until := d.choice.trialAt()
	d.mu.Unlock()
	probe, err := d.webSocket().Dial(ctx)
	if err == nil {
		_ = probe.Close() // nothing was said over it
	}
	d.mu.Lock()
	switch {
	case err == nil:
		d.choice.worked()
	case l.closed.Load(): // which has ended the trial
	default:
		if d.choice.trialAt() == until { // otherwise another connection's trial has ended meanwhile, and this one says no more
			d.choice.failed(d.now())
		}
		l.trial.Reset(d.choice.trialAt() - d.now())
	}
	d.mu.Unlock()
	if err == nil && !l.closed.Load() {
		l.back.Store(true)
		_ = l.Signaler.Close() // never fails
	}
}

// Close implements [signal.Signaler].
func (l *link) Close() error { return l.CloseWith(nil) }

// CloseWith closes with a reason.
func (l *link) CloseWith(why *signal.Error) error {
	l.stop()
	return signal.CloseWith(l.Signaler, why)
}

// Abort implements [signal.Aborter].
func (l *link) Abort() {
	l.stop()
	l.Signaler.(signal.Aborter).Abort() // both transports are
}

func (l *link) stop() {
	if l.trial == nil {
		l.closed.Store(true)
		return
	}
	l.dialer.mu.Lock()
	defer l.dialer.mu.Unlock()
	l.closed.Store(true)
	l.trial.Stop()
	l.endTrial()
}
