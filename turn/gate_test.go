package turn

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v4"
)

// What has no business with the server is dropped before it costs anything.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelays(netip.Addr{}, netip.Addr{}, true, Limits{
			PerMember: 6, Total: 12, AskRate: 10, OwnAskRate: 5, RelayRate: 1 << 20, TotalRate: 1 << 20,
		})
		g := &gate{relays: r, number: 1, asked: newRequests(r.limits.AskRate)}
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
