package ws_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

const patience = time.Minute

// A client speaks WebSocket by hand, so that it can send what no frame is.
type client struct {
	t       *testing.T
	conn    *websocket.Conn
	key     ed25519.PrivateKey
	session string
}

func dialRaw(t *testing.T, url string, header ...http.Header) *client {
	t.Helper()
	o := &websocket.DialOptions{Subprotocols: []string{ws.Subprotocol}}
	if len(header) > 0 {
		o.HTTPHeader = header[0]
	}
	c := newClient(t)
	conn, _, err := websocket.Dial(t.Context(), url, o) //nolint:bodyclose // needs none, says Dial
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() }) // whatever became of it
	c.conn = conn
	return c
}

// newClient returns a client without a connection.
func newClient(t *testing.T) *client {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, key: key, session: signal.NewSession()}
}

func (c *client) write(kind websocket.MessageType, frame []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.conn.Write(ctx, kind, frame); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *client) send(m signal.Message) {
	c.t.Helper()
	frame, err := m.Encode()
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(websocket.MessageText, frame)
}

func (c *client) read() (signal.Message, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	_, frame, err := c.conn.Read(ctx)
	if err != nil {
		return signal.Message{}, err
	}
	return signal.Decode(frame)
}

func (c *client) expect(want signal.Type) signal.Message {
	c.t.Helper()
	m, err := c.read()
	for err == nil && m.Type == signal.TypePing { // the machine is slow
		m, err = c.read()
	}
	if err != nil || m.Type != want {
		c.t.Fatalf("received %+v, %v, want %s", m, err, want)
	}
	return m
}

// expectCut reads an error frame and then a close frame that both hold code.
func (c *client) expectCut(code signal.Code) {
	c.t.Helper()
	status := websocket.StatusPolicyViolation
	if code == signal.CodeTooBig {
		status = websocket.StatusMessageTooBig
	}
	c.expectCutWith(code, status)
}

// expectCutWith is expectCut where what was sent has a status of its own (RFC
// 6455 section 7.4.1).
func (c *client) expectCutWith(code signal.Code, status websocket.StatusCode) {
	c.t.Helper()
	if m := c.expect(signal.TypeError); m.Code != code {
		c.t.Fatalf("error %s (%s), want %s", m.Code, m.Error, code)
	}
	_, err := c.read()
	end, ok := errors.AsType[websocket.CloseError](err)
	if !ok || end.Code != status || end.Reason != string(code) {
		c.t.Fatalf("the end: %v, want %v with reason %q", err, status, code)
	}
}

func (c *client) public() signal.PublicKey {
	return signal.PublicKey(c.key.Public().(ed25519.PublicKey))
}

func (c *client) join(room, name string) {
	c.t.Helper()
	c.send(c.application(room, name))
}

// application is the frame with which c joins.
func (c *client) application(room, name string) signal.Message {
	return signal.Message{Type: signal.TypeJoin, Room: room, Name: name, Key: c.public(), Session: c.session}
}

// A call of two that must notice nothing.
type call struct {
	a, b *client
	said int
}

func newCall(t *testing.T, url string) *call {
	t.Helper()
	c := &call{a: dialRaw(t, url), b: dialRaw(t, url)}
	c.a.join("데모", "지우")
	c.a.expect(signal.TypeJoined)
	c.b.join("데모", "bob")
	c.b.expect(signal.TypeJoined)
	c.a.expect(signal.TypeWelcome)
	return c
}

// undisturbed checks that both hear each other, and nothing else in between.
func (c *call) undisturbed() {
	c.a.t.Helper()
	c.said++
	id := fmt.Sprint(c.said)
	c.a.send(signal.Message{Type: signal.TypeChat, ID: id, Text: "들려요?"})
	for _, m := range []*client{c.a, c.b} {
		if f := m.expect(signal.TypeChat); f.ID != id {
			c.a.t.Fatalf("chat %s, want %s", f.ID, id)
		}
	}
}

func serve(t *testing.T) (*hub.Hub, string) {
	t.Helper()
	h := hub.New(nil)
	server := httptest.NewServer(ws.Handler(h, nil))
	t.Cleanup(func() {
		_ = h.Shutdown(t.Context()) // cuts the remaining members, because the context is over
		server.Close()
	})
	return h, server.URL
}

