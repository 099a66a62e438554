package http_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"noom/internal/webtest"
	"noom/signal"
	"noom/signal/hub"
	noomhttp "noom/transport/http"
	"noom/transport/transporttest"
	"noom/transport/ws"
)

const patience = 10 * time.Second

// An asker makes requests of its own.
type asker struct {
	*testing.T

	server *httptest.Server
	client *http.Client  // instead of the server's; nil: that
	wait   time.Duration // longer than patience; 0: not so
}

// reach is where and with what the requests are made.
func (a asker) reach() (*http.Client, string) {
	if a.client != nil {
		return a.client, "http://hub/http"
	}
	return a.server.Client(), a.server.URL
}

// A reply is what an answer says, apart from its body.
type reply struct {
	StatusCode int
	Header     http.Header
}

// ask makes a request with these headers, name and value in turn, and returns the answer.
func (a asker) ask(method, body string, headers ...string) (reply, string) {
	a.Helper()
	ctx, cancel := context.WithTimeout(a.Context(), max(patience, a.wait))
	defer cancel()
	client, url := a.reach()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		a.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it is read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		a.Fatal(err)
	}
	return reply{response.StatusCode, response.Header}, string(text)
}

const protocol = "Noom-Protocol"

// open opens a session.
func (a asker) open(headers ...string) string {
	a.Helper()
	response, text := a.ask(http.MethodPost, "", append(headers, protocol, ws.Subprotocol)...)
	var opened struct{ Session string }
	if err := json.Unmarshal([]byte(text), &opened); err != nil || response.StatusCode != http.StatusOK || len(opened.Session) != 22 {
		a.Fatalf("opening: %d %s", response.StatusCode, text)
	}
	return opened.Session
}

const (
	ping = `{"type":"ping"}`
	pong = `{"type":"pong"}`
)

