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
	"unicode/utf8"

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

	fault  atomic.Uint32                // the status for it; 0: the protocol alone finds fault with it
	broken atomic.Pointer[signal.Error] // why what came last is no frame; nil: it is one
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
		return signal.Message{}, l.refuse(errBinary(), websocket.StatusUnsupportedData)
	}
	l.buffer = buffers.Get().(*[]byte)
	*l.buffer, err = readFrame(r, *l.buffer)
	if tooBig, is := err.(*signal.Error); is { //nolint:errorlint // one that wraps it was not made here
		return signal.Message{}, l.refuse(tooBig, 0)
	}
	if err != nil {
		return signal.Message{}, whyClosed(err)
	}
	m, err := signal.Decode(*l.buffer)
	if err != nil {
		return m, l.refuse(err, faultOf(*l.buffer))
	}
	return m, nil
}

// refuse keeps what is wrong with the frame that has come, so that Close can report it.
func (l *link) refuse(err error, fault websocket.StatusCode) error {
	if why, ok := errors.AsType[*signal.Error](err); ok {
		l.fault.Store(uint32(fault)) //nolint:gosec // three of four digits, or 0
		l.broken.Store(why)
	}
	return err
}

func errBinary() error {
	return signal.Errorf(signal.CodeMalformed, "", "a binary message; frames are text")
}

// faultOf is the status for a text that is no frame: one of its own if it is no
// text either (RFC 6455 section 8.1).
func faultOf(text []byte) websocket.StatusCode {
	if !utf8.Valid(text) {
		return websocket.StatusInvalidFramePayloadData
	}
	return 0
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
	switch status := websocket.StatusCode(code); status {
	case websocket.StatusPolicyViolation, websocket.StatusInvalidFramePayloadData, websocket.StatusUnsupportedData, websocket.StatusMessageTooBig:
		switch {
		case isCode(reason):
			return signal.Errorf(signal.Code(reason), "", "the other end closed")
		case status == websocket.StatusMessageTooBig:
			return signal.Errorf(signal.CodeTooBig, "", "the other end closed")
		case status == websocket.StatusInvalidFramePayloadData:
			return signal.Errorf(signal.CodeMalformed, "", "the other end closed: it was sent what is no UTF-8")
		}
		return closeError(status, reason)
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		return fmt.Errorf("the other end closed: %w", io.EOF)
	default:
		return closeError(status, reason)
	}
}

// closeError is a close frame that no code of ours is in. What the other end
// wrote is made fit to be printed.
func closeError(status websocket.StatusCode, reason string) error {
	return fmt.Errorf("the other end closed: %w", websocket.CloseError{Code: status, Reason: signal.Printable(reason)})
}

// closeStatus is what a close frame is to say. fault is the status for what came
// last, 0 if the protocol alone finds fault with it.
func closeStatus(why *signal.Error, fault websocket.StatusCode) (code websocket.StatusCode, reason string) {
	switch {
	case why == nil:
		return websocket.StatusNormalClosure, ""
	case why.Code == signal.CodeTooBig:
		return websocket.StatusMessageTooBig, string(why.Code)
	case why.Code == signal.CodeMalformed && fault != 0:
		return fault, string(why.Code)
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

// Close implements [signal.Signaler]. After a Receive that got something that is not a frame it
// reports that as CloseWith would.
func (l *link) Close() error { return l.CloseWith(l.broken.Load()) }

// CloseWith closes with why's code as the reason and status 1009 for too_big, for malformed 1007 if
// it was not UTF-8 and 1003 if it was a binary message, and 1008 for all others; without why with
// status 1000. It waits at most 2 s for the other end to agree, then cuts the connection.
func (l *link) CloseWith(why *signal.Error) error {
	l.closing.Do(func() {
		l.closed.Store(true)
		hurry := time.AfterFunc(closeTimeout, l.Abort)
		// Its error says only that the other end was not there to agree.
		_ = l.ws.Close(closeStatus(why, websocket.StatusCode(l.fault.Load())))
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
