package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/signal"
	"noom/transport/ws"
)

// relayIP is a loopback address on which only relays answer, so that a pair
// whose candidates all have it is a relayed one.
const relayIP = "127.0.0.2"

// turnHere starts a TURN server on relayIP until the test ends.
func turnHere(t *testing.T, everywhere bool, limits turnLimits) *turnServer {
	t.Helper()
	for {
		s, err := startTURN(t.Context(), netip.MustParseAddrPort(relayIP+":0"), everywhere, limits)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue // somebody has taken the UDP port that is free for TCP
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.close() }) // the test may have
		return s
	}
}

// Two members whom only relays connect hear each other, over either way to
// the server, with nothing but what the program itself tells them.
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
		})
	}
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

// A turnClient is one end of an allocation.
type turnClient struct {
	*turn.Client
	socket net.PacketConn
}

func newClient(t *testing.T, s *turnServer, user, password string) turnClient {
	t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard
	c, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: s.at.String(), Username: user, Password: password, Conn: socket, LoggerFactory: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		_ = socket.Close() // the client may have
	})
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	return turnClient{c, socket}
}

// memberClient is one with the credentials that a member of that id gets.
func memberClient(t *testing.T, s *turnServer, id string) turnClient {
	t.Helper()
	told := s.servers(t.Context(), signal.Member{ID: id})[1]
	return newClient(t, s, told.Username, told.Credential)
}

