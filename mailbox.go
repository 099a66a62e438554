package noom

import "sync"

// mailbox is an actor's inbox: anyone posts, one goroutine takes. Posting
// never blocks and never runs anything; what the network can cause to be
// posted is bounded by who posts it.
type mailbox struct {
	ready chan struct{} // holds a token while there may be something to take

	mu     sync.Mutex
	items  []func()
	closed bool
}

func newMailbox() *mailbox { return &mailbox{ready: make(chan struct{}, 1)} }

// post adds f, and reports false when nobody will run it any more.
func (m *mailbox) post(f func()) bool {
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

// take returns what was posted since the last take.
func (m *mailbox) take() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.items = nil
	return items
}

// close makes post refuse from now on, and returns what was posted since the
// last take: it was accepted, and somebody may wait for it.
func (m *mailbox) close() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.closed, m.items = true, nil
	return items
}
