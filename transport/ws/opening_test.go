package ws_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coder/websocket"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

// offering dials with more beside the subprotocol, and has what dialRaw returns.
func offering(t *testing.T, url string, values ...string) *client {
	t.Helper()
	c := newClient(t)
	c.offer(url, values...)
	return c
}

func (c *client) offer(url string, values ...string) {
	c.t.Helper()
	//nolint:bodyclose // needs none, says Dial
	conn, response, err := websocket.Dial(c.t.Context(), url, &websocket.DialOptions{Subprotocols: append([]string{ws.Subprotocol}, values...)})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.CloseNow() }) // whatever became of it
	if got := response.Header.Values("Sec-Websocket-Protocol"); len(got) != 1 || got[0] != ws.Subprotocol {
		c.t.Errorf("the hub agrees to %q", got)
	}
	c.conn = conn
}

// inRequest is a frame as a request has it.
func inRequest(frame []byte) string {
	return "noom.join." + base64.RawURLEncoding.EncodeToString(frame)
}

func encode(t *testing.T, m signal.Message) []byte {
	t.Helper()
	frame, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// A request is a golden join in a request.
type request struct{ Name, Frame, Value, Code string }

func requests(t *testing.T) (all []request) {
	t.Helper()
	text, err := os.ReadFile("../../signal/testdata/requests.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil || len(all) < 10 {
		t.Fatal(len(all), err)
	}
	return all
}

// TestJoinsInRequests: what a member puts into its request, and what a hub makes of it.
func TestJoinsInRequests(t *testing.T) {
	for _, r := range requests(t) {
		t.Run(r.Name, func(t *testing.T) {
			if r.Frame != "" {
				if got := offered(t, r.Frame); got != r.Value {
					t.Errorf("a member offers %q", got)
				}
			}
			if r.Value == "" {
				return
			}
			_, url := serve(t)
			others := newCall(t, url)
			c := offering(t, url, r.Value)
			switch {
			case r.Code == "":
				if m := c.expect(signal.TypeJoined); len(m.Members) != 2 {
					t.Errorf("let in with %+v", m.Members)
				}
				others.a.expect(signal.TypeWelcome)
				others.b.expect(signal.TypeWelcome)
			case strings.Contains(r.Name, "UTF-8"):
				c.expectCutWith(signal.CodeMalformed, websocket.StatusInvalidFramePayloadData)
			default:
				c.expectCut(signal.Code(r.Code))
			}
			others.undisturbed()
		})
	}
}

// offered is what a Dialer offers beside the subprotocol, for a join.
func offered(t *testing.T, frame string) (value string) {
	t.Helper()
	join, err := signal.Decode([]byte(frame))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		values := strings.Split(r.Header.Get("Sec-Websocket-Protocol"), ",")
		if values[0] != ws.Subprotocol || len(values) > 2 {
			t.Errorf("offered %q", values)
		}
		if len(values) > 1 {
			value = strings.TrimSpace(values[1])
		}
		w.WriteHeader(http.StatusUpgradeRequired) // so that it is not asked again
	}))
	defer server.Close()
	if _, err = (ws.Dialer{URL: server.URL}).DialJoin(t.Context(), join); !errors.Is(err, ws.ErrNotHub) {
		t.Error(err)
	}
	return value
}

// Every golden frame that is none, in a request: the fault is that of the frame.
func TestInvalidFramesInRequests(t *testing.T) {
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
		if len(inRequest(frame)) > 4096 {
			continue
		}
		_, err = signal.Decode(frame)
		refusal, _ := errors.AsType[*signal.Error](err)
		status := websocket.StatusPolicyViolation
		if !utf8.Valid(frame) {
			status = websocket.StatusInvalidFramePayloadData
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".frame"), func(t *testing.T) {
			offering(t, url, inRequest(frame)).expectCutWith(refusal.Code, status)
		})
		others.undisturbed()
	}
}

