package turn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"

	"noom/signal"
)

// A sharedPort is a port of a server and of a page that says which protocol it was asked in.
type sharedPort struct {
	t     *testing.T
	at    string
	https net.Listener
	roots *x509.CertPool
}

// sharePort shares a port on loopback until the test ends.
func sharePort(t *testing.T, s *Server) *sharedPort {
	t.Helper()
	return sharePortAt(t, s, "127.0.0.1")
}

func sharePortAt(t *testing.T, s *Server, ip string) *sharedPort {
	t.Helper()
	model := httptest.NewTLSServer(nil) // for its certificate, which is for 127.0.0.1 and ::1
	model.Close()
	inner, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	https, err := s.Share(inner, &tls.Config{Certificates: model.TLS.Certificates}, ip)
	if err != nil {
		t.Fatal(err)
	}
	p := &sharedPort{t: t, at: inner.Addr().String(), https: https, roots: x509.NewCertPool()}
	p.roots.AddCert(model.Certificate())
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || r.TLS.Version == 0 {
			t.Error("a handler is not told of TLS")
		}
		_, _ = io.WriteString(w, r.Proto) // the client reads it
	})}
	served := make(chan struct{})
	go func() {
		_ = server.Serve(https) // ends with Close
		close(served)
	}()
	t.Cleanup(func() {
		_ = server.Close() // the test is over
		<-served
	})
	return p
}

// dial opens a TLS connection that names these protocols.
func (p *sharedPort) dial(protocols ...string) net.Conn {
	p.t.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: p.roots, NextProtos: protocols}}).DialContext(p.t.Context(), "tcp", p.at)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() }) // it may be closed
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

// member is a TURN client with the credentials of that member, over a connection.
func (s *Server) member(t *testing.T, id string, conn net.Conn) turnClient {
	t.Helper()
	user, password := s.credentials(id, time.Minute)
	return newClientOver(t, servedHere{s, addrPortOf(conn.RemoteAddr())}, pion.NewSTUNConn(conn), user, password)
}

func (p *sharedPort) get(protocols ...string) (proto string) {
	p.t.Helper()
	conn := p.dial(protocols...)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"); err != nil {
		p.t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		p.t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(all), "\r\n\r\n")
	return body
}

// One port is for pages in each version of HTTP and for TURN, whatever a client says of itself in
// the handshake.
func TestSharedPort(t *testing.T) {
	s := serveHere(t, false, Limits{})
	p := sharePort(t, s.Server)
	if got := p.get(); got != "HTTP/1.1" {
		t.Errorf("a client that names no protocol is answered in %q", got)
	}
	if got := p.get("http/1.1"); got != "HTTP/1.1" {
		t.Errorf("a client that names HTTP/1.1 is answered in %q", got)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+p.at, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // all is read
	if string(body) != "HTTP/2.0" || err != nil {
		t.Errorf("a client that prefers HTTP/2 is answered in %q, %v", body, err)
	}

	var relays []net.PacketConn
	for _, protocols := range [][]string{nil, {"stun.turn"}} {
		relay, refusal := s.member(t, "지우", p.dial(protocols...)).Allocate()
		if refusal != nil {
			t.Fatalf("over TLS with %q: %v", protocols, refusal)
		}
		relays = append(relays, relay)
	}
	for i, relay := range relays {
		if _, err = relay.WriteTo([]byte("안녕"), relays[1-i].LocalAddr()); err != nil { // opens the way back too
			t.Fatal(err)
		}
	}
	if _, err = relays[0].WriteTo([]byte("안녕"), relays[1].LocalAddr()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, from, err := relays[1].ReadFrom(b)
	if err != nil || string(b[:n]) != "안녕" || from.String() != relays[0].LocalAddr().String() {
		t.Errorf("received %q of %v, %v", b[:n], from, err)
	}
	discovery := p.dial("stun.nat-discovery")
	_, _ = discovery.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw) // a failure shows below
	if _, err = io.ReadFull(discovery, make([]byte, 32)); err != nil {
		t.Errorf("a binding request over TLS: %v", err)
	}

	plain, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }() // the server has
	_, _ = io.WriteString(plain, "GET / HTTP/1.1\r\n\r\n")
	if all, _ := io.ReadAll(plain); !strings.Contains(string(all), "begin the address with https://") {
		t.Errorf("a client without TLS is answered %q", all)
	}
}

