// Package mailbox is the inbox of an actor, a goroutine that alone owns some state. Any
// goroutine posts functions, and the owner runs them one after the other. An actor that
// waits for nothing else has a goroutine only while there is something to run.
package mailbox

import (
	"context"
	"sync"
)

// Mailbox is an actor's inbox. Posting never blocks and never runs anything. It is not
// bounded: callers bound what the network can make them post.
type Mailbox struct {
	closedErr error // what Ask returns when the mailbox is closed
	ready     chan struct{}

	mu     sync.Mutex // a leaf lock: nothing is called while it is held
	items  []func()
	closed bool
	turn   func([]func()) // of Serve; nil: it was not called
	turns  bool           // a goroutine calls turn

	former []func() // owned by that goroutine: an array whose items have run, where what is posted next goes
}

const keeps = 64 // items for which a mailbox keeps an array

// New returns an open mailbox. Once it is closed, Ask returns the error closed.
func New(closed error) *Mailbox {
	return &Mailbox{closedErr: closed, ready: make(chan struct{}, 1)}
}

// Serve has turn called with what was posted, in a goroutine that lasts until all of it has
// been run: one at a time, so what turn does needs no lock. It takes the place of Ready and Take.
func (m *Mailbox) Serve(turn func(items []func())) {
	m.mu.Lock()
	m.turn = turn
	begins := m.begins()
	m.mu.Unlock()
	if begins {
		go m.serve()
	}
}

// begins reports whether a goroutine has to begin that serves. It needs m.mu.
func (m *Mailbox) begins() bool {
	begins := m.turn != nil && !m.turns && len(m.items) > 0
	m.turns = m.turns || begins
	return begins
}

// serve calls turn until nothing is left.
func (m *Mailbox) serve() {
	for {
		m.mu.Lock()
		items := m.items
		if m.turns = len(items) > 0; !m.turns {
			m.mu.Unlock()
			return
		}
		m.items = m.former
		m.mu.Unlock()
		m.turn(items)
		clear(items)
		if m.former = nil; cap(items) <= keeps {
			m.former = items[:0]
		}
	}
}

// Ready holds a token while there may be something to take. Only the owner receives from it.
func (m *Mailbox) Ready() <-chan struct{} { return m.ready }

// Post adds f. It reports false if the owner will not run f because the mailbox is closed.
func (m *Mailbox) Post(f func()) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.items = append(m.items, f)
	served, begins := m.turn != nil, m.begins()
	m.mu.Unlock()
	if begins {
		go m.serve()
	}
	if served {
		return true
	}
	select {
	case m.ready <- struct{}{}:
	default:
	}
	return true
}

// Ask posts f and returns f's result. The error is that given to New if the mailbox is
// closed, or ctx's if ctx ends first; in that case f may still run later.
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
// The owner must still run that, because it was accepted, and Ask may wait for it.
func (m *Mailbox) Close() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.closed, m.items = true, nil
	return items
}
