//go:build unix

package ws

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// waitBare lets s wait for input without a buffer, if its connection is the
// system's own: one that wraps it may change the bytes.
func (s *stream) waitBare() {
	var err error
	inner := s.conn
	if g, is := inner.(*guest); is { // which only counts
		inner = g.Conn
	}
	switch conn := inner.(type) {
	case *net.TCPConn:
		s.wait, err = conn.SyscallConn()
	case *net.UnixConn:
		s.wait, err = conn.SyscallConn()
	}
	if err != nil {
		s.wait = nil // it is closed: a Read will say so
	}
	s.try = s.tryRead
}

// tryRead reads what there is. It reports false if that is nothing yet.
func (s *stream) tryRead(fd uintptr) bool {
	buffer := inputs.Get().(*[]byte)
	n, err := syscall.Read(int(fd), *buffer) // which does not block
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), *buffer)
	}
	if n > 0 {
		s.in, s.rest = buffer, (*buffer)[:n]
		return true
	}
	inputs.Put(buffer)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return false
	case err != nil:
		s.err = &net.OpError{Op: "read", Net: s.conn.LocalAddr().Network(), Addr: s.conn.RemoteAddr(), Err: err}
	default:
		s.err = io.EOF
	}
	return true
}