// What bounds members does so over all transports together, and what is refused is refused over
// each.
func TestBoundsHoldOverTLS(t *testing.T) {
	s := serveHere(t, false, Limits{PerMember: 2, Total: 8, Waiting: 2})
	p := sharePort(t, s.Server)
	member := memberClient(t, s, "지우") // over UDP
	if _, err := member.Allocate(); err != nil {
		t.Fatal(err)
	}
	second := s.member(t, "지우", p.dial())
	relay, err := second.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.member(t, "지우", p.dial()).Allocate(); err == nil || !strings.Contains(err.Error(), "486") {
		t.Errorf("a third relay: %v, want 486", err)
	}
	for _, refused := range []string{"127.0.0.1:9", "10.1.2.3:9", "169.254.169.254:80"} {
		peer := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(refused))
		if second.CreatePermission(peer) == nil {
			t.Errorf("a client over TLS may reach %s", refused)
		}
	}
	stranger := p.dial()
	if got, refusal := newClientOver(t, servedHere{s.Server, addrPortOf(stranger.RemoteAddr())}, pion.NewSTUNConn(stranger), "9999999999:bob", "guess").Allocate(); refusal == nil {
		t.Errorf("a stranger gets %v over TLS", got.LocalAddr())
	}

	// Connections over TCP and TLS without a relay are counted together: the silent one goes.
	tcp, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tcp.Close() }() // the server has
	for range 2 {
		asking := p.dial("stun.turn")
		_, _ = asking.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw) // a failure shows below
		if _, err = io.ReadFull(asking, make([]byte, 32)); err != nil {
			t.Fatal(err)
		}
	}
	_ = tcp.SetReadDeadline(time.Now().Add(30 * time.Second))
	_, err = io.Copy(io.Discard, tcp)
	if timeout, is := errors.AsType[net.Error](err); is && timeout.Timeout() {
		t.Error("a silent connection over TCP stays while those over TLS are too many")
	}
	if _, err := relay.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 9}); err != nil {
		t.Errorf("a client with a relay: %v", err)
	}
}

// Two clients at two sockets of ours may have the same address and port: a system chooses the port
// for each way alone.
func TestSameAddressAtTwoSockets(t *testing.T) {
	s := &Server{relays: newRelays(addrPortOf(tcpFrom(1)).Addr(), addrPortOf(tcpFrom(1)).Addr(), true, Limits{PerRelay: 1})}
	r := s.relays
	var relays []*relay
	for socket := range 2 {
		if !r.take("지우") {
			t.Fatal("no relay")
		}
		relays = append(relays, r.open(socketless{}, 50000+socket, "지우"))
		r.created(clientAt(socket, tcpFrom(7)), &net.UDPAddr{Port: 50000 + socket})
	}
	for socket := range 2 {
		if !r.grants(clientAt(socket, tcpFrom(7)), net.IPv4(8, 8, 8, byte(socket))) {
			t.Errorf("the client at socket %d shares the other's permissions", socket)
		}
	}
	_ = relays[0].Close() // never fails
	if r.byClient[clientAt(1, tcpFrom(7))] != relays[1] {
		t.Error("the end of one client's relay takes the other's")
	}
}

// A client gets a relay whichever IP it has come over: IPv4 and IPv6 lead to the same port, and the
// relays are at one address.
func TestRelayOfAnotherFamily(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	} else {
		_ = l.Close() // it has nothing to lose
	}
	for relays, ip := range map[string]string{relayIP: "::1", "::1": "127.0.0.1"} {
		s, err := New(netip.MustParseAddr(relays), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() }) // never fails
		conn := sharePortAt(t, s, ip).dial()
		quiet := logging.NewDefaultLoggerFactory()
		quiet.Writer = io.Discard
		user, password := s.credentials("지우", time.Minute)
		c, err := pion.NewClient(&pion.ClientConfig{
			TURNServerAddr: conn.RemoteAddr().String(), Username: user, Password: password, Conn: pion.NewSTUNConn(conn), LoggerFactory: quiet,
			RequestedAddressFamily: pion.RequestedAddressFamilyIPv4, // which it does not say, as browsers do not
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if err = c.Listen(); err != nil {
			t.Fatal(err)
		}
		relay, err := c.Allocate()
		if err != nil {
			t.Errorf("over %s to relays at %s: %v", ip, relays, err)
			continue
		}
		t.Cleanup(func() { _ = relay.Close() }) // the test is over
		if got := addrPortOf(relay.LocalAddr()).Addr(); got != s.Address() {
			t.Errorf("over %s: a relay at %v, want %s", ip, got, relays)
		}
	}
}

