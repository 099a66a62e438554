package conversation

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Told is what an application was told so far: half of a [Client].
type Told struct {
	mu   sync.Mutex
	what []string
	more chan struct{} // closed when there is more; nil while nobody waits
}

// Tell notes what the application is told.
func (t *Told) Tell(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.what = append(t.what, what)
	if t.more != nil {
		close(t.more)
		t.more = nil
	}
}

// Saw implements [Client].
func (t *Told) Saw(ctx context.Context, what string) error {
	for {
		more, saw := t.take(what)
		if more == nil {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("the application was told %q, and never %q", saw, what)
		}
	}
}

// take forgets what if it was told; otherwise more is closed when it may have been.
func (t *Told) take(what string) (more <-chan struct{}, told []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.what, what); i >= 0 {
		t.what = slices.Delete(t.what, i, i+1)
		return nil, nil
	}
	if t.more == nil {
		t.more = make(chan struct{})
	}
	return t.more, slices.Clone(t.what)
}
