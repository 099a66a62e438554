package uplink

import (
	"context"
	"sync"

	"noom/signal"
)

// What waits for a slow connection to the hub is bounded in frames, and in bytes as noom.js bounds it: descriptions for a full
// room have room.
const (
	maxOutbox      = 1024
	maxOutboxBytes = 4 << 20
)

// outbox holds the frames for one connection to the hub.
type outbox struct {
	ready chan struct{}
	over  chan struct{} // closed when a goodbye was handed to the connection, or no longer can be

	mu    sync.Mutex
	items []signal.Message
	bytes int // of items
}

func newOutbox() *outbox {
	return &outbox{ready: make(chan struct{}, 1), over: make(chan struct{})}
}

// put adds m, and never blocks. A full outbox drops it: the exchange repeats frames
// between members, and a connection that is stuck for so long is about to be given up.
func (o *outbox) put(m signal.Message) {
	o.mu.Lock()
	if size := sizeOf(&m); len(o.items) < maxOutbox && o.bytes+size <= maxOutboxBytes {
		o.items = append(o.items, m)
		o.bytes += size
	}
	o.mu.Unlock()
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// sizeOf is about how many bytes a frame has: those of a member that grow are its body and its text.
func sizeOf(m *signal.Message) int { return 256 + len(m.Body) + len(m.Text) }

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
		o.items, o.bytes = nil, 0
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
