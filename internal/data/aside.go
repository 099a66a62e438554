package data

import (
	"sync"

	"noom/signal"
)

// AsideKind is the first byte of a frame that has no number, and says whose it is.
type AsideKind byte

// The kinds of frames that are sent beside the messages.
const (
	AsideState AsideKind = 16 // of the room's state (PROTOCOL.md section 4.8)
	AsideChat  AsideKind = 17 // of signed chat (4.9)
)

// maxAside bounds the bytes of such frames that wait to be sent.
const maxAside = signal.MaxUnacked / 2

// asideFrames are sent beside the messages. They are neither numbered nor acknowledged, and a new connection does not
// repeat them.
type asideFrames struct {
	mu     sync.Mutex
	frames [][]byte
	bytes  int
	unsure bool // one was sent of which a member that leaves wants to know whether it has arrived
	closed bool
}

// SendAside sends a frame of at least 4 bytes beside the messages. It reports false if too much waits, or we leave. If sure, a
// member that leaves waits until the frame has arrived. From anywhere.
func (s *Stream) SendAside(kind AsideKind, payload []byte, sure bool) bool {
	a := &s.aside
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.bytes+len(payload) > maxAside {
		return false
	}
	a.frames = append(a.frames, append([]byte{byte(kind)}, payload...))
	a.bytes += len(payload) + 1
	a.unsure = a.unsure || sure
	return true
}

// first returns the frame that is next, nil if there is none.
func (a *asideFrames) first() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.frames) == 0 {
		return nil
	}
	return a.frames[0]
}

// sent takes the first frame out. There may be none any longer.
func (a *asideFrames) sent() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.frames) > 0 {
		a.bytes -= len(a.frames[0])
		a.frames[0] = nil
		a.frames = a.frames[1:]
	}
}

// reset forgets what waits, because it belongs to a connection that is over.
func (a *asideFrames) reset(closed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.frames, a.bytes, a.unsure, a.closed = nil, 0, false, closed
}

// arrived notes that what was sent is there, unless something more waits.
func (a *asideFrames) arrived() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unsure = a.unsure && len(a.frames) > 0
}

func (a *asideFrames) isUnsure() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unsure
}
