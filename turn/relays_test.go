package turn

import (
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/turn/v5"
)

func TestTURNQuotas(t *testing.T) {
	s := serveHere(t, true, Limits{PerMember: 2, Total: 3, RelayRate: 1000, TotalRate: 1 << 20})
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
	r := newRelays(netip.Addr{}, netip.Addr{}, true, Limits{})
	if _, _, err := r.AllocateListener(pion.AllocateListenerConfig{Network: "tcp4", UserID: "a"}); err == nil {
		t.Error("listens for TCP")
	}
	if _, err := r.AllocateConn(pion.AllocateConnConfig{Network: "tcp4", UserID: "a"}); err == nil {
		t.Error("connects over TCP")
	}
}

// On this machine's own address nothing is reached but relays, wherever it listens.
func TestOnlyRelaysOnOurOwnAddress(t *testing.T) {
	outer := netip.MustParseAddr("192.0.2.1")
	r := newRelays(outer, outer, false, Limits{PerMember: 6, Total: 12, RelayRate: 1, TotalRate: 1})
	r.own.list = func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.IPv4(192, 0, 2, 1), Mask: net.CIDRMask(24, 32)}, &net.IPNet{IP: net.IPv4(8, 8, 4, 4), Mask: net.CIDRMask(32, 32)}}, nil
	}
	r.permits(net.IPv4(8, 8, 8, 8)) // looks for addresses
	a := allocates(r, "지우", "192.0.2.7:1", 50000)
	for at, want := range map[string]bool{
		"192.0.2.1:50000": true, "[::ffff:192.0.2.1]:50000": true, "192.0.2.1:50001": false, "192.0.2.1:3478": false, "192.0.2.1:53": false,
		"8.8.4.4:50000": false, "192.0.2.255:50000": false, "8.8.8.8:53": true,
	} {
		if got := r.reaches(netip.MustParseAddrPort(at)); got != want {
			t.Errorf("%s is reached: %v", at, got)
		}
	}
	a.PacketConn = closedOnce{closed: new(atomic.Bool)}
	for range 2 { // the second time by pion
		if err := a.Close(); err != nil {
			t.Errorf("closed: %v", err)
		}
	}
	if r.reaches(netip.MustParseAddrPort("192.0.2.1:50000")) {
		t.Error("the port of a relay that has gone is reached")
	}
}

// A sender is a socket at which packets of n bytes arrive, of these senders in turn.
type sender struct {
	net.PacketConn
	n    int
	from []*net.UDPAddr
}

func (s *sender) ReadFrom([]byte) (int, net.Addr, error) {
	if len(s.from) == 0 {
		return 0, nil, net.ErrClosed
	}
	from := s.from[0]
	s.from = s.from[1:]
	return s.n, from, nil
}

// What strangers send to a relay's port takes nothing from those that it has permission to send to.
func TestStrangersDoNotStarveARelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelays(netip.Addr{}, netip.Addr{}, true, Limits{RelayRate: 1 << 20, TotalRate: 1 << 20})
		a := allocates(r, "지우", "192.0.2.7:1000", 50000)
		if !r.grants(clientFrom("192.0.2.7:1000"), net.IPv4(8, 8, 8, 8)) {
			t.Fatal("no permission")
		}
		arriving := &sender{n: 1000}
		a.PacketConn = arriving
		for range 5000 {
			arriving.from = append(arriving.from, &net.UDPAddr{IP: net.IPv4(8, 8, 8, 9), Port: 1})
		}
		if _, from, err := a.ReadFrom(nil); err == nil || a.used.Load() {
			t.Errorf("a packet of %v is relayed", from)
		}
		for range 400 {
			arriving.from = append(arriving.from, &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8).To4(), Port: 2})
		}
		for i := range 400 {
			if _, _, err := a.ReadFrom(nil); err != nil || !a.used.Load() {
				t.Fatalf("packet %d of a peer: %v", i, err)
			}
		}
	})
}

// Packets with nothing in them are counted.
func TestEmptyPacketsAreBounded(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		r := newRelays(netip.Addr{}, netip.Addr{}, true, Limits{RelayRate: 64 << 10, TotalRate: 1 << 20})
		a := allocates(r, "지우", "192.0.2.7:1000", 50000)
		g := &gate{relays: r, number: 1, asked: newRequests(r.limits.AskRate)}
		relayed, taken := 0, 0
		for range 10_000 {
			if a.fits(0) {
				relayed++
			}
			if g.lets(nil, tcpFrom(1000), time.Now()) {
				taken++
			}
		}
		if relayed != 32<<10/headers || taken != 128<<10/headers {
			t.Errorf("%d are relayed and %d are taken at once", relayed, taken)
		}
	})
}

// A closedOnce is a socket that is closed once, as others are.
type closedOnce struct {
	net.PacketConn
	closed *atomic.Bool
}

func (c closedOnce) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	return nil
}