// Every golden frame that is none, before and after a join: an error frame and
// a close frame with its code, and everyone else is undisturbed. A member's request
// that is only wrong in itself is answered, and nothing else happens.
func TestInvalidFramesCutTheirSenderAlone(t *testing.T) {
	_, url := serve(t)
	others := newCall(t, url)
	files, err := filepath.Glob("../../signal/testdata/invalid/*.frame")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden frames: %v", err)
	}
	for _, file := range files {
		frame, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = signal.Decode(frame)
		refusal, ok := errors.AsType[*signal.Error](err)
		if !ok {
			t.Fatalf("%s: %v", file, err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".frame")
		status := websocket.StatusPolicyViolation
		switch {
		case !utf8.Valid(frame):
			status = websocket.StatusInvalidFramePayloadData
		case refusal.Code == signal.CodeTooBig:
			status = websocket.StatusMessageTooBig
		}
		t.Run(name, func(t *testing.T) {
			bad := dialRaw(t, url)
			bad.write(websocket.MessageText, frame)
			bad.expectCutWith(refusal.Code, status)

			bad = dialRaw(t, url)
			bad.join("다른 방 "+name, "mallory") // the one before may not have left its own
			bad.expect(signal.TypeJoined)
			bad.write(websocket.MessageText, frame)
			if !refusal.About.Request() || refusal.Code == signal.CodeTooBig {
				bad.expectCutWith(refusal.Code, status)
				return
			}
			if m := bad.expect(signal.TypeError); m.Code != refusal.Code || m.About != refusal.About {
				bad.t.Fatalf("told %s about %s, want %s", m.Code, m.About, refusal.Code)
			}
			bad.send(signal.Message{Type: signal.TypePing})
			bad.expect(signal.TypePong)
			bad.send(signal.Message{Type: signal.TypeBye})
		})
		others.undisturbed()
	}
}

// Of bad requests in a row there is an end, and a good frame begins a new row.
func TestTooManyBadRequests(t *testing.T) {
	_, url := serve(t)
	c := dialRaw(t, url)
	c.join("데모", "")
	c.expect(signal.TypeJoined)
	half := []byte(`{"type":"chat","id":"1","text":"\ud83d"}`)
	for _, n := range []int{64, 64} {
		for range n {
			c.write(websocket.MessageText, half)
			if m := c.expect(signal.TypeError); m.Code != signal.CodeMalformed || m.About != signal.TypeChat {
				t.Fatalf("told %s about %q", m.Code, m.About)
			}
		}
		c.send(signal.Message{Type: signal.TypePing})
		c.expect(signal.TypePong)
	}
	for range 64 {
		c.write(websocket.MessageText, half)
		c.expect(signal.TypeError)
	}
	c.write(websocket.MessageText, half)
	c.expectCut(signal.CodeMalformed)
}

