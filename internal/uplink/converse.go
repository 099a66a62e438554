package uplink

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

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
	for {
		m, err := s.Receive(ctx)
		if silence := context.Cause(ctx); silence != nil {
			return silence
		}
		if err != nil {
			return err
		}
		alive.Store(true)
		if m.Type == signal.TypeJoined {
			continue // enter has received this connection's; the owner would take another for a return
		}
		if err := u.invited(&m); err != nil {
			u.cfg.Trace(false, m)
			return err
		}
		if !u.handOver(ctx, m) {
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
