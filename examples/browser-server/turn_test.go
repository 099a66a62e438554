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
	"testing/synctest"
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
			continue // the UDP port is taken that is free for TCP
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.close() }) // the test may have
		return s
	}
}

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
	return newClientOver(t, s, socket, user, password)
}

func newClientOver(t *testing.T, s *turnServer, socket net.PacketConn, user, password string) turnClient {
	t.Helper()
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
	for _, r := range []*relays{strict, lax} {
		r.own.list = func() (list []net.Addr, err error) {
			for _, own := range []string{"10.1.2.3/24", "8.8.4.4/26", "9.1.2.3/31", "2606:4700::7/64", "fe80::1/64"} {
				ip, network, err := net.ParseCIDR(own)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, &net.IPNet{IP: ip, Mask: network.Mask})
			}
			return list, nil
		}
	}
	for address, want := range map[string]bool{
		"8.8.8.8": true, "::ffff:8.8.8.8": true, "2606:4700::1111": true, "10.1.2.3": true, "::ffff:10.1.2.3": true, "172.32.0.1": true,
		"10.1.2.4": false, "172.16.0.1": false, "192.168.0.1": false, "127.0.0.1": false, "127.8.8.8": false,
		"169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "198.18.0.1": false, "224.0.0.1": false,
		"255.255.255.255": false, "240.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:192.168.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "::7f00:1": false,
		"64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "fec0::1": false,
		"::ffff:0:127.0.0.1": false, "64:ff9b:1::a00:1": false, "100::1": false, "3fff::1": false, "4000::1": false,
		"2606:4700::5efe:10.1.2.4": false, "2606:4700::200:5efe:10.1.2.4": false, "2606:4700::300:5efe:10.1.2.4": true,
		// This machine is on the Internet, too.
		"8.8.4.4": false, "::ffff:8.8.4.4": false, "8.8.4.63": false, "8.8.4.0": false, "8.8.4.64": true, "9.1.2.3": false, "9.1.2.2": true,
		"2606:4700::7": false, "2606:4700::8": true,
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
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"b", false}, {"c", true}} { // a member that has none takes one of a's
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
		if _, err = open[2].WriteTo(make([]byte, 100), peer.LocalAddr()); err != nil {
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
	if err = open[2].Close(); err != nil {
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

// TCP connections to the server are as many as are allowed, and none is left when it ends. Silent
// ones go first.
func TestTURNConnectionsAreBounded(t *testing.T) {
	s := turnHere(t, false, turnLimits{perUser: 1, total: 3, waiting: 2, relayRate: 1000, totalRate: 1000})
	dial := func() net.Conn {
		t.Helper()
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.at.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() }) // the server may have
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		return c
	}
	gone := func(what string, c net.Conn) {
		t.Helper()
		_, err := io.Copy(io.Discard, c)
		if timeout, is := errors.AsType[net.Error](err); is && timeout.Timeout() {
			t.Errorf("%s stays (%v)", what, err)
		}
	}
	told := s.servers(t.Context(), signal.Member{ID: "member"})[1]
	member := newClientOver(t, s, turn.NewSTUNConn(dial()), told.Username, told.Credential)
	relay, err := member.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	silent := dial()
	asking := dial()
	answered := func() {
		t.Helper()
		_, _ = asking.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw)
		if _, err := io.ReadFull(asking, make([]byte, 40)); err != nil {
			t.Fatalf("who has said something: %v", err)
		}
	}
	answered()
	newest := dial()
	gone("who says nothing", silent)
	another := dial()
	gone("who has said nothing yet, before who has", newest)
	answered()
	if _, err := relay.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 9}); err != nil {
		t.Errorf("who has an allocation: %v", err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	gone("after the end, one", asking)
	gone("after the end, another", another)
}

// A connection that comes to nothing ends, and one may not say much before.
func TestTURNIntroduction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelays(netip.Addr{}, netip.Addr{}, true, standardTURNLimits)
		l := boundConnections(nil, r.limits)
		r.settled = l.settle
		accept := func(port int) (*boundedConn, net.Conn) {
			here, there := net.Pipe()
			c := &boundedConn{
				Conn: here, listener: l, client: clientOf(tcpFrom(port)), from: prefixOf(tcpFrom(port)), began: time.Now(), taken: takenPerSecond(1 << 20),
			}
			if out, in := l.add(c); out != nil || !in {
				t.Fatal("not let in")
			}
			return c, there
		}
		began := time.Now()
		c, _ := accept(1)
		if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(began) != turnFirst {
			t.Errorf("silent for %v: %v", time.Since(began), err)
		}
		c, there := accept(2)
		began = time.Now()
		go func() {
			for range 3 { // which do not put it off
				time.Sleep(turnFirst / 4)
				_, _ = there.Write([]byte{0})
			}
		}()
		var err error
		for err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		if time.Since(began) != turnFirst {
			t.Errorf("with a byte now and then: ended after %v", time.Since(began))
		}
		c, there = accept(3)
		go func() { _, _ = there.Write(make([]byte, 1<<20)) }()
		read := 0
		for err = nil; err == nil; {
			var n int
			n, err = c.Read(make([]byte, 1600))
			read += n
		}
		if !errors.Is(err, errIntroduction) || read > turnIntroduction {
			t.Errorf("%d bytes without an allocation: %v", read, err)
		}
		_ = there.Close() // ends the write

		// With an allocation there is time, and without it again there is not.
		c, _ = accept(4)
		began = time.Now()
		l.settle(tcpFrom(4), true)
		time.AfterFunc(turnIdle/2, func() { l.settle(tcpFrom(4), false) })
		if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(began) != turnIdle/2+turnFirst {
			t.Errorf("ended after %v: %v", time.Since(began), err)
		}
	})
}

