package ws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"

	"noom/signal"
)

// A servedEnd is a server's end of a WebSocket connection as a [signal.Signaler].
// There may be ten thousand of them, nearly all of which wait: an idle one is
// this struct, and has no buffer.
type servedEnd struct {
	stream   stream
	endpoint string
	hearsay  bool // endpoint is what the member says, unchecked
	page     bool // the other end is one
	address  netip.Addr
	watches  watches
	closing  sync.Once
	closed   atomic.Bool
	fault    atomic.Uint32 // the status for what came last; 0: the protocol alone finds fault with it

	// reading is held by the reader: Wait and Receive, and CloseWith once those have been stopped.
	reading sync.Mutex
	header  [ws.MaxHeaderSize - 2]byte // to read one through
	state   ws.State                   // what may come next
	spare   int                        // frames since the last that ended a message
	buffer  *[]byte                    // holds the message that is read, or was last; nil: nothing
	agreed  bool                       // the other end has sent its close frame
	early   []early                    // came with the request, and waits to be received

	// writing is held by the writer.
	writing sync.Mutex
	said    bool // the close frame is written: nothing goes behind it
}

// maxSpare is how many frames may come that end no message: control frames, and
// fragments. There is a bound on messages a second; this makes it one on frames.
const maxSpare = 128

// errSpare ends a connection that sends more.
const errSpare = ws.ProtocolError("too many frames that end no message")

// newServed takes a connection over. early is what was read behind the request.
func newServed(conn net.Conn, early []byte, endpoint string, address netip.Addr) *servedEnd {
	l := &servedEnd{endpoint: endpoint, address: address, state: ws.StateServerSide}
	l.stream.init(conn, early)
	return l
}

// Endpoint returns the address that proofs are bound to; see [signal.Endpoint].
func (l *servedEnd) Endpoint() string { return l.endpoint }

// UncheckedEndpoint reports that the other end alone says what Endpoint is; see
// [signal.UncheckedEndpoint].
func (l *servedEnd) UncheckedEndpoint() bool { return l.hearsay }

// Address returns where the other end connects from; see [signal.Address].
func (l *servedEnd) Address() netip.Addr { return l.address }

// Send implements [signal.Signaler]. A frame that takes more than 10 s to be
// written ends the connection.
func (l *servedEnd) Send(ctx context.Context, m signal.Message) error {
	return l.SendAll(ctx, []*signal.Message{&m})
}

// SendAll implements [signal.BatchSender], with one system call.
func (l *servedEnd) SendAll(ctx context.Context, batch []*signal.Message) error {
	if err := encode(batch); err != nil {
		return err // nothing has happened
	}
	w, err := l.watches.begin(ctx, l)
	if err == nil {
		err = l.write(batch)
		l.watches.end(w)
	}
	return sendError(ctx, err, l.closed.Load())
}

// Wait implements [signal.Waiter].
func (l *servedEnd) Wait(ctx context.Context) bool {
	switch {
	case len(l.early) > 0:
		return true
	case !l.stream.bare():
		return false
	}
	w, err := l.watches.begin(ctx, l)
	if err != nil {
		return true
	}
	l.reading.Lock()
	l.release()
	if !l.closed.Load() {
		l.stream.await()
	}
	l.reading.Unlock()
	l.watches.end(w)
	return true
}

// Receive implements [signal.Signaler].
func (l *servedEnd) Receive(ctx context.Context) (signal.Message, error) {
	w, err := l.watches.begin(ctx, l)
	var m signal.Message
	if err == nil {
		l.reading.Lock()
		l.release()
		m, err = l.receive()
		l.reading.Unlock()
		l.watches.end(w)
	}
	return m, receiveError(ctx, err, l.closed.Load())
}

func (l *servedEnd) receive() (signal.Message, error) {
	text, err := l.next()
	if err != nil {
		return signal.Message{}, err
	}
	m, err := signal.Decode(text)
	if err != nil {
		l.fault.Store(uint32(faultOf(text)))
	}
	return m, err
}

// message reads the next text message, valid until release.
func (l *servedEnd) message() ([]byte, error) {
	for !l.closed.Load() {
		h, err := ws.ReadHeaderBuffer(&l.stream, l.header[:])
		if err != nil {
			return nil, err
		}
		if err = l.take(h); err != nil {
			if broken, ok := errors.AsType[ws.ProtocolError](err); ok {
				status := ws.StatusProtocolError
				if errors.Is(err, ws.ErrProtocolInvalidUTF8) {
					status = ws.StatusInvalidFramePayloadData
				}
				l.sayClose(ws.NewCloseFrameBody(status, string(broken)))
			}
			return nil, err
		}
		if h.Fin && h.OpCode.IsData() {
			l.spare = 0
			return *l.buffer, nil
		}
	}
	return nil, net.ErrClosed
}

