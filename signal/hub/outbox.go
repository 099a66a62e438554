package hub

import (
	"sync"

	"noom/signal"
)

// An outbox holds what waits to be written to one connection. Everyone who has
// something for that member pushes; the connection's writer alone takes. It
// never blocks: what does not fit is refused.
//
// The writer is a goroutine that lives while there is something for it to do,
// so an idle connection has none.
type outbox struct {
	maxFrames, maxBytes int
	write               func() // is the writer

	mu      sync.Mutex
	writing bool       // there is a writer
	queue   []outgoing // from head on
	head    int
	bytes   int
	closed  bool          // nothing is taken any more
	refusal *signal.Error // told to the other end in closing; may be nil
	why     error         // why it was closed; nil: by the member's own wish
}

// A batch is written at once: at most this many frames, and no further one
// when it has this many bytes.
const (
	batchFrames = 64
	batchBytes  = 32 << 10
)

// keptCapacity is for how many frames an empty queue keeps its memory.
const keptCapacity = 64

// An outgoing frame and its size in bytes.
type outgoing struct {
	message *signal.Message
	size    int
}

// push adds an encoded frame. It reports false when the bound is reached; a
// closed outbox takes anything and drops it.
func (o *outbox) push(m *signal.Message, size int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return true
	}
	if len(o.queue)-o.head >= o.maxFrames || o.bytes+size > o.maxBytes {
		return false
	}
	o.put(m, size)
	return true
}

// finish adds a last frame, whatever the bound; what waits is still written.
// It reports false if the outbox was closed before.
func (o *outbox) finish(m *signal.Message, size int, why error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.closed, o.refusal, o.why = true, m.Err(), why
	o.put(m, size)
	return true
}

// abandon closes the outbox and drops what waits. It reports false if the
// outbox was closed before; what waits is dropped even so.
func (o *outbox) abandon(refusal *signal.Error, why error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.queue)
	o.queue, o.head, o.bytes = nil, 0, 0
	o.wake()
	if o.closed {
		return false
	}
	o.closed, o.refusal, o.why = true, refusal, why
	return true
}

// take appends the next frames, at most so many, to an empty batch. If none
// waits, open tells whether any can ever come, and the writer is to end.
func (o *outbox) take(batch []*signal.Message, most int) (_ []*signal.Message, open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	size := 0
	for o.head < len(o.queue) && len(batch) < most && size < batchBytes {
		next := &o.queue[o.head]
		batch = append(batch, next.message)
		size += next.size
		*next = outgoing{}
		o.head++
	}
	o.bytes -= size
	if o.head == len(o.queue) {
		o.queue, o.head = o.queue[:0], 0
		if cap(o.queue) > keptCapacity {
			o.queue = nil
		}
	}
	if len(batch) == 0 {
		o.writing = o.closed
	}
	return batch, !o.closed
}

// waiting says how much waits.
func (o *outbox) waiting() (frames, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) - o.head, o.bytes
}

// end says how the outbox was closed.
func (o *outbox) end() (refusal *signal.Error, why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refusal, o.why
}

func (o *outbox) put(m *signal.Message, size int) {
	if len(o.queue) == cap(o.queue) && o.head > len(o.queue)/2 {
		n := copy(o.queue, o.queue[o.head:])
		clear(o.queue[n:])
		o.queue, o.head = o.queue[:n], 0
	}
	o.queue = append(o.queue, outgoing{m, size})
	o.bytes += size
	o.wake()
}

// wake starts the writer unless there is one; the caller holds o.mu. After the
// end of a closed outbox there is none any more, and none is wanted.
func (o *outbox) wake() {
	if !o.writing {
		o.writing = true
		go o.write()
	}
}