// Each end goes alone: TURN before the page, or the page's listener before TURN.
func TestEndsOfSharedPort(t *testing.T) {
	urls := func(s *Server) (all []string) {
		for _, server := range s.ICEServers(t.Context(), signal.Member{ID: "bob"}) {
			all = append(all, server.URLs...)
		}
		return all
	}
	s := serveHere(t, false, Limits{})
	p := sharePort(t, s.Server)
	url := "turns:" + p.at + "?transport=tcp"
	if got := urls(s.Server); len(got) != 4 || got[3] != url {
		t.Errorf("members learn %q", got)
	}
	relay, err := s.member(t, "bob", p.dial()).Allocate()
	if err != nil {
		t.Fatal(err)
	}
	_ = p.https.Close() // the inner listener's error is of no interest
	if got := urls(s.Server); slices.Contains(got, url) || len(got) != 3 {
		t.Errorf("without a listener members learn %q", got)
	}
	if _, err = relay.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 9}); err != nil {
		t.Errorf("who has a relay already: %v", err)
	}
	if _, err = new(net.Dialer).DialContext(t.Context(), "tcp", p.at); err == nil {
		t.Error("the port is still open")
	}

	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	https, err := s.Share(inner, new(tls.Config), "call.example")
	if err != nil {
		t.Fatal(err)
	}
	_ = inner.Close() // its owner may do so, too
	if _, err = https.Accept(); !errors.Is(err, net.ErrClosed) || len(urls(s.Server)) != 3 {
		t.Errorf("with the inner listener closed members learn %q (%v)", urls(s.Server), err)
	}

	p = sharePort(t, s.Server)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got := urls(s.Server); len(got) != 0 {
		t.Errorf("after the end members learn %q", got)
	}
	if got := p.get(); got != "HTTP/1.1" {
		t.Errorf("without TURN the page is answered in %q", got)
	}
	if _, err := io.ReadAll(p.dial("stun.turn")); err != nil {
		t.Errorf("a TURN client after the end: %v", err)
	}
	if _, err := s.Share(p.https, new(tls.Config), "x"); !errors.Is(err, ErrClosed) {
		t.Errorf("shared after the end: %v", err)
	}
	if _, err := s.Listen(t.Context(), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("listens after the end: %v", err)
	}
}

func TestTURNSURL(t *testing.T) {
	for host, want := range map[string]string{
		"call.example": "turns:call.example:8443?transport=tcp", "call.example:443": "turns:call.example:443?transport=tcp",
		"2001:db8::7": "turns:[2001:db8::7]:8443?transport=tcp", "[2001:db8::7]": "turns:[2001:db8::7]:8443?transport=tcp",
		"[2001:db8::7]:443": "turns:[2001:db8::7]:443?transport=tcp", "192.0.2.7": "turns:192.0.2.7:8443?transport=tcp",
	} {
		if got := turnsURL(host, &net.TCPAddr{Port: 8443}); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

// pipes is a listener of connections in memory.
type pipes struct {
	*branch
	count int
}

// dial is called by one goroutine.
func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.count++
	go p.put(fromPort{here, p.count}, nil)
	return there
}

// fromPort is a connection from an address that is not loopback.
type fromPort struct {
	net.Conn
	port int
}

func (c fromPort) RemoteAddr() net.Addr { return tcpFrom(c.port) }

// A connection that does not show what it is ends after a while: without a handshake, and without a
// byte behind it.
func TestSilentArrivalsEnd(t *testing.T) {
	model := httptest.NewTLSServer(nil)
	model.Close()
	synctest.Test(t, func(t *testing.T) {
		s := &Server{relays: newRelays(addrPortOf(tcpFrom(1)).Addr(), addrPortOf(tcpFrom(1)).Addr(), true, Limits{})}
		s.all = newConnections(s.relays.limits)
		inner := &pipes{branch: newBranch(tcpFrom(443))}
		https, err := s.Share(inner, &tls.Config{Certificates: model.TLS.Certificates}, "call.example")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := io.ReadAll(inner.dial()); err != nil || time.Since(began) != longestArrival {
			t.Errorf("without a handshake: ended after %v, %v", time.Since(began), err)
		}
		began = time.Now()
		shaken := tls.Client(inner.dial(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is a pipe
		if err := shaken.HandshakeContext(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(longestArrival / 2) // which does not put it off
		if _, _ = io.ReadAll(shaken); time.Since(began) != longestArrival {
			t.Errorf("without a byte behind it: ended after %v", time.Since(began))
		}
		last := inner.dial()
		synctest.Wait()
		began = time.Now()
		_ = https.Close() // never fails here
		if _, err := io.ReadAll(last); err != nil || time.Since(began) != 0 {
			t.Errorf("with the listener: ended after %v, %v", time.Since(began), err)
		}
		_ = s.Close() // never fails here
	})
}
