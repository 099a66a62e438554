package ws_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"noom/internal/uplink"
	"noom/internal/webtest"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

// This file counts the round trips of a join, from nothing to joined, in virtual time: time passes on the way alone.

const oneWay = 50 * time.Millisecond

// A member joins and leaves again.
type member struct {
	cfg   uplink.Config
	hubAt time.Time // there was a connection
}

func newMember(t *testing.T, d signal.Dialer, token string, inFrame bool) *member {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	public := signal.PublicKey(key.Public().(ed25519.PublicKey))
	return &member{cfg: uplink.Config{
		Dialer: d, Room: "데모", Name: func() string { return "지우" }, Token: token, JoinInFrame: inFrame,
		Self: signal.Member{ID: signal.MemberID(public), PublicKey: public, Session: signal.NewSession()},
		Sign: func(text []byte) signal.Bytes { return ed25519.Sign(key, text) }, Trace: func(bool, signal.Message) {},
		DialTimeout: 5 * time.Second, RedialMax: time.Second, Lost: func(error) {}, Log: slog.New(slog.DiscardHandler),
	}}
}

// enter returns after how many round trips the member was in.
func (m *member) enter(t *testing.T) (trips float64, err error) {
	t.Helper()
	up := uplink.New(m.cfg)
	began := time.Now()
	if _, err = up.Join(t.Context(), nil); err != nil {
		return 0, err
	}
	trips = float64(time.Since(began)) / float64(2*oneWay)
	m.hubAt = up.Arrival().Hub
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = up.Run(ctx) }() // until the hub has the goodbye
	<-up.Goodbye()
	<-up.Gone()
	up.Wait()
	return trips, nil
}

// without is a proxy that takes the join out of requests, or a hub that does not know it is there.
func without(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			r.Header.Set("Sec-Websocket-Protocol", ws.Subprotocol)
		}
		next.ServeHTTP(w, r)
	})
}

// TestTripsToJoined: a join takes a round trip less, whether the hub wants a proof or not, and where the request cannot
// bring it as many as without. One is TCP's.
func TestTripsToJoined(t *testing.T) {
	long := strings.Repeat("x", signal.MaxToken)
	everyone := func(_ context.Context, r hub.Request) (hub.Grant, error) {
		if r.Token != long {
			return hub.Grant{}, errors.New("no")
		}
		return hub.Grant{}, nil
	}
	for name, test := range map[string]struct {
		between   func(http.Handler) http.Handler
		authorize func(context.Context, hub.Request) (hub.Grant, error)
		inFrame   bool
		want      float64
	}{
		"in a frame":                             {inFrame: true, want: 3},
		"in the request":                         {want: 2},
		"in a frame, with a proof":               {inFrame: true, authorize: everyone, want: 4},
		"in the request, with a proof":           {authorize: everyone, want: 3},
		"taken out of the request":               {between: without, want: 3},
		"taken out of the request, with a proof": {between: without, authorize: everyone, want: 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hub.New(&hub.Config{Authorize: test.authorize})
				handler := ws.Handler(h, nil)
				if test.between != nil {
					handler = test.between(handler)
				}
				network := webtest.NewNetwork()
				network.Serve(t, ws.HTTPServer(handler, nil))
				d := ws.Dialer{URL: "ws://hub/ws", HTTPClient: network.Far(t, oneWay)}
				trips, err := newMember(t, d, long, test.inFrame).enter(t)
				if err != nil || trips != test.want {
					t.Errorf("joined after %v round trips, %v, want %v", trips, err, test.want)
				}
				if err := h.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestHeldBack: a join in a request waits as long as a frame, if its member joins again and again, and its connection is
// open meanwhile.
func TestHeldBack(t *testing.T) {
	for name, inFrame := range map[string]bool{"in the request": false, "in a frame": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hub.New(nil)
				network := webtest.NewNetwork()
				network.Serve(t, ws.HTTPServer(ws.Handler(h, nil), nil))
				d := ws.Dialer{URL: "ws://hub/ws", HTTPClient: network.Client(t)}
				m := newMember(t, d, "", inFrame)
				for range 16 {
					if _, err := m.enter(t); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				if _, err := m.enter(t); err != nil || time.Since(began) != time.Second || m.hubAt != began {
					t.Errorf("in after %v, %v, with a connection after %v", time.Since(began), err, m.hubAt.Sub(began))
				}
				if err := h.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestRefusedRequests: where something refuses a request for its join, the member dials without; and whatever is done,
// the join gets into no error and no log, and the token into no request.
func TestRefusedRequests(t *testing.T) {
	const token = "secret-of-bob"
	answer := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, strings.Join(r.Header["Sec-Websocket-Protocol"], ","), status)
		}
	}
	agree := func(to func(*http.Request) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{to(r)}}); err == nil {
				_ = c.CloseNow() // it was all about the handshake
			}
		}
	}
	for name, spoil := range map[string]http.HandlerFunc{
		"bad request":     answer(http.StatusBadRequest),
		"forbidden":       answer(http.StatusForbidden),
		"header too long": answer(http.StatusRequestHeaderFieldsTooLarge),
		"bad gateway":     answer(http.StatusBadGateway),
		"cut":             func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"agrees to the join": agree(func(r *http.Request) string {
			return r.Header.Get("Sec-Websocket-Protocol")[len(ws.Subprotocol)+1:]
		}),
		"agrees to nothing": agree(func(*http.Request) string { return "chat" }),
		"agrees to all": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Sec-Websocket-Protocol", r.Header.Get("Sec-Websocket-Protocol"))
			agree(func(*http.Request) string { return "chat" })(w, r)
		},
	} {
		for when, always := range map[string]bool{"with a join": false, "always": true} {
			t.Run(name+", "+when, func(t *testing.T) {
				log, logger := newLog()
				h := hub.New(&hub.Config{Logger: logger, Authorize: func(_ context.Context, r hub.Request) (hub.Grant, error) {
					if r.Token != token {
						return hub.Grant{}, errors.New("no")
					}
					return hub.Grant{}, nil
				}})
				handler := ws.Handler(h, nil)
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					value, has := strings.CutPrefix(r.Header.Get("Sec-Websocket-Protocol"), ws.Subprotocol+",noom.join.")
					frame, err := base64.RawURLEncoding.DecodeString(value)
					if has && (err != nil || !bytes.Contains(frame, []byte("지우")) || bytes.Contains(frame, []byte("oken"))) {
						t.Errorf("requested with %s, %v", frame, err)
					}
					if has || always {
						spoil(w, r)
						return
					}
					handler.ServeHTTP(w, r)
				}))
				server.Config = ws.HTTPServer(server.Config.Handler, logger)
				server.Start()
				defer server.Close()
				m := newMember(t, ws.Dialer{URL: server.URL}, token, false)
				m.cfg.Log = logger
				_, err := m.enter(t)
				if (err == nil) == always {
					t.Errorf("joined: %v", err)
				}
				if down := h.Shutdown(t.Context()); down != nil {
					t.Error(down)
				}
				if err != nil {
					logger.Info("join", "err", err)
				}
				log.keeps(t, token)
			})
		}
	}
}

