package repair

import (
	"sync"
	"sync/atomic"
)

// Payload is what a packet carries, in memory that all connections share over which it is sent. Nobody changes its bytes
// while it is held. It may be used from anywhere.
type Payload interface {
	Bytes() []byte
	Hold()
	Release() // what is held no longer may be used for another packet
}

// Lender knows which Payload is being written to a stream at this moment, so that an Answerer may hold it instead of making
// a copy of its own. The zero Lender has none.
type Lender struct {
	mu  sync.Mutex // a leaf lock, but for the Payload
	now Payload
}

// Lend is called before a packet is written to the stream, and with nil when that is done. The caller holds p until then.
func (l *Lender) Lend(p Payload) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = p
}

// borrow holds what is being written and returns it, if that has the very bytes of payload; nil: something on the way has
// made others of them.
func (l *Lender) borrow(payload []byte) Payload {
	if l == nil || len(payload) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == nil {
		return nil
	}
	if b := l.now.Bytes(); len(b) != len(payload) || &b[0] != &payload[0] {
		return nil
	}
	l.now.Hold()
	return l.now
}

// ownPayload is a copy.
type ownPayload struct {
	holders atomic.Int32
	bytes   []byte
}

var ownPayloads = sync.Pool{New: func() any { return new(ownPayload) }}

func copyOf(payload []byte) Payload {
	p := ownPayloads.Get().(*ownPayload)
	p.holders.Store(1)
	p.bytes = append(p.bytes[:0], payload...)
	return p
}

func (p *ownPayload) Bytes() []byte { return p.bytes }
func (p *ownPayload) Hold()         { p.holders.Add(1) }

func (p *ownPayload) Release() {
	if p.holders.Add(-1) == 0 {
		ownPayloads.Put(p)
	}
}