func TestRequests(t *testing.T) {
	t.Parallel()
	h := hub.New(nil)
	server := httptest.NewServer(noomhttp.Handler(h, &noomhttp.AcceptOptions{AcceptOptions: ws.AcceptOptions{
		Hosts: []string{"own.example", ws.OwnAddress}, OriginPatterns: []string{"friend.example"},
	}}))
	t.Cleanup(server.Close)
	a := asker{T: t, server: server}
	const friend, own = "https://friend.example", "https://own.example"
	theirs, ours := a.open("Origin", friend), a.open("Host", "own.example")
	page := a.open("Host", "own.example", "Origin", own)
	const session = "Noom-Session"
	for _, test := range []struct {
		what, method, body string
		headers            []string
		want               int
	}{
		{"another host", "POST", "", []string{"Host", "evil.example", protocol, "noom.v1"}, 421},
		{"a page from elsewhere", "POST", "", []string{"Origin", "https://evil.example", protocol, "noom.v1"}, 403},
		{"no protocol", "POST", "", nil, 400},
		{"another protocol", "POST", "", []string{protocol, "noom.v2"}, 400},
		{"several", "POST", "", []string{protocol, "noom.v2, noom.v1"}, 200},
		{"a visitor", "GET", "", nil, 400},
		{"another method", "DELETE", "", []string{session, ours}, 405},
		{"a session that never was", "GET", "", []string{session, signal.NewSession()}, 410},
		{"a session under another name of the server", "GET", "", []string{session, ours}, 410},
		{"another's session", "GET", "", []string{session, theirs, "Origin", "http://friend.example"}, 410},
		{"a page's session", "POST", "0 1\n", []string{session, theirs, "Origin", friend}, 200},
		{"its own page, which does not say so", "POST", "0 1\n", []string{session, page, "Host", "own.example"}, 200},
		{"a page, with a program's session", "POST", "0 1\n", []string{session, ours, "Host", "own.example", "Origin", own}, 410},
		{"an event that never was", "GET", "", []string{session, theirs, "Origin", friend, "Last-Event-ID", "9"}, 400},
		{"no number", "GET", "", []string{session, theirs, "Origin", friend, "Last-Event-ID", "-1"}, 400},
		{"a preflight", "OPTIONS", "", []string{"Origin", friend, "Access-Control-Request-Method", "POST"}, 204},
		{"a preflight of another", "OPTIONS", "", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"}, 403},
	} {
		response, text := a.ask(test.method, test.body, test.headers...)
		if response.StatusCode != test.want {
			t.Errorf("%s: %d %s, want %d", test.what, response.StatusCode, text, test.want)
		}
		header := response.Header
		if allowed := header.Get("Access-Control-Allow-Origin"); allowed != "" && (allowed != friend && allowed != own && allowed != "http://friend.example" || header.Get("Vary") != "Origin") {
			t.Errorf("%s: lets in %q, %q", test.what, allowed, header.Get("Vary"))
		}
		if (header.Get("Access-Control-Expose-Headers") == "Retry-After") != (header.Get("Access-Control-Allow-Origin") != "") {
			t.Errorf("%s: %v", test.what, header)
		}
		if test.want == 204 && !strings.Contains(header.Get("Access-Control-Allow-Headers"), session) {
			t.Errorf("%s: %v", test.what, header)
		}
		if test.want == 200 && header.Get("Cache-Control") != "no-store, no-transform" {
			t.Errorf("%s: %v", test.what, header)
		}
	}
	if err := h.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// Batches that repeat, overlap, leave something out, or are none.
func TestBatches(t *testing.T) {
	t.Parallel()
	accepted := transporttest.NewAccepted()
	server := httptest.NewServer(noomhttp.Handler(accepted, nil))
	t.Cleanup(server.Close)
	a := asker{T: t, server: server}
	frames := func(list ...string) string {
		var b strings.Builder
		for _, f := range list {
			fmt.Fprintf(&b, "%d\n%s", len(f), f)
		}
		return b.String()
	}
	big := strings.Repeat("x", signal.MaxFrame+1)
	for _, test := range []struct {
		what    string
		batches []string
		answers []string // the last: empty if it is refused
		end     error    // what the hub receives behind three frames; nil: nothing yet
		status  int
	}{
		{"one by one", []string{"0 1\n" + frames(ping), "0 2\n" + frames(ping, pong)}, []string{`{"taken":1,"sent":0}`, `{"taken":3,"sent":0}`}, nil, 200},
		{"repeated", []string{"0 1\n" + frames(ping, ping), "0 1\n" + frames(ping, ping, pong)}, []string{`{"taken":2,"sent":0}`, `{"taken":3,"sent":0}`}, nil, 200},
		{"closed", []string{"0 1\n" + frames(ping, ping, pong) + "close\n"}, []string{`{"taken":3,"sent":0}`}, io.EOF, 200},
		{"closed for a reason", []string{"0 1\n" + frames(ping, ping, pong) + "close too_slow\n"}, []string{`{"taken":3,"sent":0}`}, &signal.Error{Code: signal.CodeTooSlow}, 200},
		{"a gap", []string{"0 1\n" + frames(ping, ping, pong), "0 5\n" + frames(ping)}, []string{`{"taken":3,"sent":0}`, ""}, &signal.Error{Code: signal.CodeMalformed}, 400},
		{"what was never sent", []string{"0 1\n" + frames(ping, ping, pong), "1 4\n" + frames(ping)}, []string{`{"taken":3,"sent":0}`, ""}, &signal.Error{Code: signal.CodeMalformed}, 400},
		{"no batch", []string{"0 1\n" + frames(ping, ping, pong), "hello"}, []string{`{"taken":3,"sent":0}`, ""}, &signal.Error{Code: signal.CodeMalformed}, 400},
		{"too big a frame", []string{"0 1\n" + frames(ping, ping, pong), "0 4\n" + frames(big)}, []string{`{"taken":3,"sent":0}`, ""}, &signal.Error{Code: signal.CodeTooBig}, 400},
		{"too big a batch", []string{"0 1\n" + frames(ping, ping, pong), "0 4\n" + frames(big[1:], big[1:])}, []string{`{"taken":3,"sent":0}`, ""}, &signal.Error{Code: signal.CodeTooBig}, 413},
	} {
		id, s := a.accept(accepted) // one after the other, so that both ends are of one session
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			a := asker{T: t, server: server}
			for i, batch := range test.batches {
				response, text := a.ask(http.MethodPost, batch, "Noom-Session", id)
				if want := test.answers[i]; want != "" && text != want || want == "" && response.StatusCode != test.status {
					t.Errorf("batch %d is answered %d %s", i, response.StatusCode, text)
				}
			}
			for i, want := range []signal.Type{signal.TypePing, signal.TypePing, signal.TypePong} {
				if m, err := s.Receive(t.Context()); err != nil || m.Type != want {
					t.Errorf("received %d: %v, %v", i, m.Type, err)
				}
			}
			if test.end != nil {
				if _, err := s.Receive(t.Context()); !errors.Is(err, test.end) {
					t.Errorf("received %v at last, want %v", err, test.end)
				}
			}
			_ = s.(signal.Aborter).Close() // never fails
		})
	}
}