func TestTURNRefusesStrangers(t *testing.T) {
	s := turnHere(t, false, standardTURNLimits)
	user, password, err := turn.GenerateLongTermTURNRESTCredentials(s.secret, "member", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	expired, secret, err := turn.GenerateLongTermTURNRESTCredentials(s.secret, "member", -time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for name, credentials := range map[string][2]string{
		"a wrong password":      {user, "guess"},
		"somebody else's":       {strings.Replace(user, "member", "other", 1), password},
		"a longer life":         {"9" + user, password},
		"expired ones":          {expired, secret},
		"a user without expiry": {"member", password},
		"no user":               {strings.TrimSuffix(user, ":member"), password},
	} {
		if got, refusal := newClient(t, s, credentials[0], credentials[1]).Allocate(); refusal == nil {
			t.Errorf("%s: got %v", name, got.LocalAddr())
		}
	}
	relay, err := newClient(t, s, user, password).Allocate()
	if err != nil {
		t.Fatalf("the right ones: %v", err)
	}
	if err := relay.Close(); err != nil {
		t.Error(err)
	}
}

// A call outlives the credentials that it began with, but not for ever.
func TestCredentialsExpire(t *testing.T) {
	s := &turnServer{secret: "s"}
	for age, want := range map[time.Duration]struct{ allocate, refresh bool }{
		-time.Minute: {true, true}, time.Minute: {false, true}, 23 * time.Hour: {false, true}, 25 * time.Hour: {false, false},
	} {
		user, password, err := turn.GenerateLongTermTURNRESTCredentials(s.secret, "id", -age)
		if err != nil {
			t.Fatal(err)
		}
		for method, want := range map[stun.Method]bool{
			stun.MethodAllocate: want.allocate, stun.MethodRefresh: want.refresh,
			stun.MethodCreatePermission: want.refresh, stun.MethodChannelBind: want.refresh,
		} {
			id, key, ok := s.authenticate(&turn.RequestAttributes{Username: user, Realm: turnRealm, Method: method})
			if ok != want {
				t.Errorf("%v with credentials that expired %v ago: %v", method, age, ok)
			}
			if ok && (id != "id" || !bytes.Equal(key, turn.GenerateAuthKey(user, turnRealm, password))) {
				t.Errorf("%v: user %q, key %x", method, id, key)
			}
		}
	}
}

func TestPermittedPeers(t *testing.T) {
	outer := netip.MustParseAddr("10.1.2.3") // a server on a LAN relays between its own relays
	strict, lax := newRelays(outer, outer, false, standardTURNLimits), newRelays(outer, outer, true, standardTURNLimits)
	for address, want := range map[string]bool{
		"8.8.8.8": true, "::ffff:8.8.8.8": true, "2606:4700::1111": true, "10.1.2.3": true, "::ffff:10.1.2.3": true, "172.32.0.1": true,
		"10.1.2.4": false, "172.16.0.1": false, "192.168.0.1": false, "127.0.0.1": false, "127.8.8.8": false,
		"169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "198.18.0.1": false, "224.0.0.1": false,
		"255.255.255.255": false, "240.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:192.168.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "::7f00:1": false,
		"64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "fec0::1": false,
	} {
		peer := net.ParseIP(address)
		if got := strict.permits(nil, peer); got != want {
			t.Errorf("%s is permitted: %v", address, got)
		}
		if !lax.permits(nil, peer) {
			t.Errorf("-turn-everywhere refuses %s", address)
		}
	}
	if strict.permits(nil, net.IP{1, 2, 3}) {
		t.Error("permits an address of three bytes")
	}
}

// What is refused gets nothing: not over a relay, and not even on the relay's
// own address, unless a relay it is.
func TestNothingReachesThisMachine(t *testing.T) {
	s := turnHere(t, false, standardTURNLimits)
	client := memberClient(t, s, "a")
	relay, err := client.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = relay.Close() }() // the test is over
	service, err := net.ListenPacket("udp4", relayIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = service.Close() }() // the test is over
	for service.LocalAddr().(*net.UDPAddr).Port >= firstRelayPort {
		_ = service.Close() // the system may give any port
		if service, err = net.ListenPacket("udp4", relayIP+":0"); err != nil {
			t.Fatal(err)
		}
	}
	if client.CreatePermission(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}) == nil {
		t.Error("the server permits loopback")
	}
	if _, err = relay.WriteTo([]byte("to a service"), service.LocalAddr()); err != nil {
		t.Fatal(err) // the relay's own address is permitted
	}
	other, err := memberClient(t, s, "b").Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }() // the test is over
	if _, err = other.WriteTo(nil, relay.LocalAddr()); err != nil {
		t.Fatal(err) // permits the way back
	}
	if _, err = relay.WriteTo([]byte("to a relay"), other.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, _, err := other.ReadFrom(b)
	if err != nil || string(b[:n]) != "to a relay" {
		t.Fatalf("received %q, %v", b[:n], err)
	}
	if _, err = client.socket.WriteTo([]byte("from elsewhere"), service.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if n, _, err = service.ReadFrom(b); err != nil || string(b[:n]) != "from elsewhere" {
		t.Errorf("the service received %q first, %v", b[:n], err)
	}
}

func TestTURNQuotas(t *testing.T) {
	s := turnHere(t, true, turnLimits{perUser: 2, total: 3, relayRate: 1000, totalRate: 1 << 20})
	allocate := func(id string) (net.PacketConn, error) { return memberClient(t, s, id).Allocate() }
	var open []net.PacketConn
	for i, test := range []struct {
		id   string
		want bool
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"b", false}, {"c", false}} {
		relay, err := allocate(test.id)
		if (err == nil) != test.want {
			t.Fatalf("allocation %d: %v", i, err)
		}
		if err == nil {
			open = append(open, relay)
		} else if !strings.Contains(err.Error(), "486") {
			t.Errorf("refused with %v, want 486", err)
		}
	}

	// Above the rate packets are lost: five come through at once, then ten a second.
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }() // the test is over
	const sent = 100
	began := time.Now()
	for range sent {
		if _, err = open[0].WriteTo(make([]byte, 100), peer.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	received, wait := 0, time.Minute // for the first
	for b := make([]byte, 200); ; received++ {
		_ = peer.SetReadDeadline(time.Now().Add(wait)) // it is open
		if _, _, err = peer.ReadFrom(b); err != nil {
			break
		}
		wait = 200 * time.Millisecond
	}
	if most := 6 + int(10*time.Since(began).Seconds()); received == 0 || received > most {
		t.Errorf("%d of %d packets came through, want no more than %d", received, sent, most)
	}

	// What is given back can be had again.
	if err = open[0].Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		if _, err = allocate("b"); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Errorf("after one was given back: %v", err)
	}
}

func TestNoTCPRelays(t *testing.T) {
	r := newRelays(netip.Addr{}, netip.Addr{}, true, standardTURNLimits)
	if _, _, err := r.AllocateListener(turn.AllocateListenerConfig{Network: "tcp4", UserID: "a"}); err == nil {
		t.Error("listens for TCP")
	}
	if _, err := r.AllocateConn(turn.AllocateConnConfig{Network: "tcp4", UserID: "a"}); err == nil {
		t.Error("connects over TCP")
	}
}

// TCP connections to the server are as many as are allowed, and none is left
// when it ends.
func TestTURNConnectionsAreBounded(t *testing.T) {
	s := turnHere(t, false, turnLimits{perUser: 1, total: 2, relayRate: 1000, totalRate: 1000})
	var conns []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", s.at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }() // the test is over
		conns = append(conns, c)
	}
	b := make([]byte, 1)
	if _, err := conns[2].Read(b); err == nil {
		t.Error("the third connection stays")
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	for i, c := range conns[:2] {
		if _, err := c.Read(b); err == nil {
			t.Errorf("connection %d stays", i)
		}
	}
}
