package ws_test

import (
	"bufio"
	"crypto/ed25519"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

// posted posts to a server and returns the status and header of the answer.
func posted(t *testing.T, url, body string, header http.Header) (status int, _ http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // only the header matters
	return answer.StatusCode, answer.Header
}

// A page's bye is posted to the address of its WebSocket, and ends its membership. Requests for other
// hosts and from pages of other origins are refused as they are for connections.
func TestPostedBye(t *testing.T) {
	h := hub.New(nil)
	server := httptest.NewServer(ws.Handler(h, &ws.AcceptOptions{Hosts: []string{"127.0.0.1", "call.example"}, OriginPatterns: []string{"https://page.example"}}))
	t.Cleanup(server.Close)
	watcher, bob := dialRaw(t, server.URL), dialRaw(t, server.URL)
	watcher.join("데모", "지우")
	watcher.expect(signal.TypeJoined)
	session := signal.NewSession()
	bob.send(signal.Message{Type: signal.TypeJoin, Room: "데모", Session: session, Key: bob.public()})
	nonce := bob.expect(signal.TypeJoined).Nonce
	watcher.expect(signal.TypeWelcome)

	text := signal.ByeText(signal.NormalHost(server.Listener.Addr().String()), "데모", session, nonce)
	bye := signal.Message{
		Type: signal.TypeBye, Room: "데모", From: signal.MemberID(bob.public()), Session: session, Signature: ed25519.Sign(bob.key, text),
	}
	frame, err := bye.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		header http.Header
		body   string
		want   int
	}{
		"for another host":           {http.Header{"Host": {"other.example"}}, string(frame), http.StatusMisdirectedRequest},
		"from another's page":        {http.Header{"Origin": {"https://evil.example"}}, string(frame), http.StatusForbidden},
		"from a page without a name": {http.Header{"Origin": {"null"}}, string(frame), http.StatusForbidden},
		"that is no frame":           {nil, "bye", http.StatusBadRequest},
		"that is too big":            {nil, strings.Repeat("x", 1<<20), http.StatusRequestEntityTooLarge},
		"of nobody":                  {nil, strings.Replace(string(frame), session, signal.NewSession(), 1), http.StatusNoContent},
	} {
		if status, _ := posted(t, server.URL, c.body, c.header); status != c.want {
			t.Errorf("a bye %s: %d, want %d", what, status, c.want)
		}
	}
	if n := len(h.Members("데모")); n != 2 {
		t.Fatalf("%d members, want both", n)
	}
	status, header := posted(t, server.URL, string(frame), http.Header{"Origin": {"https://page.example"}})
	if status != http.StatusNoContent || header.Get("Access-Control-Allow-Origin") != "https://page.example" {
		t.Errorf("the bye: %d, %v", status, header)
	}
	if m := watcher.expect(signal.TypeBye); m.Reason != signal.ReasonLeft || m.From != bye.From {
		t.Errorf("the others were sent %+v", m)
	}
}

// A stranger whose bye never comes is given up, and one that sends too many is held back for a while.
func TestPostedByesAreBounded(t *testing.T) {
	t.Parallel()
	h := hub.New(&hub.Config{MaxPerAddress: 64})
	options := &ws.AcceptOptions{ClientAddress: func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.1") }}
	server := httptest.NewServer(ws.Handler(h, options))
	t.Cleanup(server.Close)
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the test is over
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	slow, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("a bye that does not come is waited for: %v", err)
	}
	_ = slow.Body.Close() // only the header matters
	if slow.StatusCode != http.StatusBadRequest {
		t.Errorf("a bye that does not come: %s", slow.Status)
	}
	for range 200 {
		status, header := posted(t, server.URL, "x", nil)
		if status == http.StatusTooManyRequests {
			if header.Get("Retry-After") == "" {
				t.Error("it is not said when to come back")
			}
			return
		}
	}
	t.Error("200 byes from one address, and none was one too many")
}

// A browser that closes a page's WebSocket with 1001 says that the page goes away. Nobody else's 1001 means that.
func TestLeavingPage(t *testing.T) {
	_, url := serve(t)
	watcher := dialRaw(t, url)
	watcher.join("데모", "지우")
	watcher.expect(signal.TypeJoined)
	for what, c := range map[string]struct {
		origin string
		status websocket.StatusCode
		want   bool
	}{
		"a page that goes away":      {url, websocket.StatusGoingAway, true},
		"a page that just closes":    {url, websocket.StatusNormalClosure, false},
		"a program that goes away":   {"", websocket.StatusGoingAway, false},
		"a page with another reason": {url, websocket.StatusPolicyViolation, false},
	} {
		header := make(http.Header)
		if c.origin != "" {
			header.Set("Origin", c.origin)
		}
		page := dialRaw(t, url, header)
		page.join("데모", "bob")
		page.expect(signal.TypeJoined)
		watcher.expect(signal.TypeWelcome)
		_ = page.conn.Close(c.status, "") // the hub answers, or not
		if m := watcher.expect(signal.TypeBye); m.Reason != signal.ReasonLost || m.Leaving != c.want {
			t.Errorf("%s: %+v", what, m)
		}
	}
}