// TestJoinsTwice: the same join in a request and as a frame is one, and another join is refused as ever.
func TestJoinsTwice(t *testing.T) {
	h, url := serve(t)
	c := newClient(t)
	one := c.application("데모", "지우")
	other := c.application("다른 방", "지우")
	withToken, renewed, stolen := one, one, one
	withToken.Token, renewed.Session, stolen.Key = "token", signal.NewSession(), newClient(t).public()
	for _, test := range []struct {
		name    string
		values  []string
		frames  []signal.Message
		refused int
	}{
		{"in the request", []string{inRequest(encode(t, one))}, nil, 0},
		{"and as a frame", []string{inRequest(encode(t, one))}, []signal.Message{one}, 0},
		{"and as a frame with a token", []string{inRequest(encode(t, one))}, []signal.Message{withToken}, 0},
		{"and as a frame behind a ping", []string{inRequest(encode(t, one))}, []signal.Message{{Type: signal.TypePing}, one}, 0},
		{"as two frames", nil, []signal.Message{one, withToken}, 0},
		{"and another as a frame", []string{inRequest(encode(t, one))}, []signal.Message{other}, 1},
		{"and another, then the same", []string{inRequest(encode(t, one))}, []signal.Message{other, one}, 1},
		{"two in the request", []string{inRequest(encode(t, one)), inRequest(encode(t, other))}, []signal.Message{one}, 1},
		{"the same two", []string{inRequest(encode(t, one)), inRequest(encode(t, one))}, nil, 0},
		{"another name", []string{inRequest(encode(t, one))}, []signal.Message{c.application("데모", "bob")}, 1},
		{"another session", []string{inRequest(encode(t, one))}, []signal.Message{renewed}, 1},
		{"another key", []string{inRequest(encode(t, one))}, []signal.Message{stolen}, 1},
		{"many", []string{inRequest(encode(t, one)), "x", inRequest(encode(t, other)), inRequest(encode(t, other)), "noom.join.!"}, nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.t = t
			c.offer(url, test.values...)
			for _, m := range test.frames {
				c.send(m)
			}
			c.send(signal.Message{Type: signal.TypeChat, ID: "end", Text: "."})
			if m := c.expect(signal.TypeJoined); len(m.Members) != 0 || m.Self.Name != "지우" {
				t.Errorf("joined %+v", m)
			}
			refused := 0
			m, err := c.read()
			for ; err == nil && m.Type != signal.TypeChat; m, err = c.read() {
				if m.Code == signal.CodeAlreadyJoined {
					refused++
				} else if m.Type != signal.TypePong {
					t.Errorf("received %+v", m)
				}
			}
			if err != nil || refused != test.refused {
				t.Errorf("%d refused, %v", refused, err)
			}
			if rooms := h.Rooms(); len(rooms) != 1 || rooms[0].Name != "데모" {
				t.Errorf("rooms: %+v", rooms)
			}
			c.send(signal.Message{Type: signal.TypeBye})
			for err == nil {
				_, err = c.read()
			}
		})
	}
}

