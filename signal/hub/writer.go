package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"noom/signal"
)

// ErrSilent is inside Serve's result when a member was lost because nothing
// was heard of it for twice the heartbeat, or it took no frame for as long.
var ErrSilent = errors.New("hub: the member has fallen silent")

// write empties the outbox and minds the pulse until the outbox is closed and
// empty; then it closes the connection.
func (c *conn) write(ctx context.Context) {
	patience := 2 * c.hub.config.Heartbeat
	watchdog := time.AfterFunc(patience, func() {
		c.outbox.abandon(nil, ErrSilent)
		c.cancel()
	})
	watchdog.Stop()
	timer := time.NewTimer(c.hub.config.JoinTimeout)
	defer timer.Stop()

	for {
		wait := c.mind(time.Now())
		m, open := c.outbox.pop()
		if m != nil {
			watchdog.Reset(patience)
			err := c.link.Send(ctx, *m)
			watchdog.Stop()
			if err != nil {
				c.outbox.abandon(nil, fmt.Errorf("hub: connection lost: %w", err))
			}
			continue
		}
		if !open {
			refusal, _ := c.outbox.end()
			_ = signal.CloseWith(c.link, refusal) // a failure changes nothing: it is over
			return
		}
		timer.Reset(wait)
		select {
		case <-c.outbox.ready:
		case <-timer.C:
		case <-ctx.Done():
			c.outbox.abandon(nil, fmt.Errorf("hub: connection ended: %w", context.Cause(ctx)))
		}
	}
}

// mind does what the pulse says is due and returns how long it may wait.
func (c *conn) mind(now time.Time) time.Duration {
	what, wait := c.pulse.check(now)
	switch what {
	case duePing:
		c.send(&signal.Message{Type: signal.TypePing})
	case dueTooLate:
		c.pulse.expect(time.Time{})
		c.refuse(signal.Errorf(signal.CodeTooLate, "", "no join or proof within %v", c.hub.config.JoinTimeout))
	case dueExpired:
		c.home.expire(c)
	case dueLost:
		c.outbox.abandon(nil, ErrSilent)
	case dueNothing:
	}
	return wait
}