// A body does something when it has been read.
type body struct {
	io.Reader

	then func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && b.then != nil {
		b.then()
		b.then = nil
	}
	return n, err
}

// A batch whose reading a newer one has ended may leave its connection unable to be read, so there is no
// further request on that. HTTP/2 does not have this, and there the others' requests would end, too.
func TestConnectionOfReplacedBatch(t *testing.T) {
	for proto, want := range map[int]string{1: "close", 2: ""} {
		accepted := transporttest.NewAccepted()
		handler := noomhttp.Handler(accepted, nil)
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		a := asker{T: t, server: server}
		id, s := a.accept(accepted)
		post := func(then func()) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, &body{strings.NewReader("0 1\n"), then})
			r.ProtoMajor = proto
			r.Header.Set("Noom-Session", id)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w
		}
		var newer *httptest.ResponseRecorder
		older := post(func() { newer = post(nil) })
		if older.Code != http.StatusOK || older.Header().Get("Connection") != want {
			t.Errorf("HTTP/%d: the older: %d, %v", proto, older.Code, older.Header())
		}
		if newer.Code != http.StatusOK || newer.Header().Get("Connection") != "" {
			t.Errorf("HTTP/%d: the newer: %d, %v", proto, newer.Code, newer.Header())
		}
		s.(signal.Aborter).Abort()
	}
}

// accept opens a session without a member behind it, and returns the hub's end.
func (a asker) accept(hub *transporttest.Accepted) (id string, s signal.Signaler) {
	a.Helper()
	s = hub.Pair(a.T, opener{a, &id}).Server
	return id, s
}

// An opener opens a session without a member behind it.
type opener struct {
	asker

	id *string
}

func (o opener) Dial(context.Context) (signal.Signaler, error) {
	*o.id = o.open()
	return nil, nil //nolint:nilnil // a test's: nobody uses it
}

// Of two requests for events the newer is served; polls and streams bring the same.
func TestDownloads(t *testing.T) {
	accepted := transporttest.NewAccepted()
	server := httptest.NewServer(noomhttp.Handler(accepted, nil))
	t.Cleanup(server.Close)
	a := asker{T: t, server: server}
	id, s := a.accept(accepted)
	older := make(chan string, 1)
	begun := make(chan error, 1)
	go func() { older <- a.stream(id, begun) }()
	if err := <-begun; err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), signal.Message{Type: signal.TypePing}); err != nil {
		t.Fatal(err)
	}
	response, text := a.ask(http.MethodGet, "", "Noom-Session", id)
	if want := "id: 1\ndata: " + ping + "\n\n"; text != want || response.Header.Get("Content-Length") == "" || strings.Contains(response.Header.Get("Content-Type"), "event-stream") {
		t.Errorf("a poll: %q, %v", text, response.Header)
	}
	if err := s.Send(t.Context(), signal.Message{Type: signal.TypePong}); err != nil {
		t.Fatal(err)
	}
	go func() { _ = signal.CloseWith(s, &signal.Error{Code: signal.CodeKicked}) }() // never fails
	response, text = a.ask(http.MethodGet, "", "Noom-Session", id, "Last-Event-ID", "1", "Accept", "text/event-stream")
	if want := ": noom\n\nid: 2\ndata: " + pong + "\n\nid: 3\nevent: close\ndata: kicked\n\n"; text != want || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("a stream: %q, %v", text, response.Header)
	}
	if _, text = a.ask(http.MethodGet, "", "Noom-Session", id, "Last-Event-ID", "2"); text != "id: 3\nevent: close\ndata: kicked\n\n" {
		t.Errorf("asked again for what was lost: %q", text)
	}
	if _, text = a.ask(http.MethodPost, "3 1\n", "Noom-Session", id); text != `{"taken":0,"sent":3}` {
		t.Errorf("said that it has come: %q", text)
	}
	if response, _ = a.ask(http.MethodGet, "", "Noom-Session", id); response.StatusCode != http.StatusGone {
		t.Errorf("and then: %d", response.StatusCode)
	}
	if text = <-older; text != "" && text != "id: 1\ndata: "+ping+"\n\n" {
		t.Errorf("the older: %q", text)
	}
}

