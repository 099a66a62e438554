package ws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"noom/signal"
)

// Subprotocol is what both ends must agree on (PROTOCOL.md section 1).
const Subprotocol = "noom.v1"

const (
	writeTimeout = 10 * time.Second // for one frame
	closeTimeout = 2 * time.Second  // for the closing handshake (RFC 6455 section 7.1)
)

// A link is one end of a WebSocket connection as a [signal.Signaler].
type link struct {
	ws       *websocket.Conn
	raw      io.Closer   // what lies below ws: closing it ends whatever hangs
	stream   *stream     // at a server's end the same, to write frames to
	watchdog *time.Timer // at a client's end: runs while frames are written
	endpoint string
	address  netip.Addr // at a server's end
	watch    atomic.Pointer[watch]
	closing  sync.Once
	closed   atomic.Bool
	gate     sync.Mutex // held while closed is set, and while Wait looks whether it is

	// Owned by Receive.
	buffer *[]byte // what the last message points into; nil: nothing
}

func newClientLink(conn *websocket.Conn, raw io.Closer, endpoint string) *link {
	conn.SetReadLimit(-1) // read bounds what it takes, and may still answer then
	l := &link{ws: conn, raw: raw, endpoint: endpoint}
	l.watchdog = time.AfterFunc(writeTimeout, l.Abort)
	l.watchdog.Stop()
	return l
}

func newServerLink(conn *websocket.Conn, below *stream, endpoint string) *link {
	conn.SetReadLimit(-1) // as above
	return &link{ws: conn, raw: below, stream: below, endpoint: endpoint}
}

// Endpoint returns the address that proofs are bound to; see [signal.Endpoint].
func (l *link) Endpoint() string { return l.endpoint }

// Send implements [signal.Signaler]. A frame that takes more than 10 s to be
// written ends the connection.
func (l *link) Send(ctx context.Context, m signal.Message) error {
	return l.SendAll(ctx, []*signal.Message{&m})
}

// SendAll implements [signal.BatchSender], at a server's end with one system
// call.
func (l *link) SendAll(ctx context.Context, batch []*signal.Message) error {
	for _, m := range batch {
		if _, err := m.Encode(); err != nil {
			return err // nothing has happened
		}
	}
	w, err := l.watched(ctx)
	if err != nil {
		return fmt.Errorf("ws: send: %w", err)
	}
	if err = l.send(batch); err == nil {
		l.unwatched(w)
		return nil
	}
	l.unwatched(w)
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("not written within %v: %w", writeTimeout, err)
	case l.closed.Load():
		err = net.ErrClosed
	}
	return fmt.Errorf("ws: send: %w", err)
}

func (l *link) send(batch []*signal.Message) error {
	if l.stream != nil {
		if l.closed.Load() { // no data behind a close frame (RFC 6455 section 5.5.1)
			return net.ErrClosed
		}
		return l.stream.send(batch)
	}
	l.watchdog.Reset(writeTimeout)
	for _, m := range batch {
		frame, err := m.Encode()
		if err == nil {
			// It gets no context of ours: that would cost it one more
			// registration for each frame.
			err = l.ws.Write(context.Background(), websocket.MessageText, frame)
		}
		if err != nil {
			if !l.watchdog.Stop() {
				err = errors.Join(err, os.ErrDeadlineExceeded)
			}
			return err
		}
	}
	l.watchdog.Stop()
	return nil
}

// Wait implements [signal.Waiter].
func (l *link) Wait(ctx context.Context) bool {
	if l.stream == nil || l.stream.wait == nil {
		return false
	}
	l.release()
	w, err := l.watched(ctx)
	if err != nil {
		return true
	}
	// From its close frame on, the library reads by itself what is pending.
	l.gate.Lock()
	ready := l.closed.Load() || l.stream.pending()
	l.gate.Unlock()
	if !ready {
		l.stream.await()
	}
	l.unwatched(w)
	return true
}

