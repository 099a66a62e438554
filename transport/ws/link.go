package ws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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

// A link is a member's end of a WebSocket connection as a [signal.Signaler].
type link struct {
	ws       *websocket.Conn
	raw      io.Closer   // what lies below ws: closing it ends whatever hangs
	watchdog *time.Timer // runs while frames are written
	endpoint string
	watches  watches
	closing  sync.Once
	closed   atomic.Bool

	// Owned by Receive.
	buffer *[]byte // what the last message points into; nil: nothing
}

func newLink(conn *websocket.Conn, raw io.Closer, endpoint string) *link {
	conn.SetReadLimit(-1) // readFrame bounds what it takes, and may still answer then
	l := &link{ws: conn, raw: raw, endpoint: endpoint}
	l.watchdog = time.AfterFunc(writeTimeout, l.Abort)
	l.watchdog.Stop()
	return l
}

// Endpoint returns the address that proofs are bound to; see [signal.Endpoint].
func (l *link) Endpoint() string { return l.endpoint }

// Send implements [signal.Signaler]. A frame that takes more than 10 s to be
// written ends the connection.
func (l *link) Send(ctx context.Context, m signal.Message) error {
	return l.SendAll(ctx, []*signal.Message{&m})
}

// SendAll implements [signal.BatchSender].
func (l *link) SendAll(ctx context.Context, batch []*signal.Message) error {
	if err := encode(batch); err != nil {
		return err // nothing has happened
	}
	w, err := l.watches.begin(ctx, l)
	if err == nil {
		err = l.send(batch)
		l.watches.end(w)
	}
	return sendError(ctx, err, l.closed.Load())
}

func (l *link) send(batch []*signal.Message) error {
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

// encode sees to it that all messages are encoded.
func encode(batch []*signal.Message) error {
	for _, m := range batch {
		if _, err := m.Encode(); err != nil {
			return err
		}
	}
	return nil
}

// sendError and receiveError say why a call of either end failed, if it did.
func sendError(ctx context.Context, err error, closed bool) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("not written within %v: %w", writeTimeout, err)
	case closed:
		err = net.ErrClosed
	}
	return fmt.Errorf("ws: send: %w", err)
}

func receiveError(ctx context.Context, err error, closed bool) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case closed:
		err = net.ErrClosed
	}
	return fmt.Errorf("ws: receive: %w", err)
}

// Receive implements [signal.Signaler].
func (l *link) Receive(ctx context.Context) (signal.Message, error) {
	l.release()
	w, err := l.watches.begin(ctx, l)
	var m signal.Message
	if err == nil {
		m, err = l.receive()
		l.watches.end(w)
	}
	return m, receiveError(ctx, err, l.closed.Load())
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

// buffers hold messages from their first byte to the next Receive.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, bufferSize)
	return &b
}}

// bufferSize is how large they are at first.
const bufferSize = 4 << 10

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

// whyClosed turns a close frame into what it says.
func whyClosed(err error) error {
	if end, ok := errors.AsType[websocket.CloseError](err); ok {
		return closedBy(int(end.Code), end.Reason)
	}
	return err
}

// closedBy is what a close frame says (RFC 6455 section 7.4.1): a *signal.Error
// for a code of the protocol, io.EOF for an orderly end.
func closedBy(code int, reason string) error {
	switch status := websocket.StatusCode(code); {
	case status == websocket.StatusPolicyViolation && isCode(reason):
		return signal.Errorf(signal.Code(reason), "", "the other end closed")
	case status == websocket.StatusMessageTooBig:
		return signal.Errorf(signal.CodeTooBig, "", "the other end closed")
	case status == websocket.StatusNormalClosure, status == websocket.StatusGoingAway, status == websocket.StatusNoStatusRcvd:
		return fmt.Errorf("the other end closed: %w", io.EOF)
	default:
		return websocket.CloseError{Code: status, Reason: reason}
	}
}

// closeStatus is what a close frame is to say.
func closeStatus(why *signal.Error) (code websocket.StatusCode, reason string) {
	switch {
	case why == nil:
		return websocket.StatusNormalClosure, ""
	case why.Code == signal.CodeTooBig:
		return websocket.StatusMessageTooBig, string(why.Code)
	default:
		return websocket.StatusPolicyViolation, string(why.Code)
	}
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
		l.closed.Store(true)
		hurry := time.AfterFunc(closeTimeout, l.Abort)
		// Its error says only that the other end was not there to agree.
		_ = l.ws.Close(closeStatus(why))
		hurry.Stop()
		l.Abort()
		l.watches.stop()
	})
	return nil
}

// Abort implements [signal.Aborter].
func (l *link) Abort() {
	_ = l.raw.Close() // it was closed already, or is now
}
