package ws

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"noom/signal"
)

// A stream is what lies below a server's WebSocket. An idle one holds no
// buffer: bytes are read, as many as there are, into one that is borrowed when
// they have come and given back when they are used up.
//
// Frames of data are written past the websocket library, many with one system
// call; control frames come from the library, each with one Write. The
// connection keeps calls of Write apart, so frames never mix.
type stream struct {
	net.Conn

	deadline atomic.Int64 // of writes, since epoch

	above *bufio.Reader         // what the library reads s through
	wait  syscall.RawConn       // nil: it can only be read through a buffer that waits
	try   func(fd uintptr) bool // reads what there is; made once

	// Beside the reader, who closes the connection reads until the other end
	// agrees. The lock is not held while either waits.
	mu    sync.Mutex
	early []byte  // what had been read behind the request
	in    *[]byte // borrowed; nil: none
	rest  []byte  // of it, still to be taken
	err   error   // no more can be read
}

const (
	inputSize = 16 << 10 // several offers at once
	// waitingSize is for connections that cannot be waited for without a buffer.
	waitingSize = 4 << 10
	// controlSize holds a whole control frame (RFC 6455 section 5.5) beside
	// what an empty bufio.Writer may keep back.
	controlSize = 160
)

var inputs = sync.Pool{New: func() any {
	b := make([]byte, inputSize)
	return &b
}}

// epoch is what deadlines are counted from.
var epoch = time.Now()

func newStream(conn net.Conn, early []byte) *stream {
	s := &stream{Conn: conn, early: early}
	s.waitBare()
	size := waitingSize
	if s.wait != nil {
		size = 16 // for a frame's header: the stream has the rest
	}
	s.above = bufio.NewReaderSize(s, size)
	return s
}

// pending reports whether something has been read that was not taken.
func (s *stream) pending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rest)+len(s.early)+s.above.Buffered() > 0
}

// await returns when there is something to read, or never will be. It must not
// be called where that takes a buffer.
func (s *stream) await() {
	_ = s.wait.Read(s.try) // the next Read meets its error again
}

// Read implements [net.Conn].
func (s *stream) Read(p []byte) (int, error) {
	for {
		n, err := s.taken(p)
		switch {
		case n > 0 || err != nil || len(p) == 0:
			return n, err
		case s.wait == nil:
			return s.Conn.Read(p)
		}
		if err := s.wait.Read(s.try); err != nil {
			return 0, err
		}
	}
}

// taken reads what has been read already.
func (s *stream) taken(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.early) > 0 {
		n := copy(p, s.early)
		if s.early = s.early[n:]; len(s.early) == 0 {
			s.early = nil
		}
		return n, nil
	}
	if len(s.rest) == 0 {
		return 0, s.err
	}
	n := copy(p, s.rest)
	if s.rest = s.rest[n:]; len(s.rest) == 0 {
		inputs.Put(s.in)
		s.in, s.rest = nil, nil
	}
	return n, nil
}

// Write implements [net.Conn]. What takes longer than writeTimeout fails.
func (s *stream) Write(p []byte) (int, error) {
	now := time.Since(epoch)
	if time.Duration(s.deadline.Load())-now < writeTimeout {
		// A second too late, so that it need not be set again for each Write.
		const slack = time.Second
		s.deadline.Store(int64(now + writeTimeout + slack))
		if err := s.SetWriteDeadline(time.Now().Add(writeTimeout + slack)); err != nil {
			return 0, err
		}
	}
	return s.Conn.Write(p)
}

// outputs hold frames on their way into one Write.
var outputs = sync.Pool{New: func() any {
	b := make([]byte, 0, inputSize)
	return &b
}}

// outputSize is from how many bytes on frames go out without waiting for those
// behind them.
const outputSize = 64 << 10

// send writes messages, each as one unmasked text frame (RFC 6455 section 5.2).
func (s *stream) send(batch []*signal.Message) error {
	buffer := outputs.Get().(*[]byte)
	defer outputs.Put(buffer)
	out := (*buffer)[:0]
	for _, m := range batch {
		frame, err := m.Encode()
		if err != nil {
			return err
		}
		if len(out) > 0 && len(out)+len(frame) > outputSize {
			if _, err := s.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		out = append(appendHeader(out, len(frame)), frame...)
		*buffer = out
	}
	_, err := s.Write(out)
	return err
}

// appendHeader appends the header of a final text frame of n bytes.
func appendHeader(b []byte, n int) []byte {
	const final, text = 0x80, 0x1
	switch {
	case n < 126:
		return append(b, final|text, byte(n))
	case n < 1<<16:
		return append(b, final|text, 126, byte(n>>8), byte(n))
	default: // signal.MaxFrame alone
		return append(b, final|text, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}

// A hijackTap puts a [stream] below the connection that is taken over through it.
type hijackTap struct {
	http.ResponseWriter

	stream *stream
}

// Hijack implements [http.Hijacker]. The server's own buffers, 4 KiB each way,
// are left behind.
func (t *hijackTap) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	var early []byte
	if n := rw.Reader.Buffered(); n > 0 {
		b, _ := rw.Peek(n) // it has them
		early = append(early, b...)
	}
	t.stream = newStream(conn, early)
	return t.stream, bufio.NewReadWriter(t.stream.above, bufio.NewWriterSize(t.stream, controlSize)), nil
}
