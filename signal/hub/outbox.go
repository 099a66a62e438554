package hub

import (
	"sync"

	"noom/signal"
)

// An outbox holds what waits to be written to one connection. Any goroutine with frames for that
// member pushes; only the connection's writer takes. It never blocks: a frame that does not fit is
// refused.
//
// The writer is a goroutine that lives while there is something for it to do,
// so an idle connection has none.
type outbox struct {
	maxFrames, maxBytes int
	write               func() // is the writer

	mu      sync.Mutex
	writing bool // there is a writer
	closed  bool // nothing more is taken
	backlog backlog
	last    *signal.Message // to be written when nothing else waits; nil: none
	refusal *signal.Error   // sent to the other end when closing; may be nil
	why     error           // why it was closed; nil: by the member's own wish
}

// A batch is written at once: at most this many frames, and no further one
// when it has this many bytes.
const (
	batchFrames = 64
	batchBytes  = 32 << 10
)

// push adds an encoded frame. It reports false when the bound is reached; a
// closed outbox takes anything and drops it.
func (o *outbox) push(m *signal.Message, size int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return true
	}
	if int(o.backlog.frames) >= o.maxFrames || o.backlog.bytes+size > o.maxBytes {
		return false
	}
	o.backlog.push(m, size)
	o.wake()
	return true
}

// own sets the member that the outbox is for.
func (o *outbox) own(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.backlog.owner = id
}

// finish adds a last frame, whatever the bound; what waits is still written, before
// it. It reports false if the outbox was closed before.
func (o *outbox) finish(m *signal.Message, why error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.closed, o.refusal, o.why, o.last = true, m.Err(), why, m
	o.wake()
	return true
}

// abandon closes the outbox and drops what waits. It reports false if the
// outbox was closed before; what waits is dropped even so.
func (o *outbox) abandon(refusal *signal.Error, why error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.backlog, o.last = backlog{}, nil
	o.wake()
	if o.closed {
		return false
	}
	o.closed, o.refusal, o.why = true, refusal, why
	return true
}

// take appends the next frames, at most so many, to an empty batch. If none waits, open reports
// whether any can ever come, and the writer is to end.
func (o *outbox) take(batch []*signal.Message, most int) (_ []*signal.Message, open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	size := 0
	for o.backlog.frames > 0 && len(batch) < most && size < batchBytes {
		next, more := o.backlog.pop()
		batch = append(batch, next)
		size += more
	}
	if o.backlog.frames == 0 && o.last != nil && len(batch) < most {
		batch = append(batch, o.last)
		o.last = nil
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
	return int(o.backlog.frames), o.backlog.bytes
}

// end says how the outbox was closed.
func (o *outbox) end() (refusal *signal.Error, why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refusal, o.why
}

// wake starts the writer unless there is one; the caller holds o.mu. After the end of a closed
// outbox there is no writer, and none is needed.
func (o *outbox) wake() {
	if !o.writing {
		o.writing = true
		go o.write()
	}
}