func tcpFrom(port int) *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: port} }

// A socketless relay is one that is there for the accounts.
type socketless struct{ net.PacketConn }

func (socketless) Close() error { return nil }

// allocates does what pion does for an Allocate of user's from an address.
func allocates(r *relays, user, address string, port int) *relay {
	from := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address))
	if !r.mayHaveMore(user, turnRealm, from) || !r.take(user) {
		return nil
	}
	a := r.open(socketless{}, port, user)
	r.created(from, nil, "UDP", user, turnRealm, &net.UDPAddr{Port: port}, 0)
	return a
}

// A client with few allocations gets one from the client with most: within an address first, then
// between addresses. Unused ones go first, then old ones.
func TestFairShares(t *testing.T) {
	r := newRelays(netip.Addr{}, netip.Addr{}, true, turnLimits{perUser: 6, perAddress: 8, total: 12, relayRate: 1, totalRate: 1})
	port := 0
	ask := func(user, address string) *relay {
		port++
		return allocates(r, user, address, port)
	}
	has := func(user string) int {
		r.mu.Lock()
		defer r.mu.Unlock()
		n := 0
		for _, a := range r.live {
			if a.user == user {
				n++
			}
		}
		if n != r.byUser[user] {
			t.Errorf("%s has %d, counted are %d", user, n, r.byUser[user])
		}
		return n
	}
	var first *relay
	for i := range 7 {
		a := ask("mallory", "192.0.2.7:1000")
		if (a != nil) != (i < 6) {
			t.Fatalf("allocation %d of one member: %v", i, a)
		}
		if i == 0 {
			first = a
		}
		if a != nil {
			a.used.Store(i != 2) // the third has relayed nothing
		}
	}
	for i := range 40 { // others that are mallory too, at the same place
		ask("mallory "+string(rune('a'+i%10)), "[::ffff:192.0.2.7]:1001")
	}
	if n := r.byAddress[netip.MustParsePrefix("192.0.2.7/32")]; n != 8 {
		t.Errorf("one address has %d", n)
	}
	if ask("지우", "192.0.2.7:1002") == nil && has("mallory") > 2 {
		t.Error("a member at that address gets none, while mallory has several")
	}
	if has("mallory") > 2 {
		t.Errorf("mallory keeps %d, where eleven want eight", has("mallory"))
	}
	r.mu.Lock()
	kept := r.live[first.port] == first
	r.mu.Unlock()
	if kept && has("mallory") < 4 {
		t.Error("of those in use the oldest was to go first")
	}
	for i, address := range []string{"198.51.100.1:1", "198.51.100.2:1", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", "198.51.100.3:1", "198.51.100.4:1"} {
		if ask("member "+address, address) == nil {
			t.Errorf("member %d at an address of its own gets none", i)
		}
	}
	if r.count != 12 || len(r.live) != 12 {
		t.Errorf("%d counted, %d live, want 12", r.count, len(r.live))
	}
	for _, a := range r.live {
		for range 2 {
			_ = a.Close()
		}
	}
	if r.count != 0 || len(r.live)+len(r.byUser)+len(r.byAddress)+len(r.byClient) != 0 {
		t.Errorf("after all have gone: %d, %v, %v, %v", r.count, r.byUser, r.byAddress, r.byClient)
	}
}