// TestJoinsInRequestsAreLimited: a hub answers a join in a request as it answers a frame, with the same limits and checks
// in the same order.
func TestJoinsInRequestsAreLimited(t *testing.T) {
	bouncer := func(context.Context, hub.Request) (hub.Grant, error) { return hub.Grant{}, errors.New("no") }
	there := func(_ *hub.Hub, url string, c *client) {
		c.offer(url)
		c.join("데모", "")
		c.expect(signal.TypeJoined)
	}
	stranger := func(_ *hub.Hub, url string, c *client) { there(nil, url, newClient(c.t)) }
	for name, test := range map[string]struct {
		config hub.Config
		before func(h *hub.Hub, url string, c *client) // c joins
		room   string
		want   signal.Code
	}{
		"room full":        {hub.Config{Limits: signal.Limits{Members: 1}}, stranger, "데모", signal.CodeRoomFull},
		"rooms full":       {hub.Config{MaxRooms: 1}, stranger, "elsewhere", signal.CodeHubFull},
		"hub full":         {hub.Config{MaxMembers: 1}, stranger, "데모", signal.CodeHubFull},
		"address full":     {hub.Config{MaxPerAddress: 1}, stranger, "데모", signal.CodeTooMany},
		"address, and bad": {hub.Config{MaxPerAddress: 1}, stranger, "", signal.CodeTooMany},
		"frame too big":    {hub.Config{Limits: signal.Limits{Frame: 64}}, nil, "데모", signal.CodeTooBig},
		"name too long":    {hub.Config{Limits: signal.Limits{Name: 4}}, nil, "데모", signal.CodeBadName},
		"bad room":         {hub.Config{Authorize: bouncer}, nil, "", signal.CodeBadRoom},
		"proof wanted":     {hub.Config{Authorize: bouncer}, nil, "데모", "challenge"},
		"id contested":     {hub.Config{}, there, "데모", "challenge"},
		"locked": {hub.Config{}, func(h *hub.Hub, url string, c *client) {
			stranger(h, url, c)
			_ = h.Lock("데모")
		}, "데모", signal.CodeLocked},
		"kicked": {hub.Config{}, func(h *hub.Hub, url string, c *client) {
			stranger(h, url, c)
			there(h, url, c)
			_ = h.Kick("데모", signal.MemberID(c.public()))
		}, "데모", signal.CodeKicked},
	} {
		for _, way := range []string{"frame", "request"} {
			t.Run(name+" by "+way, func(t *testing.T) {
				h := hub.New(&test.config)
				here := func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.1") }
				server := httptest.NewServer(ws.Handler(h, &ws.AcceptOptions{ClientAddress: here}))
				t.Cleanup(func() {
					_ = h.Shutdown(t.Context()) // cuts the remaining members, because the context is over
					server.Close()
				})
				c := newClient(t)
				if test.before != nil {
					test.before(h, server.URL, c)
				}
				join := encode(t, c.application(test.room, "mallory"))
				if way == "request" {
					c.offer(server.URL, inRequest(join))
				} else {
					c.offer(server.URL)
					c.write(websocket.MessageText, join)
				}
				m, err := c.read()
				if got := signal.Code(m.Type); err != nil || got != test.want && m.Code != test.want {
					t.Errorf("answered with %+v, %v, want %s", m, err, test.want)
				}
			})
		}
	}
}

// TestCardsInRequests: a card goes with the join in a request if there is room for it, and without it the join does.
func TestCardsInRequests(t *testing.T) {
	server := httptest.NewServer(ws.Handler(hub.New(nil), nil))
	defer server.Close()
	d := ws.Dialer{URL: server.URL}
	next := func(s signal.Signaler, want signal.Type) signal.Message {
		t.Helper()
		m, err := s.Receive(t.Context())
		if err != nil || m.Type != want {
			t.Fatalf("%v, %v, want %s", m.Type, err, want)
		}
		return m
	}
	join := func(seed byte, room string) signal.Message {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
		return signal.Message{Type: signal.TypeJoin, Room: room, Name: "지우", Key: signal.PublicKey(key), Session: signal.NewSession()}
	}
	most := &signal.Card{Offer: make(signal.Bytes, signal.MaxCard), Signature: make(signal.Bytes, ed25519.SignatureSize)}
	for room, sends := range map[string][]string{
		"데모": {"audio/opus", "video/VP8"},
		"방":  slices.Repeat([]string{"video/" + strings.Repeat("x", signal.MaxMIME-len("video/"))}, signal.MaxSends),
	} {
		resident, err := d.DialJoin(t.Context(), join(1, room))
		if err != nil {
			t.Fatal(err)
		}
		next(resident, signal.TypeJoined)
		newcomer := join(2, room)
		newcomer.Sends, newcomer.Card = sends, most
		s, err := d.DialJoin(t.Context(), newcomer)
		if err != nil {
			t.Fatal(err)
		}
		next(s, signal.TypeJoined)
		welcome := next(resident, signal.TypeWelcome)
		if got := welcome.Card != nil && bytes.Equal(welcome.Card.Offer, most.Offer); got != (len(sends) == 2) {
			t.Errorf("with %d of sends, the card has come: %v", len(sends), got)
		}
		if newcomer.Card == nil || len(welcome.Sends) != len(sends) {
			t.Errorf("the welcome has %d of sends; the join has lost its card: %v", len(welcome.Sends), newcomer.Card == nil)
		}
		if err := errors.Join(s.Close(), resident.Close()); err != nil {
			t.Error(err)
		}
	}
}
