package diagnose

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"noom"
	"noom/cmd/noom/command"
	"noom/signal"
	"noom/signal/hub"
	noomhttp "noom/transport/http"
	"noom/transport/ws"
	"noom/turn"
)

// trusted is what has a certificate that this process trusts, of net/http/httptest.
var trusted *httptest.Server

func TestMain(m *testing.M) {
	trusted = httptest.NewTLSServer(nil)
	dir, err := os.MkdirTemp("", "noom")
	if err != nil {
		log.Fatal(err)
	}
	file := filepath.Join(dir, "roots.pem")
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.Certificate().Raw})
	if err := errors.Join(os.WriteFile(file, roots, 0o600), os.Setenv("SSL_CERT_FILE", file)); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	trusted.Close()
	_ = os.RemoveAll(dir) // it is in the system's folder for what goes
	os.Exit(code)
}

// serve serves a hub, by both ways unless there is only one.
func serve(t *testing.T, c *hub.Config, ways ...string) (url string) {
	t.Helper()
	h := hub.New(c)
	mux := http.NewServeMux()
	if ways == nil || slices.Contains(ways, "ws") {
		mux.Handle("/ws", ws.Handler(h, nil))
	}
	if ways == nil || slices.Contains(ways, "http") {
		mux.Handle("/http", noomhttp.Handler(h, nil))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/ws"
}

// diagnosed runs the command. Its lines have one space where there were several.
func diagnosed(t *testing.T, args ...string) (code int, out string, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Command().Run(t.Context(), args, command.Streams{Out: &stdout, Err: &stderr})
	if (code == 0) == strings.Contains(stdout.String(), " FAIL ") || (code == 0) != (stderr.Len() == 0) {
		t.Errorf("exit code %d with %q and\n%s", code, &stderr, &stdout)
	}
	return code, regexp.MustCompile(` +`).ReplaceAllString(stdout.String(), " "), stderr.String()
}

// says checks that each of the expressions has its line.
func says(t *testing.T, out string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !regexp.MustCompile(`(?m)^` + line).MatchString(out) {
			t.Errorf("no line %q in\n%s", line, out)
		}
	}
}

// relayIP is a loopback address on which only relays answer.
const relayIP = "127.0.0.2"

