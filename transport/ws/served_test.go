package ws_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	gobwas "github.com/gobwas/ws"

	"noom/signal"
	"noom/transport/transporttest"
	"noom/transport/ws"
)

// A wire is a client that sends bytes as it likes.
type wire struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

const openingHandshake = "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: noom.v1\r\n\r\n"

// dialWire opens a connection with what comes right behind its request.
func dialWire(t *testing.T, url string, behind ...[]byte) *wire {
	t.Helper()
	address := strings.TrimPrefix(url, "http://")
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // whatever became of it
	if err = conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	w := &wire{t, conn, bufio.NewReader(conn)}
	w.write(append([][]byte{fmt.Appendf(nil, openingHandshake, address)}, behind...)...)
	response, err := http.ReadResponse(w.in, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake: %+v, %v", response, err)
	}
	_ = response.Body.Close() // it has none
	return w
}

func (w *wire) write(frames ...[]byte) {
	w.t.Helper()
	if _, err := w.conn.Write(bytes.Join(frames, nil)); err != nil {
		w.t.Fatal(err)
	}
}

// expect reads the next frame.
func (w *wire) expect(op gobwas.OpCode, payload string) {
	w.t.Helper()
	h, err := gobwas.ReadHeader(w.in)
	if err != nil {
		w.t.Fatalf("no %v frame: %v", op, err)
	}
	b := make([]byte, h.Length)
	if _, err := io.ReadFull(w.in, b); err != nil || h.OpCode != op || h.Masked || !strings.HasPrefix(string(b), payload) {
		w.t.Fatalf("received %+v %q, %v; want %v %q", h, b, err, op, payload)
	}
}

// masked is a frame as a client sends it.
func masked(op gobwas.OpCode, final bool, payload string) []byte {
	return gobwas.MustCompileFrame(gobwas.MaskFrame(gobwas.NewFrame(op, final, []byte(payload))))
}

func closing(code gobwas.StatusCode, reason string) string {
	return string(gobwas.NewCloseFrameBody(code, reason))
}

// joining is a member's join, and what the answer begins with.
func joining(room string) (frame, answer string) {
	m := signal.Message{Type: signal.TypeJoin, Room: room, Name: "지우", Key: make(signal.PublicKey, 32), Session: signal.NewSession()}
	b, err := m.Encode()
	if err != nil {
		panic(err) // it can be encoded
	}
	return string(b), `{"type":"joined"`
}

// RFC 6455 sections 5.4, 5.5 and 7.4, as a hub's end keeps them.
func TestFraming(t *testing.T) {
	_, url := serve(t)
	others := newCall(t, url)
	const text, more, ping, pong, end = gobwas.OpText, gobwas.OpContinuation, gobwas.OpPing, gobwas.OpPong, gobwas.OpClose
	join, _ := joining("틀")
	unmasked := gobwas.MustCompileFrame(gobwas.NewTextFrame([]byte(join)))
	reserved := masked(text, true, join)
	reserved[0] |= 0x40
	huge := masked(text, true, "")[:2] // a header that announces 2^62 bytes
	huge = append([]byte{huge[0], 0x80 | 127}, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4)

	type answer struct {
		op      gobwas.OpCode
		payload string
	}
	violation := answer{end, closing(gobwas.StatusProtocolError, "")}
	for _, test := range []struct {
		name    string
		send    [][]byte
		answers []answer // and then nothing more
	}{
		{"a ping", [][]byte{masked(ping, true, "들려요?"), masked(end, true, closing(1000, ""))}, []answer{{pong, "들려요?"}, {end, closing(1000, "")}}},
		{"an empty ping", [][]byte{masked(ping, true, ""), masked(end, true, "")}, []answer{{pong, ""}, {end, ""}}},
		{"a pong that nobody asked for", [][]byte{masked(pong, true, "x"), masked(end, true, closing(1001, "안녕"))}, []answer{{end, closing(1001, "")}}},
		{"an unmasked frame", [][]byte{unmasked}, []answer{violation}},
		{"a reserved bit", [][]byte{reserved}, []answer{violation}},
		{"a reserved opcode", [][]byte{masked(0x3, true, "x")}, []answer{violation}},
		{"a ping in fragments", [][]byte{masked(ping, false, "x")}, []answer{violation}},
		{"a ping of 126 bytes", [][]byte{masked(ping, true, strings.Repeat("x", 126))}, []answer{violation}},
		{"a continuation of nothing", [][]byte{masked(more, true, join)}, []answer{violation}},
		{"a message within another", [][]byte{masked(text, false, join[:9]), masked(text, true, join)}, []answer{violation}},
		{"a close code that may not be sent", [][]byte{masked(end, true, closing(1006, ""))}, []answer{violation}},
		{"half a close code", [][]byte{masked(end, true, "\x03")}, []answer{violation}},
		{"a reason that is no UTF-8", [][]byte{masked(end, true, closing(1000, "\xff"))}, []answer{{end, closing(gobwas.StatusInvalidFramePayloadData, "")}}},
		{"a header that announces 2^62 bytes", [][]byte{huge}, []answer{{text, `{"type":"error","code":"too_big"`}, {end, closing(1009, "too_big")}}},
		{"fragments without end", slicesOf(200, masked(text, false, ""), masked(more, false, "")), []answer{violation}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := dialWire(t, url)
			w.write(test.send...)
			for _, a := range test.answers {
				w.expect(a.op, a.payload)
			}
			if b, err := io.ReadAll(w.in); len(b) != 0 || err != nil {
				t.Errorf("then %q, %v, want the end", b, err)
			}
			others.undisturbed()
		})
	}
}

