// Package mailbox is the inbox of an actor: of a goroutine that alone owns some state.
// Anyone posts functions, and the owner runs them, one after the other.
package mailbox

import (
	"context"
	"sync"
)

// Mailbox is an actor's inbox. Posting never blocks and never runs anything;
// what the network can cause to be posted is bounded by who posts it.
type Mailbox struct {
	closedErr error // what Ask returns of a closed one
	ready     chan struct{}

	mu     sync.Mutex // a leaf lock: nothing is called while it is held
	items  []func()
	closed bool
}

// New returns an open mailbox, whose Ask returns closed once it is closed.
func New(closed error) *Mailbox {
	return &Mailbox{closedErr: closed, ready: make(chan struct{}, 1)}
}

// Ready holds a token while there may be something to take. The owner alone receives from it.
func (m *Mailbox) Ready() <-chan struct{} { return m.ready }

// Post adds f, and reports false if the owner will not run it because the mailbox is closed.
func (m *Mailbox) Post(f func()) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.items = append(m.items, f)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
	return true
}

// Ask posts f and returns what it returns. The error is that of New if the mailbox is
// closed, or ctx's if ctx ends first: f may run later all the same.
func Ask[T any](ctx context.Context, m *Mailbox, f func() T) (T, error) {
	answer := make(chan T, 1)
	var none T
	if !m.Post(func() { answer <- f() }) {
		return none, m.closedErr
	}
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Take returns what was posted since the last Take.
func (m *Mailbox) Take() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.items = nil
	return items
}

// Close makes Post refuse from now on, and returns what was posted since the last Take.
// The owner runs that too, because it was accepted, and Ask may wait for it.
func (m *Mailbox) Close() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.closed, m.items = true, nil
	return items
}
