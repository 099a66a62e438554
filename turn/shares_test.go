package turn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/turn/v5"
)

// clientFrom is a client at an address, behind the first of our sockets.
func clientFrom(address string) client {
	return clientAt(1, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
}

// A socketless relay is one that is there for the accounts.
type socketless struct{ net.PacketConn }

func (socketless) Close() error { return nil }

// allocates does what pion does for an Allocate of user's from an address.
func allocates(r *relays, user, address string, port int) *relay {
	c := clientFrom(address)
	if !r.mayHaveMore(user, c.prefix()) || !r.take(user) {
		return nil
	}
	a := r.open(socketless{}, port, user)
	r.created(c, &net.UDPAddr{Port: port})
	return a
}

// A client with few allocations gets one from the client with most: within an address first, then
// between addresses. Unused ones go first, then old ones.
func TestFairShares(t *testing.T) {
	r := newRelays(netip.Addr{}, netip.Addr{}, true, Limits{PerMember: 6, PerAddress: 8, Total: 12, RelayRate: 1, TotalRate: 1})
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

// Who asks for what there is not takes nothing from others.
func TestNothingGoesForNothing(t *testing.T) {
	r := newRelays(netip.MustParseAddr(relayIP), netip.MustParseAddr(relayIP), true, Limits{PerMember: 6, Total: 3})
	for i := range 3 {
		allocates(r, "지우", "192.0.2.7:1", i+1)
	}
	near := clientFrom("192.0.2.8:1").prefix()
	if !r.mayHaveMore("bob", near) {
		t.Fatal("who has none is refused")
	}
	if _, _, err := r.AllocatePacketConn(pion.AllocateListenerConfig{Network: "udp6", UserID: "bob"}); !errors.Is(err, errRelayFamily) || r.count != 3 {
		t.Errorf("for a relay of IPv6: %v, %d are left", err, r.count)
	}
	if _, _, err := r.AllocatePacketConn(pion.AllocateListenerConfig{Network: "udp4", UserID: "eve"}); !errors.Is(err, errRelayQuota) || r.count != 3 {
		t.Errorf("without asking: %v, %d are left", err, r.count)
	}
	r.mayHaveMore("bob", near)
	relay, _, err := r.AllocatePacketConn(pion.AllocateListenerConfig{Network: "udp4", UserID: "bob"})
	if err != nil || r.count != 3 || r.byUser["지우"] != 2 {
		t.Fatalf("%v, %v", err, r.byUser)
	}
	_ = relay.Close() // the test is over
	for i := range 20 {
		r.mayHaveMore(fmt.Sprint("member ", i), near)
	}
	if len(r.asked) > 3 {
		t.Errorf("%d are remembered", len(r.asked))
	}
}

// Who has many at many addresses, one at each, gives way too.
func TestSharesOfManyAddresses(t *testing.T) {
	r := newRelays(netip.Addr{}, netip.Addr{}, true, Limits{PerMember: 6, Total: 12, RelayRate: 1, TotalRate: 1})
	for i := range 12 {
		if allocates(r, []string{"mallory", "trudy"}[i%2], fmt.Sprintf("192.0.2.%d:1", i+1), i+1) == nil {
			t.Fatalf("allocation %d is refused", i)
		}
	}
	for i := range 4 { // until each has four
		if allocates(r, "지우", fmt.Sprintf("198.51.100.%d:1", i+1), 100+i) == nil {
			t.Errorf("number %d of a member with few is refused", i)
		}
	}
	if allocates(r, "지우", "198.51.100.9:1", 109) != nil || r.byUser["지우"] != 4 || r.count != 12 {
		t.Errorf("of %d: %v", r.count, r.byUser)
	}
}

// An allocation has so many permissions and channels, and no more; it keeps those.
func TestPermissionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelays(netip.MustParseAddr("192.0.2.1"), netip.Addr{}, false, Limits{
			PerMember: 6, Total: 12, PerRelay: 3, RelayRate: 1, TotalRate: 1,
		})
		client := clientFrom("192.0.2.7:1000")
		ip := func(i byte) net.IP { return net.IPv4(8, 8, 8, i) }
		if r.grants(client, ip(0)) {
			t.Error("a client without an allocation gets a permission")
		}
		a := allocates(r, "지우", "192.0.2.7:1000", 50000)
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
			r.channel(client, at, 1)
		}
		if r.grants(client, ip(10)) {
			t.Error("a fourth channel")
		}
		r.channel(client, at, -1)
		r.channel(clientFrom("192.0.2.7:1"), at, -1) // of a client that had that port before
		if !r.grants(client, ip(10)) || a.channels != 2 {
			t.Errorf("with %d channels", a.channels)
		}
	})
}
