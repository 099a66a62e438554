package pion

import (
	"crypto/tls"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/turn/v5"
)

// startTURNOver starts a TURN server on a listener. It allocates nothing.
func startTURNOver(t *testing.T, l net.Listener) {
	t.Helper()
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "realm", LoggerFactory: quiet(),
		AuthHandler:     func(*turn.RequestAttributes) (string, []byte, bool) { return "", nil, false },
		ListenerConfigs: []turn.ListenerConfig{{Listener: l, RelayAddressGenerator: &turn.RelayAddressGeneratorNone{Address: "127.0.0.1"}}},
	})
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
}

// listener gives away what is in first, and then nothing more.
type listener struct {
	first  chan func() (net.Conn, error)
	asked  atomic.Int32
	closed chan struct{}
}

func newListener(accept func() (net.Conn, error)) *listener {
	l := &listener{first: make(chan func() (net.Conn, error), 1), closed: make(chan struct{})}
	l.first <- accept
	return l
}

func (l *listener) Accept() (net.Conn, error) {
	l.asked.Add(1)
	select {
	case accept := <-l.first:
		return accept()
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	close(l.closed)
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3478} }

// TestAcceptFailsOnce: a server accepts no more connections after one failure, such as that no file is free.
func TestAcceptFailsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener(func() (net.Conn, error) { return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE} })
		startTURNOver(t, l)
		time.Sleep(time.Hour)
		stillWrong(t, l.asked.Load() == 1, "turn/connections.go: Accept")
	})
}

// TestFailedTLSStaysOpen: a server does not close a connection whose TLS handshake has failed.
func TestFailedTLSStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		noted := &closeNoted{Conn: ours}
		startTURNOver(t, newListener(func() (net.Conn, error) { return tls.Server(noted, &tls.Config{}), nil })) //nolint:gosec // no handshake gets so far
		_, err := theirs.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		must(t, err)
		time.Sleep(time.Hour)
		stillWrong(t, !noted.closed.Load(), "turn/share.go: receive")
		must(t, theirs.Close())
		must(t, ours.Close())
	})
}

type closeNoted struct {
	net.Conn
	closed atomic.Bool
}

func (c *closeNoted) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// TestReadingRecurses: a message that comes in many parts takes a stack frame for each.
func TestReadingRecurses(t *testing.T) {
	message := make([]byte, 20+2000) // of STUN, with attributes of 2000 bytes
	copy(message, []byte{0, 1, 2000 >> 8, 2000 & 0xff, 0x21, 0x12, 0xa4, 0x42})
	slow := &byteByByte{rest: message}
	n, _, err := turn.NewSTUNConn(slow).ReadFrom(make([]byte, 1500+len(message)))
	must(t, err)
	if n != len(message) {
		t.Fatalf("%d bytes of %d", n, len(message))
	}
	t.Logf("%d frames on the stack", slow.deepest)
	stillWrong(t, slow.deepest > 1000, "turn/connections.go: Read")
}

// byteByByte is a connection over which each byte comes alone.
type byteByByte struct {
	net.Conn
	rest    []byte
	deepest int
}

func (c *byteByByte) Read(p []byte) (int, error) {
	c.deepest = max(c.deepest, runtime.Callers(0, make([]uintptr, 10_000)))
	p[0], c.rest = c.rest[0], c.rest[1:]
	return 1, nil
}

func (c *byteByByte) RemoteAddr() net.Addr { return &net.TCPAddr{} }