// stream asks for a stream, says when it has begun, and returns what comes behind its first line.
func (a asker) stream(id string, begun chan<- error) string {
	ctx, cancel := context.WithTimeout(a.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server.URL, nil)
	if err != nil {
		begun <- err
		return ""
	}
	r.Header.Set("Noom-Session", id)
	r.Header.Set("Accept", "text/event-stream;q=1, */*")
	response, err := a.server.Client().Do(r)
	if err != nil {
		begun <- err
		return ""
	}
	defer func() { _ = response.Body.Close() }() // it is read
	_, err = io.ReadFull(response.Body, make([]byte, len(": noom\n\n")))
	begun <- err
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Sessions are bounded, and what is held for them.
func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	from := func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("X-Real-Ip")) }
	accepted := hub.New(&hub.Config{JoinTimeout: time.Hour})
	server := httptest.NewServer(noomhttp.Handler(accepted, &noomhttp.AcceptOptions{
		AcceptOptions: ws.AcceptOptions{ClientAddress: from}, MaxSessions: 5, MaxPerAddress: 2,
	}))
	t.Cleanup(server.Close)
	a := asker{T: t, server: server}
	for _, test := range []struct {
		from string
		want int
	}{
		{"192.0.2.1", 200},
		{"192.0.2.1", 200},
		{"192.0.2.1", 429},
		{"2001:db8::1", 200},
		{"2001:db8::2", 200},
		{"2001:db8::3", 429},
		{"127.0.0.1", 200},
		{"192.0.2.2", 503},
	} {
		response, _ := a.ask(http.MethodPost, "", protocol, ws.Subprotocol, "X-Real-Ip", test.from)
		if response.StatusCode != test.want || (test.want != 200) != (response.Header.Get("Retry-After") != "") {
			t.Errorf("from %s: %d, want %d", test.from, response.StatusCode, test.want)
		}
		if test.want == 200 {
			continue
		}
		_, err := noomhttp.Dialer{URL: server.URL, Header: http.Header{"X-Real-Ip": {test.from}}}.Dial(t.Context())
		advice := map[int]string{429: "ClientAddress", 503: "MaxSessions"}[test.want]
		if refusal, is := errors.AsType[*signal.Error](err); !is || refusal.RetryAfter != time.Second || !strings.Contains(err.Error(), advice) {
			t.Errorf("from %s: dial: %v", test.from, err)
		}
	}
	if err := accepted.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDialErrors(t *testing.T) {
	page := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(page.Close)
	moved := httptest.NewServer(http.RedirectHandler("https://elsewhere.example/http", http.StatusMovedPermanently))
	t.Cleanup(moved.Close)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(other.Close)
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "later", http.StatusServiceUnavailable) }))
	t.Cleanup(busy.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, test := range []struct {
		url  string
		is   error
		says string
	}{
		{"", nil, "scheme must be http or https"},
		{"http:///x", nil, "host"},
		{closed.URL, nil, "is the hub running?"},
		{page.URL, noomhttp.ErrNotHub, "404"},
		{moved.URL, noomhttp.ErrNotHub, "elsewhere.example"},
		{other.URL, noomhttp.ErrNotHub, "no session"},
		{busy.URL, noomhttp.ErrNotHub, "later"},
		{strings.Replace(page.URL, "http:", "wss:", 1), nil, "try http:// instead of https://"},
	} {
		_, err := noomhttp.Dialer{URL: test.url}.Dial(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.says) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("dial %q: %v, want %q", test.url, err, test.says)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "http: dial ")) {
			t.Errorf("dial %q: not one plain line: %v", test.url, err)
		}
	}
}