// relay serves TURN by UDP and TCP and, under a name that its certificate is for, by TLS.
func relay(t *testing.T) *turn.Server {
	t.Helper()
	s, err := turn.New(netip.MustParseAddr(relayIP), &turn.Config{Everywhere: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // never fails
	if _, err = s.Listen(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shared, err := s.Share(inner, &tls.Config{Certificates: trusted.TLS.Certificates, MinVersion: tls.VersionTLS12}, inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	page := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: 1e9, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = page.Serve(shared) }()
	t.Cleanup(func() { _ = page.Close() }) // never fails
	return s
}

// A call in which nothing is wrong: each step is good, and so is what it means for others.
func TestAllIsWell(t *testing.T) {
	url := serve(t, &hub.Config{ICEServers: relay(t).ICEServers})
	room, err := noom.Join(t.Context(), ws.Dialer{URL: url}, "데모 방", &noom.Config{Name: "지우"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = room.Leave(context.Background()) }() // the test is over
	_, out, _ := diagnosed(t, url, "데모 방", "-name", "진단")
	says(
		t, out,
		`hub ok answers by WebSocket at ws://127\.0\.0\.1:\d+/ws, in `, `hub ok answers by HTTP at ws://127\.0\.0\.1:\d+/http, in `,
		`room ok "데모 방", with 1 other member in it; we may publish, chat$`,
		`STUN udp ok stun:127\.0\.0\.2:\d+: it sees us at 127\.0\.0\.1:\d+$`,
		`TURN udp ok turn:127\.0\.0\.2:\d+\?transport=udp: relays at 127\.0\.0\.2:\d+, a packet takes `,
		`TURN tcp ok turn:127\.0\.0\.2:\d+\?transport=tcp: relays at `, `TURN tls ok turns:127\.0\.0\.1:\d+\?transport=tcp: relays at `,
		`so between two strict NATs: a relay carries the call, by TURN over `,
		`so with a member whose network blocks UDP: a relay carries the call, by TURN over t`,
		`지우 ok connected: data and media can flow \(\w+ to \w+ over udp\)$`,
	)
}

// Hubs that cannot be joined, and why.
func TestHubs(t *testing.T) {
	quiet := log.New(io.Discard, "", 0)
	closed := httptest.NewServer(nil)
	closed.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	foreign := httptest.NewUnstartedServer(http.NotFoundHandler())
	foreign.TLS = &tls.Config{Certificates: []tls.Certificate{unknown(t)}, MinVersion: tls.VersionTLS12}
	foreign.Config.ErrorLog = quiet
	foreign.StartTLS()
	t.Cleanup(foreign.Close)
	for url, want := range map[string][]string{
		closed.URL + "/ws":   {`hub FAIL by WebSocket: .*nothing listens there; is the hub running\?`, `hub FAIL by HTTP: .*nothing listens`, `verdict note hub unreachable: there is no connection to the hub`},
		other.URL + "/wrong": {`hub FAIL by WebSocket: .*no noom hub answers there: HTTP 404`, `verdict note hub unreachable`},
		foreign.URL + "/ws":  {`hub FAIL by WebSocket: .*its certificate is not trusted`, `hub FAIL by HTTP: .*its certificate is not trusted`},
	} {
		if code, out, errs := diagnosed(t, url, "데모"); code != 1 || errs != "noom diagnose: 2 of 2 steps failed\n" {
			t.Errorf("%s: exit code %d, %s", url, code, errs)
		} else {
			says(t, out, want...)
		}
	}
}

// Of several hubs each is tried, and the room at one that answers; no password of a URL is printed.
func TestSeveralHubs(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	one, two := strings.Replace(serve(t, nil), "://", "://jiwoo:hush@", 1), serve(t, nil, "ws")
	code, out, errs := diagnosed(t, strings.Join([]string{closed.URL + "/ws?hush", one, two}, ","), "데모")
	says(
		t, out,
		`hub [123] FAIL by WebSocket: .*nothing listens there`, `hub [123] FAIL by HTTP: .*nothing listens there`,
		`hub [123] ok answers by HTTP at ws://127\.0\.0\.1:\d+/http, in `, `hub [123] note not by HTTP, so `,
		`room ok "데모" at hub [123], with 0 other members in it`,
	)
	if n := strings.Count(out, " ok answers by WebSocket at "); n != 2 || strings.Contains(out, "verdict") {
		t.Errorf("%d answer by WebSocket\n%s", n, out)
	}
	if code != 1 || !strings.HasPrefix(errs, "noom diagnose: 2 of ") || strings.Contains(out+errs, "hush") {
		t.Errorf("exit code %d, %s\n%s", code, errs, out)
	}
	var stderr bytes.Buffer
	if code = Command().Run(t.Context(), []string{"ws://jiwoo:hush@[bad", "데모"}, command.Streams{Out: io.Discard, Err: &stderr}); code != 2 || strings.Contains(stderr.String(), "hush") {
		t.Errorf("exit code %d, %s", code, &stderr)
	}
}

// One of the two ways is enough, and who misses the other is said.
func TestOneWay(t *testing.T) {
	code, out, _ := diagnosed(t, serve(t, nil, "ws"), "데모")
	says(t, out, `hub ok answers by WebSocket`, `hub note not by HTTP, so a member whose network lets no WebSocket through`, `room ok`)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	code, out, _ = diagnosed(t, serve(t, nil, "http"), "데모")
	says(t, out, `hub ok answers by HTTP`, `hub note not by WebSocket; noom\.js and auto\.Dialer use HTTP instead`, `room ok`)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestTokens(t *testing.T) {
	strict := serve(t, &hub.Config{Authorize: hub.RoomPasswords(func(context.Context, string) (string, error) { return "비밀", nil })})
	t.Setenv("NOOM_TOKEN", "틀림")
	code, out, _ := diagnosed(t, strict, "데모", "-token-env", "NOOM_TOKEN")
	says(t, out, `room FAIL -token: the hub says: .*password`)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	t.Setenv("NOOM_TOKEN", "비밀")
	_, out, _ = diagnosed(t, strict, "데모", "-token-env", "NOOM_TOKEN")
	says(t, out, `room ok`)
	if strings.Contains(out, "token note") {
		t.Errorf("a token that was wanted is said not to be:\n%s", out)
	}
	_, out, _ = diagnosed(t, serve(t, nil), "데모", "-token-env", "NOOM_TOKEN")
	says(t, out, `token note the hub asks for none`, `members note nobody else is in the room`)
}

// Servers that do not serve, and what their absence means.
func TestServers(t *testing.T) {
	s := relay(t)
	urls := s.ICEServers(t.Context(), signal.Member{ID: "지우"})
	at := map[string]string{}
	for _, server := range urls {
		for _, url := range server.URLs {
			for _, kind := range []string{"stun:", "=udp", "=tcp"} {
				if strings.Contains(url, kind) && !strings.HasPrefix(url, "turns") {
					at[kind] = url[strings.IndexByte(url, ':')+1:]
				}
			}
		}
	}
	silent, err := net.ListenPacket("udp", "127.0.0.1:0") // nobody reads from it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }() // nothing to lose
	closed := httptest.NewServer(nil)
	closed.Close()
	nobody := closed.Listener.Addr().String()
	foreign := httptest.NewUnstartedServer(nil)
	foreign.TLS = &tls.Config{Certificates: []tls.Certificate{unknown(t)}, MinVersion: tls.VersionTLS12}
	foreign.Config.ErrorLog = log.New(io.Discard, "", 0)
	foreign.StartTLS()
	t.Cleanup(foreign.Close)
	plain := httptest.NewServer(nil)
	t.Cleanup(plain.Close)

	hub := serve(t, nil)
	for _, test := range []struct {
		ice, want []string
	}{
		{[]string{"stun:" + silent.LocalAddr().String()}, []string{`STUN udp FAIL stun:.*: nothing answers within 700ms; nothing listens there, or a firewall drops UDP`}},
		{[]string{"turn:u:p@" + silent.LocalAddr().String()}, []string{
			`TURN udp FAIL turn:.*: nothing answers within 700ms`,
			`so note between two strict NATs: it would fail: TURN unreachable: no direct path works, and no TURN server has answered`,
		}},
		{[]string{"turn:u:p@" + nobody + "?transport=tcp"}, []string{`TURN tcp FAIL turn:.*: nothing listens there`, `so note .*TURN unreachable`}},
		{[]string{"turns:u:p@" + nobody + "?transport=tcp"}, []string{`TURN tls FAIL turns:.*: nothing listens there`}},
		{[]string{"turns:u:p@" + plain.Listener.Addr().String() + "?transport=tcp"}, []string{`TURN tls FAIL turns:.*: it does not speak TLS on that port`}},
		{[]string{"turns:u:p@" + foreign.Listener.Addr().String() + "?transport=tcp"}, []string{`TURN tls FAIL turns:.*: its certificate is not trusted`}},
		{[]string{"stuns:" + foreign.Listener.Addr().String()}, []string{`STUN tls FAIL stuns:.*: its certificate is not trusted`}},
		{[]string{"turn:u:p@" + at["=udp"], "turn:u:p@" + at["=tcp"]}, []string{
			`TURN udp FAIL turn:.*: it refuses us: .*check the credentials`, `TURN tcp FAIL turn:.*: it refuses us`,
			`so note between two strict NATs: it would fail: TURN refused: no direct path works, and the TURN server 127\.0\.0\.2 refuses us`,
		}},
		{[]string{"stun:" + at["stun:"]}, []string{
			`STUN udp ok`, `so note between two strict NATs: it would fail: relay needed: .*configure a TURN server`,
			`so note with a member whose network blocks UDP: it would fail: no candidate pair`,
		}},
		{[]string{"none"}, []string{`so note between two strict NATs: it would fail: no candidate pair: no path works; check firewalls, and configure a STUN`}},
	} {
		args := []string{hub, "데모", "-wait", "700ms"}
		for _, url := range test.ice {
			args = append(args, "-ice", url)
		}
		_, out, _ := diagnosed(t, args...)
		says(t, out, test.want...)
	}
}

// A member that refuses us is one whose connection fails, in the words of Peer.Diagnose.
func TestMemberThatRefuses(t *testing.T) {
	url := serve(t, nil)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: url}, "데모", &noom.Config{
		Name: "문지기", Verify: func(noom.Member) error { return errors.New("not today") },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = room.Leave(context.Background()) }() // the test is over
	code, out, _ := diagnosed(t, url, "데모", "-wait", "2500ms")
	says(t, out, `문지기 FAIL (frame undelivered|no answer): .*refuse us in its Config\.Verify`)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
}