func slicesOf(n int, first, rest []byte) [][]byte {
	all := [][]byte{first}
	for range n {
		all = append(all, rest)
	}
	return all
}

// A client that does not wait for the answer to its request.
func TestFrameRightBehindTheRequest(t *testing.T) {
	_, url := serve(t)
	join, joined := joining("성급")
	w := dialWire(t, url, masked(gobwas.OpText, true, join))
	w.expect(gobwas.OpText, joined)
}

// A message in fragments with a ping between them, all byte by byte.
func TestMessageInPieces(t *testing.T) {
	_, url := serve(t)
	join, joined := joining("조각")
	w := dialWire(t, url)
	for _, b := range bytes.Join([][]byte{
		masked(gobwas.OpText, false, join[:1]), masked(gobwas.OpContinuation, false, ""), masked(gobwas.OpPing, true, "x"),
		masked(gobwas.OpContinuation, false, join[1:20]), masked(gobwas.OpContinuation, true, join[20:]),
	}, nil) {
		w.write([]byte{b})
	}
	w.expect(gobwas.OpPong, "x")
	w.expect(gobwas.OpText, joined)
	w.write(masked(gobwas.OpText, true, `{"type":"ping"}`))
	w.expect(gobwas.OpText, `{"type":"pong"}`)
}

// Where bytes are not the system's own, above all under TLS, a hub's end reads
// through a buffer.
func TestTransportOverTLS(t *testing.T) {
	t.Parallel()
	accepted := transporttest.NewAccepted()
	server := httptest.NewTLSServer(ws.Handler(accepted, nil))
	t.Cleanup(server.Close)
	transporttest.Run(t, func(t *testing.T) transporttest.Pair {
		t.Helper()
		return accepted.Pair(t, ws.Dialer{URL: server.URL, HTTPClient: server.Client()})
	})
}

// The hub is the first to go, and says so below WebSocket too: neither end waits.
func TestCloseReachesWhoOnlyReads(t *testing.T) {
	h, url := serve(t)
	for name, dial := range map[string]func() *wire{
		"TCP": func() *wire { return dialWire(t, url) },
		"TLS": func() *wire {
			server := httptest.NewTLSServer(ws.Handler(h, nil))
			t.Cleanup(server.Close)
			address := server.Listener.Addr().String()
			roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS13}}).DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			w := &wire{t, conn, bufio.NewReader(conn)}
			w.write(fmt.Appendf(nil, openingHandshake, address))
			if _, err = http.ReadResponse(w.in, nil); err != nil { //nolint:bodyclose // it has none
				t.Fatal(err)
			}
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := dial()
			w.write(masked(gobwas.OpText, true, `{"type":"ping"}`)) // before a join
			w.expect(gobwas.OpText, `{"type":"error","code":"join_first"`)
			w.expect(gobwas.OpClose, closing(gobwas.StatusPolicyViolation, "join_first"))
			if n, err := w.in.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("read %d bytes, %v, want the end", n, err)
			}
		})
	}
}

// The end that closes reads what the other end still sends until it agrees, while the reader of the
// same connection waits for something to receive.
func TestCloseWhileTheReaderWaits(t *testing.T) {
	h, url := serve(t)
	for n := range 20 {
		room := fmt.Sprint("방 ", n)
		m := dialRaw(t, url)
		m.join(room, "지우")
		m.expect(signal.TypeJoined)
		h.CloseRoom(room)
		for range 5 { // fails once the hub has closed
			_ = m.conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"pong"}`))
		}
		if f := m.expect(signal.TypeBye); f.Reason != signal.ReasonClosed {
			t.Fatalf("bye: %+v", f)
		}
		if _, err := m.read(); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Fatalf("the end: %v, want status 1000", err)
		}
	}
}
