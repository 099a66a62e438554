package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/signal"
	"noom/transport/ws"
)

// relayIP is a loopback address on which only relays answer, so that a pair
// whose candidates all have it is a relayed one.
const relayIP = "127.0.0.2"

// Two members that only relays connect hear each other, over either way to the server, with only
// what the program itself hands them.
func TestRelayedCall(t *testing.T) {
	hub := "ws" + strings.TrimPrefix(serveHere(t, "-turn", relayIP+":0"), "http") + "/ws"
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var rooms []noom.Room
			for _, name := range []string{"지우", "bob"} {
				d := signal.DialerFunc(func(ctx context.Context) (noom.Signaler, error) {
					s, err := ws.Dialer{URL: hub}.Dial(ctx)
					return oneTransport{s, transport}, err
				})
				r, err := noom.Join(ctx, d, "데모 "+transport, &noom.Config{Name: name, Settings: onlyRelays})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = r.Leave(context.Background()) }() // the test is over
				rooms = append(rooms, r)
			}
			hear(ctx, t, rooms)
		})
	}
}

// hear sees to it that two members get each other's data, over relays.
func hear(ctx context.Context, t *testing.T, rooms []noom.Room) {
	t.Helper()
	peers := []noom.Peer{connected(ctx, t, rooms[0]), connected(ctx, t, rooms[1])}
	for i, r := range rooms {
		p := peers[i]
		if err := p.Send(ctx, []byte("안녕 "+r.Self().Name)); err != nil {
			t.Fatal(err)
		}
		got := next[noom.DataReceived](ctx, t, rooms[1-i])
		if string(got.Data) != "안녕 "+r.Self().Name {
			t.Errorf("received %q", got.Data)
		}
		pair, err := p.Connection().SCTP().Transport().ICETransport().GetSelectedCandidatePair()
		if err != nil || pair.Local.Typ != webrtc.ICECandidateTypeRelay || pair.Remote.Typ != webrtc.ICECandidateTypeRelay {
			t.Errorf("connected over %v (%v), want relays", pair, err)
		}
	}
}

// One port for all: the page, in HTTP/2 too, the hub, and the relays of two members that nothing
// else connects.
func TestOnePortForAll(t *testing.T) {
	pair, err := selfSigned([]netip.Addr{netip.MustParseAddr(relayIP)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, key := writePEM(t, pair)
	url := serveHere(t, "-addr", relayIP+":0", "-tls-cert", cert, "-tls-key", key, "-turn", "tls")
	url = strings.Replace(url, "localhost", relayIP, 1) // the certificate is for both
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	page := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	defer page.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := page.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // its beginning is enough
	if response.StatusCode != http.StatusOK || response.Proto != "HTTP/2.0" {
		t.Errorf("the page: %s in %s", response.Status, response.Proto)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	dialer := ws.Dialer{URL: strings.Replace(url, "https", "wss", 1) + "/ws", HTTPClient: client}
	var rooms []noom.Room
	for _, name := range []string{"지우", "bob"} {
		r, err := noom.Join(ctx, dialer, "데모", &noom.Config{Name: name, Settings: func(s *webrtc.SettingEngine) {
			onlyRelays(s)
			s.SetICEProxyDialer(secureDialer{&tls.Dialer{Config: &tls.Config{RootCAs: roots}}})
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Leave(context.Background()) }() // the test is over
		rooms = append(rooms, r)
	}
	hear(ctx, t, rooms)
}

// A secureDialer dials what pion takes for a way through a proxy: the URL asks for TLS, and pion
// leaves that to the dialer.
type secureDialer struct{ tls *tls.Dialer }

func (d secureDialer) Dial(network, address string) (net.Conn, error) {
	return d.tls.DialContext(context.Background(), network, address)
}

// oneTransport is a way to a hub on which TURN servers have one transport.
type oneTransport struct {
	noom.Signaler
	transport string
}

// Endpoint is what the member's proofs are bound to.
func (s oneTransport) Endpoint() string { return signal.Endpoint(s.Signaler) }

func (s oneTransport) Receive(ctx context.Context) (signal.Message, error) {
	m, err := s.Signaler.Receive(ctx)
	for i, server := range m.ICEServers {
		m.ICEServers[i].URLs = slices.DeleteFunc(slices.Clone(server.URLs), func(url string) bool {
			return strings.HasPrefix(url, "turn:") && !strings.HasSuffix(url, "="+s.transport)
		})
	}
	return m, err
}

func onlyRelays(s *webrtc.SettingEngine) {
	s.SetRemoteIPFilter(func(ip net.IP) bool { return ip.String() == relayIP })
}

// next takes r's events until there is one of that type.
func next[E noom.Event](ctx context.Context, t *testing.T, r noom.Room) E {
	t.Helper()
	for {
		e, err := r.Next(ctx)
		if err != nil {
			var want E
			t.Fatalf("%s waits for %T: %v", r.Self().Name, want, err)
		}
		if e, ok := e.(E); ok {
			return e
		}
	}
}

func connected(ctx context.Context, t *testing.T, r noom.Room) noom.Peer {
	t.Helper()
	for {
		if e := next[noom.PeerStateChanged](ctx, t, r); e.State == noom.PeerConnected {
			return e.Peer
		}
	}
}

// By which name members find TURN over TLS: one that the certificate is for.
func TestTURNHost(t *testing.T) {
	at := netip.MustParseAddr("203.0.113.7")
	leaf := func(names ...string) *x509.Certificate {
		c := new(x509.Certificate)
		for _, name := range names {
			if ip := net.ParseIP(name); ip != nil {
				c.IPAddresses = append(c.IPAddresses, ip)
			} else {
				c.DNSNames = append(c.DNSNames, name)
			}
		}
		return c
	}
	for _, test := range []struct {
		of   options
		leaf *x509.Certificate
		want string
	}{
		{options{tls: tlsOptions{acme: acmeOptions{domains: []string{"call.example", "b.example"}}}}, nil, "call.example"},
		{options{}, leaf("call.example", "b.example", "203.0.113.7"), "call.example"},
		{options{hosts: []string{"other.example", "b.example:8443"}}, leaf("call.example", "b.example"), "b.example"},
		{options{hosts: []string{"a.call.example"}}, leaf("*.call.example"), "a.call.example"},
		{options{}, leaf("*.call.example", "203.0.113.7"), "203.0.113.7"},
		{options{}, leaf("192.0.2.7"), "192.0.2.7"},
		{options{addr: "192.0.2.8:443"}, leaf("192.0.2.7", "192.0.2.8", "203.0.113.7"), "192.0.2.8"},
		{options{addr: ":443", tls: tlsOptions{selfSigned: true}}, leaf("localhost", "host", "127.0.0.1", "203.0.113.7"), "203.0.113.7"},
		{options{addr: "192.0.2.8:443"}, leaf("localhost", "host", "192.0.2.8"), "192.0.2.8"},
		{options{}, leaf("*.call.example"), ""},
	} {
		got, err := (&front{options: &test.of, identity: &identity{leaf: test.leaf}}).turnHost(at)
		if got != test.want || (err == nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), "*.call.example: use -hosts") {
			t.Errorf("%+v: %q, %v, want %q", test.of, got, err, test.want)
		}
	}
}