func TestBadInput(t *testing.T) {
	h, url := serve(t)
	others := newCall(t, url)
	target := signal.MemberID(others.a.public())
	pair := func(c *client, to string) signal.Message {
		id := signal.MemberID(c.public())
		return signal.Message{
			Type: signal.TypeOffer, To: to, Sessions: [2]string{c.session, others.a.session},
			Epoch: signal.Epoch{Number: 1, By: id}, Seq: 1, Signature: make(signal.Bytes, 64), Body: []byte("{}"),
		}
	}
	for _, test := range []struct {
		name  string
		first bool // before a join
		do    func(c *client)
	}{
		{"BinaryMessage", true, func(c *client) {
			c.write(websocket.MessageBinary, []byte(`{"type":"ping"}`))
			c.expectCutWith(signal.CodeMalformed, websocket.StatusUnsupportedData)
		}},
		{"TenMegabytes", true, func(c *client) {
			go func() { _ = c.conn.Write(c.t.Context(), websocket.MessageText, make([]byte, 10<<20)) }() // cut off, or not
			c.expectCut(signal.CodeTooBig)
		}},
		{"EndlessMessage", true, func(c *client) {
			w, err := c.conn.Writer(c.t.Context(), websocket.MessageText)
			if err != nil {
				c.t.Fatal(err)
			}
			for range 12 { // fragments of a message that has no end
				if _, err := w.Write(make([]byte, 8192)); err != nil {
					c.t.Fatal(err)
				}
			}
			c.expectCut(signal.CodeTooBig)
		}},
		{"PingFirst", true, func(c *client) {
			c.send(signal.Message{Type: signal.TypePing})
			c.expectCut(signal.CodeJoinFirst)
		}},
		{"UnknownTypeFirst", true, func(c *client) {
			c.write(websocket.MessageText, []byte(`{"type":"`+strings.Repeat("x", 60_000)+`"}`))
			c.expectCut(signal.CodeJoinFirst)
		}},
		{"OfferFirst", true, func(c *client) {
			c.send(pair(c, target))
			c.expectCut(signal.CodeJoinFirst)
		}},
		{"ProofFirst", true, func(c *client) {
			c.send(signal.Message{Type: signal.TypeProof, Signature: make(signal.Bytes, 64)})
			c.expectCut(signal.CodeJoinFirst)
		}},
		{"GoesWithoutJoining", true, func(c *client) { _ = c.conn.CloseNow() }},
		{"SecondJoin", false, func(c *client) {
			c.join("데모", "again")
			if m := c.expect(signal.TypeError); m.Code != signal.CodeAlreadyJoined {
				c.t.Fatalf("error %s", m.Code)
			}
			c.send(signal.Message{Type: signal.TypePing})
			c.expect(signal.TypePong) // it stays
		}},
		{"MemberOfAnotherRoom", false, func(c *client) {
			c.send(pair(c, target))
			if m := c.expect(signal.TypeError); m.Code != signal.CodeNoSuchMember {
				c.t.Fatalf("error %s", m.Code)
			}
			c.send(signal.Message{Type: signal.TypePing})
			c.expect(signal.TypePong)
		}},
		{"ForgedSender", false, func(c *client) {
			m := pair(c, signal.MemberID(c.public())) // to itself, in another's name
			m.From = target
			c.send(m)
			if m := c.expect(signal.TypeOffer); m.From != signal.MemberID(c.public()) {
				c.t.Fatalf("from %s", m.From)
			}
		}},
		{"FrameThatGrowsAboveTheLimit", false, func(c *client) {
			m := pair(c, signal.MemberID(c.public()))
			frame, err := m.Encode()
			if err != nil {
				c.t.Fatal(err)
			}
			m.Body = make([]byte, len(m.Body)+signal.MaxFrame-len(frame))
			m.Stamp("")
			frame, err = m.Encode()
			if err != nil || len(frame) != signal.MaxFrame {
				c.t.Fatal(len(frame), err)
			}
			c.send(m)
			c.expectCut(signal.CodeTooBig)
		}},
		{"FramesOfTheHub", false, func(c *client) {
			for _, name := range []string{"challenge", "joined", "welcome", "renamed", "error", "pong", "unknown-type"} {
				frame, err := os.ReadFile("../../signal/testdata/valid/" + name + ".frame")
				if err != nil {
					c.t.Fatal(err)
				}
				c.write(websocket.MessageText, frame)
			}
			c.send(signal.Message{Type: signal.TypePing})
			c.expect(signal.TypePong) // they were ignored
		}},
		{"VanishesInARoom", false, func(c *client) { _ = c.conn.CloseNow() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := dialRaw(t, url)
			if !test.first {
				c.join("다른 방 "+test.name, "mallory") // the one before may not have left its own
				c.expect(signal.TypeJoined)
			}
			test.do(c)
			others.undisturbed()
		})
	}
	if got := h.Members("데모"); len(got) != 2 {
		t.Errorf("members: %v", got)
	}
}

func TestNobodyElseCanTakeAnID(t *testing.T) {
	_, url := serve(t)
	others := newCall(t, url)
	thief := dialRaw(t, url)
	thief.send(signal.Message{Type: signal.TypeJoin, Room: "데모", Key: others.a.public(), Session: thief.session})
	nonce := thief.expect(signal.TypeChallenge).Nonce
	text := signal.ProofText(strings.TrimPrefix(url, "http://"), "데모", thief.session, nonce)
	thief.send(signal.Message{Type: signal.TypeProof, Signature: ed25519.Sign(thief.key, text)})
	thief.expectCut(signal.CodeBadProof)
	others.undisturbed()

	back := dialRaw(t, url)
	back.send(signal.Message{Type: signal.TypeJoin, Room: "데모", Key: others.a.public(), Session: back.session})
	nonce = back.expect(signal.TypeChallenge).Nonce
	text = signal.ProofText(strings.TrimPrefix(url, "http://"), "데모", back.session, nonce)
	back.send(signal.Message{Type: signal.TypeProof, Signature: ed25519.Sign(others.a.key, text)})
	back.expect(signal.TypeJoined)
	if m := others.a.expect(signal.TypeBye); m.Reason != signal.ReasonReplaced {
		t.Fatalf("bye: %+v", m)
	}
}