// An allocation has so many permissions and channels, and no more; it keeps those.
func TestPermissionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelays(netip.MustParseAddr("192.0.2.1"), netip.Addr{}, false, turnLimits{
			perUser: 6, total: 12, perAllocation: 3, relayRate: 1, totalRate: 1,
		})
		client := net.UDPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.7:1000"))
		ip := func(i byte) net.IP { return net.IPv4(8, 8, 8, i) }
		if r.grants(client, ip(0)) {
			t.Error("a client without an allocation gets a permission")
		}
		a := allocates(r, "지우", client.String(), 50000)
		for i, want := range []bool{true, true, true, false, false} {
			if got := r.grants(client, ip(byte(i))); got != want {
				t.Errorf("permission %d: %v", i, got)
			}
		}
		for i := range 3 {
			if !r.grants(client, ip(byte(i))) {
				t.Errorf("permission %d cannot be renewed", i)
			}
		}
		if r.grants(client, net.IPv4(127, 0, 0, 1)) {
			t.Error("permits loopback")
		}
		time.Sleep(permissionLife + time.Second)
		for i := range 3 {
			if !r.grants(client, ip(byte(i+10))) {
				t.Errorf("permission %d, after the others have ended", i)
			}
		}
		at := &net.UDPAddr{Port: 50000}
		for range 3 {
			r.channel(1)(client, nil, "", "", "", at, nil, 0)
		}
		if r.grants(client, ip(10)) {
			t.Error("a fourth channel")
		}
		r.channel(-1)(client, nil, "", "", "", at, nil, 0)
		r.channel(-1)(tcpFrom(1), nil, "", "", "", at, nil, 0) // of a client that had that port before
		if !r.grants(client, ip(10)) || a.channels != 2 {
			t.Errorf("with %d channels", a.channels)
		}
	})
}

// What has no business with the server is dropped before it costs anything.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelays(netip.Addr{}, netip.Addr{}, true, turnLimits{
			perUser: 6, total: 12, askRate: 10, ownAskRate: 5, relayRate: 1 << 20, totalRate: 1 << 20,
		})
		g := &gate{relays: r, asked: newRequests(r.limits.askRate, r.limits.ownAskRate)}
		request := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw
		indication := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication)).Raw
		channelData := []byte{0x40, 1, 0, 4, 'd', 'a', 't', 'a'}
		udp := func(text string) *net.UDPAddr { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(text)) }
		passes := func(packet []byte, from *net.UDPAddr, n int) (passed int) {
			for range n {
				if g.lets(packet, from, time.Now()) {
					passed++
				}
			}
			return passed
		}
		stranger, neighbour := udp("192.0.2.7:1"), udp("192.0.2.7:2")
		if n := passes(request, stranger, 30) + passes(request, neighbour, 30); n != 40 {
			t.Errorf("%d requests of one address at once", n)
		}
		if n := passes(request, udp("192.0.2.8:1"), 30); n != 30 {
			t.Errorf("%d requests of another", n)
		}
		time.Sleep(time.Second)
		if n := passes(request, stranger, 30); n != 10 {
			t.Errorf("%d requests in a second", n)
		}
		if n := passes(indication, stranger, 9) + passes(channelData, stranger, 9) + passes(nil, stranger, 9) + passes([]byte{0x16}, stranger, 9); n != 0 {
			t.Errorf("%d packets of a client without an allocation", n)
		}
		allocates(r, "지우", stranger.String(), 50000)
		if n := passes(request, stranger, 30); n != 20 {
			t.Errorf("%d requests of a client at once", n)
		}
		if n := passes(indication, stranger, 500) + passes(channelData, stranger, 500); n != 1000 {
			t.Errorf("%d packets of data pass", n)
		}
		if n := passes(make([]byte, 1500), stranger, 5000); n*1500 > 4<<20 {
			t.Errorf("%d bytes of data at once, where 1 MiB a second is relayed", n*1500)
		}
		for i := range 3 * mostStrangers { // as a liar about its address can
			passes(request, udp(netip.AddrPortFrom(netip.AddrFrom4([4]byte{100, byte(i >> 16), byte(i >> 8), byte(i)}), 1).String()), 1)
		}
		if n := len(g.asked.strangers); n > mostStrangers {
			t.Errorf("%d addresses are remembered", n)
		}
	})
}

// On this machine's own address nothing is reached but relays, wherever it listens.
func TestOnlyRelaysOnOurOwnAddress(t *testing.T) {
	outer := netip.MustParseAddr("192.0.2.1")
	r := newRelays(outer, outer, false, turnLimits{perUser: 6, total: 12, relayRate: 1, totalRate: 1})
	r.own.list = func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.IPv4(192, 0, 2, 1), Mask: net.CIDRMask(24, 32)}, &net.IPNet{IP: net.IPv4(8, 8, 4, 4), Mask: net.CIDRMask(32, 32)}}, nil
	}
	r.permits(nil, net.IPv4(8, 8, 8, 8)) // looks for addresses
	a := allocates(r, "지우", "192.0.2.7:1", 50000)
	for at, want := range map[string]bool{
		"192.0.2.1:50000": true, "[::ffff:192.0.2.1]:50000": true, "192.0.2.1:50001": false, "192.0.2.1:3478": false, "192.0.2.1:53": false,
		"8.8.4.4:50000": false, "192.0.2.255:50000": false, "8.8.8.8:53": true,
	} {
		if got := r.reaches(netip.MustParseAddrPort(at)); got != want {
			t.Errorf("%s is reached: %v", at, got)
		}
	}
	_ = a.Close() // never fails
	if r.reaches(netip.MustParseAddrPort("192.0.2.1:50000")) {
		t.Error("the port of a relay that has gone is reached")
	}
}