// take acts on a frame (RFC 6455 section 5.4): it adds what is part of a message
// to the buffer, and answers the others.
func (l *servedEnd) take(h ws.Header) error {
	if err := ws.CheckHeader(h, l.state); err != nil {
		return err
	}
	if l.spare++; l.spare > maxSpare {
		return errSpare
	}
	switch {
	case h.OpCode.IsControl():
		return l.control(h)
	case h.OpCode == ws.OpBinary:
		l.fault.Store(uint32(ws.StatusUnsupportedData))
		return errBinary()
	case h.OpCode == ws.OpText:
		l.buffer = buffers.Get().(*[]byte)
		*l.buffer = (*l.buffer)[:0]
	}
	l.state = l.state.Set(ws.StateFragmented)
	if h.Fin {
		l.state = l.state.Clear(ws.StateFragmented)
	}
	if h.Length > int64(signal.MaxFrame-len(*l.buffer)) {
		return signal.Errorf(signal.CodeTooBig, "", "a frame of more than %d bytes", signal.MaxFrame)
	}
	return l.payload(h)
}

// payload reads a frame's bytes into the buffer, which grows as they come: what a
// header announces costs nothing yet.
func (l *servedEnd) payload(h ws.Header) error {
	for done := 0; done < int(h.Length); {
		text := slices.Grow(*l.buffer, min(int(h.Length)-done, bufferSize))
		room := text[len(text):min(cap(text), len(text)+int(h.Length)-done)]
		n, err := io.ReadAtLeast(&l.stream, room, 1)
		if err != nil {
			return err
		}
		ws.Cipher(room[:n], h.Mask, done)
		*l.buffer = text[:len(text)+n]
		done += n
	}
	return nil
}

// control acts on a control frame (section 5.5).
func (l *servedEnd) control(h ws.Header) error {
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(&l.stream, payload); err != nil {
		return err
	}
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		return l.writeFrame(ws.NewPongFrame(payload))
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(payload)
		if len(payload) == 0 {
			code = ws.StatusNoStatusRcvd
		} else if err := ws.CheckCloseFrameData(code, reason); err != nil {
			return err
		}
		l.agreed = true
		l.sayClose(payload[:min(2, len(payload))]) // what it said, as an answer
		if code == ws.StatusGoingAway && l.page {  // that is what it is for (section 7.4.1)
			return fmt.Errorf("%w: %w", signal.ErrLeaving, io.EOF)
		}
		return closedBy(int(code), reason)
	default: // a pong answers nothing of ours
		return nil
	}
}

func (l *servedEnd) release() {
	if l.buffer != nil && !l.state.Fragmented() {
		buffers.Put(l.buffer)
		l.buffer = nil
	}
}

// write writes messages, each as one unmasked text frame (section 5.2).
func (l *servedEnd) write(batch []*signal.Message) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.said {
		return net.ErrClosed
	}
	return l.stream.send(batch)
}

// writeFrame writes a control frame.
func (l *servedEnd) writeFrame(f ws.Frame) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.said {
		return nil
	}
	err := l.stream.write(ws.MustCompileFrame(f)) // it is one that can be
	l.said = f.Header.OpCode == ws.OpClose
	return err
}

// sayClose writes the close frame, the first time.
func (l *servedEnd) sayClose(body []byte) {
	_ = l.writeFrame(ws.NewCloseFrame(body)) // an end that does not get it will notice
}

// Close implements [signal.Signaler].
func (l *servedEnd) Close() error { return l.CloseWith(nil) }

// CloseWith closes with why's code as the reason and status 1009 for too_big, for malformed 1007 if
// it was not UTF-8 and 1003 if it was a binary message, and 1008 for all others; without why with
// status 1000. It waits at most 2 s for the other end to go, then cuts the connection.
func (l *servedEnd) CloseWith(why *signal.Error) error {
	l.closing.Do(func() {
		l.closed.Store(true)
		hurry := time.AfterFunc(closeTimeout, l.Abort)
		status, reason := closeStatus(why, websocket.StatusCode(l.fault.Load()))
		l.sayClose(ws.NewCloseFrameBody(ws.StatusCode(status), reason))
		l.stream.interrupt()
		l.reading.Lock()
		if !l.agreed {
			l.stream.drain()
		}
		l.reading.Unlock()
		hurry.Stop()
		l.Abort()
		l.watches.stop()
	})
	return nil
}

// Abort implements [signal.Aborter].
func (l *servedEnd) Abort() {
	_ = l.stream.conn.Close() // it was closed already, or is now
}
