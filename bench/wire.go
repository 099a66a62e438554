package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gobwas/ws"
)

// A wire is the driver's end of a WebSocket connection. It does as little as
// can be: what it costs is not what is measured.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

// wireTimeout bounds each step of coming in.
const wireTimeout = 30 * time.Second

// dial opens a connection. in is how many bytes of buffer it reads through.
func dial(url string, in int, subprotocols ...string) (*wire, error) {
	dialer := ws.Dialer{Timeout: wireTimeout, Protocols: subprotocols, ReadBufferSize: 512, WriteBufferSize: 512}
	conn, early, _, err := dialer.Dial(context.Background(), url)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", url, err)
	}
	w := &wire{conn: conn}
	if early != nil { // frames came right behind the handshake
		rest, _ := early.Peek(early.Buffered())
		w.in = bufio.NewReaderSize(io.MultiReader(newOnce(rest), conn), in)
		ws.PutReader(early)
	} else {
		w.in = bufio.NewReaderSize(conn, in)
	}
	return w, nil
}

// newOnce reads a copy of b.
func newOnce(b []byte) io.Reader { return &once{append([]byte(nil), b...)} }

type once struct{ rest []byte }

func (o *once) Read(p []byte) (int, error) {
	if len(o.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, o.rest)
	o.rest = o.rest[n:]
	return n, nil
}

// clientMask masks every frame: any key will do on loopback.
var clientMask = [4]byte{0x5a, 0xa5, 0x3c, 0xc3}

// compile makes the bytes of a text message.
func compile(text []byte) []byte {
	return ws.MustCompileFrame(ws.MaskFrameWith(ws.NewTextFrame(text), clientMask))
}

// send writes a text message.
func (w *wire) send(text string) error {
	_, err := w.conn.Write(compile([]byte(text)))
	return err
}

// receive returns the next text message, valid until the next call.
func (w *wire) receive(buffer *[]byte) ([]byte, error) {
	for {
		h, err := ws.ReadHeader(w.in)
		if err != nil {
			return nil, err
		}
		if h.Length > 1<<20 || !h.Fin {
			return nil, fmt.Errorf("a frame that no server here sends: %+v", h)
		}
		if int(h.Length) > cap(*buffer) {
			*buffer = make([]byte, h.Length)
		}
		b := (*buffer)[:h.Length]
		if _, err := io.ReadFull(w.in, b); err != nil {
			return nil, err
		}
		switch h.OpCode {
		case ws.OpText:
			return b, nil
		case ws.OpClose:
			return nil, fmt.Errorf("closed: %q", b)
		case ws.OpPing:
			if _, err := w.conn.Write(ws.MustCompileFrame(ws.MaskFrameWith(ws.NewPongFrame(b), clientMask))); err != nil {
				return nil, err
			}
		default:
		}
	}
}

// expect reads messages until one passes.
func (w *wire) expect(passes func([]byte) bool) error {
	if err := w.conn.SetReadDeadline(time.Now().Add(wireTimeout)); err != nil {
		return err
	}
	var buffer []byte
	for range 200 {
		b, err := w.receive(&buffer)
		if err != nil {
			return err
		}
		if passes(b) {
			return w.conn.SetReadDeadline(time.Time{})
		}
	}
	return errors.New("the answer that was waited for did not come")
}

// close resets the connection, so that no port stays in TIME_WAIT.
func (w *wire) close() {
	if tcp, ok := w.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = w.conn.Close()
}