// TestBadRequestsInTheLog: what is wrong with a join in a request is logged, and the join is not.
func TestBadRequestsInTheLog(t *testing.T) {
	const token = "secret-of-bob"
	log, logger := newLog()
	h := hub.New(&hub.Config{Logger: logger})
	server := httptest.NewUnstartedServer(nil)
	server.Config = ws.HTTPServer(ws.Handler(h, nil), logger)
	server.Start()
	defer server.Close()
	c := newClient(t)
	join := c.application("데모", "bob")
	join.Token = token
	frame := encode(t, join)
	whole := inRequest(frame)
	for _, value := range []string{
		whole + "!", whole[:len(whole)-2], inRequest(frame[1:]), inRequest(append(frame, '\n', 'x')), inRequest(bytes.Replace(frame, []byte(`"room"`), []byte(`"name"`), 1)),
		"noom.join." + token + ".", whole + strings.Repeat("A", 4096), inRequest(bytes.Replace(frame, []byte(token), []byte(token+"\xff"), 1)),
	} {
		c.offer(server.URL, value)
		if m := c.expect(signal.TypeError); strings.Contains(m.Error, token) {
			t.Errorf("told %q", m.Error)
		}
	}
	if err := h.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "malformed") || !strings.Contains(log.String(), "too_big") {
		t.Errorf("the log is %s", log)
	}
	log.keeps(t, token)
}

func newLog() (*lines, *slog.Logger) {
	log := new(lines)
	return log, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// keeps fails if a secret stands in the log, as it is or in a join.
func (l *lines) keeps(t *testing.T, secret string) {
	t.Helper()
	all := []string{secret, "noom.join."}
	for shift := range 3 { // base64 has three ways to write what stands in the middle
		text := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		all = append(all, text[4:len(text)-4])
	}
	for _, s := range all {
		if strings.Contains(l.String(), s) {
			t.Errorf("%q stands in the log: %s", s, l)
		}
	}
}

// lines are a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
