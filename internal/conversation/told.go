package conversation

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Told records what a client has reported to its application. It is half of a [Client].
type Told struct {
	mu   sync.Mutex
	what []string
	more chan struct{} // closed by the next Tell; nil while nothing waits
}

// Tell records a report.
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
			return fmt.Errorf("the application has seen %q, and never %q", saw, what)
		}
	}
}

// take removes what if it was recorded. If not, it returns a channel that the next Tell
// closes, and everything that is recorded.
func (t *Told) take(what string) (more <-chan struct{}, recorded []string) {
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
