package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/gobwas/ws"
)

// httpDialect is noom's protocol over transport/http (PROTOCOL.md section 1.1).
type httpDialect struct{ noomDialect }

func (httpDialect) join(addr string, m member, in int) (*wire, error) {
	c, err := dialHTTP(addr)
	if err != nil {
		return nil, err
	}
	return entered(&wire{conn: c, in: bufio.NewReaderSize(c, in)}, joinText(m), `"type":"joined"`)
}

// An httpConn is a session over HTTP/1.1 with the face of a connection that carries WebSocket frames,
// which is what the driver reads and writes: one connection for the stream of events, one for batches.
type httpConn struct {
	net.Conn // of the stream

	addr, session string
	events        *bufio.Reader
	frames        []byte // WebSocket frames that were made of events

	mu    sync.Mutex
	up    *bufio.ReadWriter // of the connection for batches; nil: there is none now
	upEnd net.Conn
	got   int64 // the number of the last event
	said  int64 // the last that the hub knows of
	next  int64 // the number of the first of waiting
	queue [][]byte
	busy  bool // a batch is on its way
}

// ackEvery is after how many events the hub is told that they have come.
const ackEvery = 16

func dialHTTP(addr string) (*httpConn, error) {
	c := &httpConn{addr: addr, next: 1}
	var o struct{ Session string }
	answer, err := c.post("Noom-Protocol: noom.v1", nil)
	if err == nil {
		err = json.Unmarshal(answer, &o)
	}
	if err != nil {
		return nil, err
	}
	c.session = o.Session
	if c.Conn, err = net.DialTimeout("tcp", addr, wireTimeout); err != nil {
		return nil, err
	}
	if _, err = fmt.Fprintf(c.Conn, "GET / HTTP/1.1\r\nHost: %s\r\nNoom-Session: %s\r\nLast-Event-ID: 0\r\nAccept: text/event-stream\r\n\r\n", addr, o.Session); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(c.Conn, 512), nil) //nolint:bodyclose // Close closes the connection
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("no stream: %w", err)
	}
	c.events = bufio.NewReaderSize(response.Body, 512)
	return c, nil
}

// Read implements [net.Conn]: it makes WebSocket frames of events.
func (c *httpConn) Read(p []byte) (int, error) {
	for len(c.frames) == 0 {
		if err := c.event(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.frames)
	c.frames = c.frames[n:]
	return n, nil
}

func (c *httpConn) event() error {
	var text []byte
	for lines := 0; ; {
		line, err := c.events.ReadBytes('\n')
		if err != nil {
			return err
		}
		if data, is := bytes.CutPrefix(line, []byte("data: ")); is {
			if lines++; lines > 1 {
				text = append(text, '\n')
			}
			text = append(text, data[:len(data)-1]...)
		} else if len(line) == 1 && lines > 0 {
			break
		}
	}
	c.frames = ws.MustCompileFrame(ws.NewTextFrame(text))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.got++; c.got-c.said >= ackEvery {
		c.carry()
	}
	return nil
}

// Write implements [net.Conn]: it takes one WebSocket frame.
func (c *httpConn) Write(p []byte) (int, error) {
	in := bytes.NewReader(p)
	h, err := ws.ReadHeader(in)
	if err != nil {
		return 0, err
	}
	payload := bytes.Clone(p[len(p)-in.Len():])
	if h.Masked {
		ws.Cipher(payload, h.Mask, 0)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, payload)
	c.carry()
	return len(p), nil
}

// carry sees to it that what waits goes up, in the next batch at the latest; the caller holds c.mu.
func (c *httpConn) carry() {
	if c.busy {
		return
	}
	c.busy = true
	go func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for len(c.queue) > 0 || c.got-c.said >= ackEvery {
			text := c.batch()
			c.mu.Unlock()
			_, err := c.post("Noom-Session: "+c.session, text)
			c.mu.Lock()
			if err != nil {
				_ = c.Conn.Close() // Read reports it
				break
			}
		}
		c.busy = false
	}()
}

// batch takes at most 64 KiB of what waits.
func (c *httpConn) batch() []byte {
	text := fmt.Appendf(nil, "%d %d\n", c.got, c.next)
	for len(c.queue) > 0 && len(text) < 60_000 {
		text = strconv.AppendInt(text, int64(len(c.queue[0])), 10)
		text = append(append(text, '\n'), c.queue[0]...)
		c.queue = c.queue[1:]
		c.next++
	}
	c.said = c.got
	return text
}

func (c *httpConn) post(header string, body []byte) ([]byte, error) {
	if c.up == nil {
		conn, err := net.DialTimeout("tcp", c.addr, wireTimeout)
		if err != nil {
			return nil, err
		}
		c.upEnd, c.up = conn, bufio.NewReadWriter(bufio.NewReaderSize(conn, 512), bufio.NewWriterSize(conn, 512))
	}
	_, _ = fmt.Fprintf(c.up, "POST / HTTP/1.1\r\nHost: %s\r\n%s\r\nContent-Length: %d\r\n\r\n", c.addr, header, len(body))
	_, _ = c.up.Write(body) // Flush reports it
	if err := c.up.Flush(); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(c.up.Reader, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // it is read
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("HTTP %s: %s", response.Status, answer)
	}
	return answer, err
}

// Close implements [net.Conn]. It resets both, so that no port stays in TIME_WAIT.
func (c *httpConn) Close() error {
	for _, conn := range []net.Conn{c.Conn, c.upEnd} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			_ = tcp.Close()
		}
	}
	return nil
}

// rest closes the connection for batches until it is needed, as a browser or net/http does after a
// while.
func (c *httpConn) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up != nil && !c.busy {
		_ = c.upEnd.Close()
		c.up, c.upEnd = nil, nil
	}
}
