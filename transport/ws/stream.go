package ws

import (
	"bufio"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"noom/signal"
)

// A stream is what lies below a served connection. An idle one holds no buffer:
// bytes are read, as many as there are, into one that is borrowed when they
// have come and given back when they are used up.
type stream struct {
	conn net.Conn

	// Owned by the reader.
	wait syscall.RawConn       // nil: there is no waiting without a buffer
	try  func(fd uintptr) bool // reads what there is; made once
	slow *bufio.Reader         // where there is not
	in   *[]byte               // borrowed; nil: none
	rest []byte                // still to be taken: of it, or what came behind the request
	err  error                 // no more can be read

	deadline time.Duration // of writes, since epoch; owned by the writer
}

const (
	inputSize = 16 << 10 // several offers at once
	slowSize  = 4 << 10  // the buffer of a connection that needs one
)

var inputs = sync.Pool{New: func() any {
	b := make([]byte, inputSize)
	return &b
}}

// epoch is what deadlines are counted from.
var epoch = time.Now()

func (s *stream) init(conn net.Conn, early []byte) {
	s.conn, s.rest = conn, early
	if s.waitBare(); s.wait == nil {
		s.slow = bufio.NewReaderSize(conn, slowSize)
	}
}

// bare reports whether s can await input.
func (s *stream) bare() bool { return s.wait != nil }

// await returns when there is something to read, or never will be.
func (s *stream) await() {
	if len(s.rest) == 0 {
		_ = s.wait.Read(s.try) // the next Read meets its error again
	}
}

// Read implements [io.Reader].
func (s *stream) Read(p []byte) (int, error) {
	switch {
	case len(s.rest) > 0:
	case s.slow != nil:
		return s.slow.Read(p)
	case s.err != nil:
		return 0, s.err
	default:
		if err := s.wait.Read(s.try); err != nil {
			return 0, err
		}
	}
	if len(s.rest) == 0 {
		return 0, s.err
	}
	n := copy(p, s.rest)
	if s.rest = s.rest[n:]; len(s.rest) == 0 {
		s.rest = nil
		if s.in != nil {
			inputs.Put(s.in)
			s.in = nil
		}
	}
	return n, nil
}

// interrupt ends whatever reads. Until drain all reading fails.
func (s *stream) interrupt() {
	_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // if it is closed there is no reader
}

// drain announces to the other end that nothing more will come, and discards what it still sends
// until it goes too. To close at once would reset the connection under what was just written (RFC
// 6455 section 7.1.1).
func (s *stream) drain() {
	if half, can := s.conn.(interface{ CloseWrite() error }); can {
		_ = half.CloseWrite() // if it is closed there is nothing to read either
	}
	if s.conn.SetReadDeadline(time.Time{}) == nil {
		_, _ = io.Copy(io.Discard, s.conn) // until whatever ends it
	}
}

// write writes what must not take longer than writeTimeout.
func (s *stream) write(p []byte) error {
	now := time.Since(epoch)
	if s.deadline-now < writeTimeout {
		// A second too late, so that it need not be set again for each write.
		const slack = time.Second
		s.deadline = now + writeTimeout + slack
		if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout + slack)); err != nil {
			return err
		}
	}
	_, err := s.conn.Write(p)
	return err
}

// outputs hold frames on their way into one write.
var outputs = sync.Pool{New: func() any {
	b := make([]byte, 0, inputSize)
	return &b
}}

// outputSize is from how many bytes on frames go out without waiting for those
// behind them.
const outputSize = 64 << 10

// send writes encoded messages, each as one unmasked text frame.
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
			if err := s.write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		out = append(appendHeader(out, len(frame)), frame...)
		*buffer = out
	}
	return s.write(out)
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
