package uplink

import (
	"context"
	"sync"

	"noom/signal"
)

// maxOutbox bounds the frames that wait for a slow connection to the hub.
const maxOutbox = 1024

// outbox holds the frames for one connection to the hub.
type outbox struct {
	ready chan struct{}
	over  chan struct{} // closed when a goodbye was handed to the connection, or no longer can be

	mu    sync.Mutex
	items []signal.Message
}

func newOutbox() *outbox {
	return &outbox{ready: make(chan struct{}, 1), over: make(chan struct{})}
}

// put adds m, and never blocks. A full outbox drops it: the exchange repeats frames
// between members, and a connection that is stuck for so long is about to be given up.
func (o *outbox) put(m signal.Message) {
	o.mu.Lock()
	if len(o.items) < maxOutbox {
		o.items = append(o.items, m)
	}
	o.mu.Unlock()
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// drain sends to s until ctx ends or s fails.
func (o *outbox) drain(ctx context.Context, s signal.Signaler) error {
	over := sync.OnceFunc(func() { close(o.over) })
	defer over()
	for {
		select {
		case <-o.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		o.mu.Lock()
		items := o.items
		o.items = nil
		o.mu.Unlock()
		for _, m := range items {
			if err := s.Send(ctx, m); err != nil {
				return err
			}
			if m.Type == signal.TypeBye {
				over()
			}
		}
	}
}