var tested = webtest.Transport{
	Handler: func(h webtest.Server, hosts ...string) http.Handler {
		return noomhttp.Handler(h, &noomhttp.AcceptOptions{AcceptOptions: ws.AcceptOptions{Hosts: hosts}})
	},
	Dialer: func(url string, client *http.Client) signal.Dialer {
		return noomhttp.Dialer{URL: url, HTTPClient: client}
	},
}

func TestEndpoint(t *testing.T) { tested.TestEndpoint(t, "../../signal/testdata/endpoints.json") }

func TestProofPassedOn(t *testing.T) { tested.TestProofPassedOn(t) }

func TestNoPassword(t *testing.T) { tested.TestNoPassword(t) }

// A member that sends what is no frame gets the code; the hub counts it by its address.
func TestBadFrames(t *testing.T) {
	for name, test := range map[string]struct {
		frame string
		code  signal.Code
	}{
		"no frame":     {"hello", signal.CodeMalformed},
		"no UTF-8":     {"{\"type\":\"\xff\"}", signal.CodeMalformed},
		"not a join":   {ping, signal.CodeJoinFirst},
		"a bad room":   {`{"type":"join","room":"","key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","session":"AAAAAAAAAAAAAAAAAAAAAA"}`, signal.CodeBadRoom},
		"an empty one": {"", signal.CodeMalformed},
	} {
		h := hub.New(nil)
		server := httptest.NewServer(noomhttp.Handler(h, nil))
		a := asker{T: t, server: server}
		id := a.open()
		if response, text := a.ask(http.MethodPost, fmt.Sprintf("0 1\n%d\n%s", len(test.frame), test.frame), "Noom-Session", id); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", name, response.StatusCode, text)
		}
		_, text := a.ask(http.MethodGet, "", "Noom-Session", id, "Accept", "text/event-stream")
		if !strings.Contains(text, `"code":"`+string(test.code)+`"`) || !strings.HasSuffix(text, "\nevent: close\ndata: "+string(test.code)+"\n\n") {
			t.Errorf("%s: %q", name, text)
		}
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		server.Close()
	}
}

// A server that repeats events, and one that leaves one out.
func TestEventsThatCannotBe(t *testing.T) {
	for name, test := range map[string]struct {
		events string
		end    error
	}{
		"repeated": {"id: 1\ndata: " + ping + "\n\nid: 1\ndata: " + ping + "\n\nid: 2\ndata: " + pong + "\n\nid: 1\ndata: " + ping + "\n\nid: 3\nevent: close\ndata: kicked\n\n", &signal.Error{Code: signal.CodeKicked}},
		"left out": {"id: 1\ndata: " + ping + "\n\nid: 2\ndata: " + pong + "\n\nid: 4\ndata: " + ping + "\n\n", &signal.Error{Code: signal.CodeMalformed}},
		"no event": {"id: 1\ndata: " + ping + "\n\nid: 2\ndata: " + pong + "\n\nid: three\n\n", &signal.Error{Code: signal.CodeMalformed}},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodGet:
				_, _ = io.WriteString(w, test.events) // a member that has gone
			case r.Header.Get("Noom-Session") == "":
				_, _ = io.WriteString(w, `{"session":"x"}`)
			default:
				_, _ = io.WriteString(w, `{"taken":0,"sent":0}`)
			}
		}))
		link, err := noomhttp.Dialer{URL: server.URL}.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []signal.Type{signal.TypePing, signal.TypePong} {
			if m, err := link.Receive(t.Context()); err != nil || m.Type != want {
				t.Errorf("%s: received %d: %v, %v", name, i, m.Type, err)
			}
		}
		if _, err := link.Receive(t.Context()); !errors.Is(err, test.end) {
			t.Errorf("%s: received %v at last, want %v", name, err, test.end)
		}
		link.(signal.Aborter).Abort()
		server.Close()
	}
}