// Receive implements [signal.Signaler].
func (l *link) Receive(ctx context.Context) (signal.Message, error) {
	l.release()
	w, err := l.watched(ctx)
	if err != nil {
		return signal.Message{}, fmt.Errorf("ws: receive: %w", err)
	}
	m, err := l.receive()
	l.unwatched(w)
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case l.closed.Load():
		err = net.ErrClosed
	}
	return signal.Message{}, fmt.Errorf("ws: receive: %w", err)
}

func (l *link) receive() (signal.Message, error) {
	kind, r, err := l.ws.Reader(context.Background())
	if err != nil {
		return signal.Message{}, whyClosed(err)
	}
	if kind != websocket.MessageText {
		return signal.Message{}, signal.Errorf(signal.CodeMalformed, "", "a binary message; frames are text")
	}
	l.buffer = buffers.Get().(*[]byte)
	*l.buffer, err = readFrame(r, *l.buffer)
	if err != nil {
		return signal.Message{}, whyClosed(err)
	}
	return signal.Decode(*l.buffer)
}

// buffers hold messages from their first byte to the next Receive. An idle
// connection has none.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 4096)
	return &b
}}

func (l *link) release() {
	if l.buffer != nil {
		buffers.Put(l.buffer)
		l.buffer = nil
	}
}

// readFrame reads a message of at most signal.MaxFrame bytes into buffer, which
// it may replace by a larger one.
func readFrame(r io.Reader, buffer []byte) ([]byte, error) {
	buffer = buffer[:0]
	for {
		if len(buffer) == cap(buffer) {
			buffer = append(buffer, 0)[:len(buffer)]
		}
		n, err := r.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		switch {
		case len(buffer) > signal.MaxFrame:
			return buffer, signal.Errorf(signal.CodeTooBig, "", "a frame of more than %d bytes", signal.MaxFrame)
		case errors.Is(err, io.EOF):
			return buffer, nil
		case err != nil:
			return buffer, err
		}
	}
}

// whyClosed turns a close frame into what it says: a *signal.Error for a code
// of the protocol, io.EOF for an orderly end.
func whyClosed(err error) error {
	end, ok := errors.AsType[websocket.CloseError](err)
	if !ok {
		return err
	}
	switch code := end.Code; {
	case code == websocket.StatusPolicyViolation && isCode(end.Reason):
		return signal.Errorf(signal.Code(end.Reason), "", "the other end closed")
	case code == websocket.StatusMessageTooBig:
		return signal.Errorf(signal.CodeTooBig, "", "the other end closed")
	case code == websocket.StatusNormalClosure, code == websocket.StatusGoingAway, code == websocket.StatusNoStatusRcvd:
		return fmt.Errorf("the other end closed: %w", io.EOF)
	}
	return err
}

// isCode reports whether s looks like a code of PROTOCOL.md section 2, known to
// this version or not.
func isCode(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return s != ""
}

// Close implements [signal.Signaler].
func (l *link) Close() error { return l.CloseWith(nil) }

// CloseWith closes with status 1008, or 1009 for too_big, and why's code as
// the reason; without why with status 1000. It waits at most 2 s for the other
// end to agree, then cuts the connection.
func (l *link) CloseWith(why *signal.Error) error {
	l.closing.Do(func() {
		l.gate.Lock()
		l.closed.Store(true)
		l.gate.Unlock()
		status, reason := websocket.StatusNormalClosure, ""
		if why != nil {
			status, reason = websocket.StatusPolicyViolation, string(why.Code)
			if why.Code == signal.CodeTooBig {
				status = websocket.StatusMessageTooBig
			}
		}
		hurry := time.AfterFunc(closeTimeout, l.Abort)
		// Its error says only that the other end was not there to agree.
		_ = l.ws.Close(status, reason)
		hurry.Stop()
		l.Abort()
		if w := l.watch.Load(); w != nil {
			w.stop()
		}
	})
	return nil
}

// Abort implements [signal.Aborter].
func (l *link) Abort() {
	_ = l.raw.Close() // it was closed already, or is now
}
