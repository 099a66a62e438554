package uplink

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"noom/signal"
)

// converse runs one connection and its outbox until it breaks.
func (u *Uplink) converse(ctx context.Context, s signal.Signaler, heartbeat time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := u.outbox.Load()
	var alive atomic.Bool
	u.tasks.Go(func() {
		_ = out.drain(ctx, s)
		_ = s.Close()
	})
	u.tasks.Go(func() {
		if err := u.pulse(ctx, out, heartbeat, &alive); err != nil {
			cancel(err) // before Close, because that may wait until the last frame is sent
		}
		_ = s.Close()
	})
	defer u.outbox.Store(nil)
	again := rate.NewLimiter(againRate, againBurst)
	for {
		m, err := s.Receive(ctx)
		if silence := context.Cause(ctx); silence != nil {
			return silence
		}
		if err != nil {
			return err
		}
		alive.Store(true)
		to := u.frames
		if m.Type == signal.TypeJoined { // enter has received this connection's first
			u.cfg.Trace(false, m)
			if err := u.isOurs(&m); err != nil {
				return err
			}
			if !again.Allow() {
				return errors.New("the hub says joined again and again")
			}
			to = u.again
		} else if err := u.invited(&m); err != nil {
			u.cfg.Trace(false, m)
			return err
		}
		if !handOver(ctx, to, m) {
			return ctx.Err()
		}
	}
}

// pulse keeps the heartbeat (PROTOCOL.md section 5). It returns nil when ctx ends, and
// an error when the hub is dead. alive is set whenever a frame comes from the hub.
func (u *Uplink) pulse(ctx context.Context, out *outbox, heartbeat time.Duration, alive *atomic.Bool) error {
	silent := 0
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	var answers <-chan time.Time
	for silent < 2 {
		select {
		case <-ticker.C:
			if answers != nil {
				continue
			}
		case <-u.nudge:
			alive.Store(false)
			out.put(signal.Message{Type: signal.TypePing})
			answers = time.After(hubAnswers)
			continue
		case <-answers:
			if answers = nil; !alive.Load() {
				return fmt.Errorf("the hub has not answered for %v", hubAnswers)
			}
			continue
		case <-ctx.Done():
			return nil
		}
		if silent++; alive.Swap(false) {
			silent = 0
		}
		if silent == 1 {
			out.put(signal.Message{Type: signal.TypePing})
		}
	}
	return fmt.Errorf("the hub has been silent for %v", 2*heartbeat)
}
