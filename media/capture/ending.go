//go:build capture && cgo

package capture

import "sync"

// ending is the end of a track, reached once, with or without a reason.
type ending struct {
	done chan struct{}

	mu  sync.Mutex // guards err and the closing of done
	err error
}

func newEnding() *ending { return &ending{done: make(chan struct{})} }

// reach ends the track, if it has not ended. Err may be nil.
func (e *ending) reach(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.done:
	default:
		e.err = err
		close(e.done)
	}
}

func (e *ending) reason() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}
