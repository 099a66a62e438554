package conduct

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/transport/v5/stdnet"
	"golang.org/x/time/rate"
)

// TestNominationIsRepeated: a nomination goes along with each later check on its pair, until something that is not
// STUN comes over the pair.
func TestNominationIsRepeated(t *testing.T) {
	inner, err := stdnet.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	checks := rate.NewLimiter(rate.Inf, 1)
	paced := NewPacedNet(inner, NewPacer(checks, newStrangers()), NewGuard(func(error) {}))
	var ours [2]socket
	var peers [2]*net.UDPConn
	for i := range peers {
		c, wrong := paced.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if wrong != nil {
			t.Fatal(wrong)
		}
		defer func() { _ = c.Close() }()
		ours[i] = c.(socket)
		if peers[i], err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = peers[i].Close() }()
	}
	at := func(i int) *net.UDPAddr { return peers[i].LocalAddr().(*net.UDPAddr) }
	way := 0 // pion has two, to send and to receive
	end := []byte{firstDTLS, 'e', 'n', 'd'}
	// sends returns what arrives at a peer, if p leaves one of our sockets.
	sends := func(from, peer int, p []byte) (got [][]byte) {
		for _, packet := range [][]byte{p, end} {
			if way == 0 {
				_, err = ours[from].WriteTo(packet, at(peer))
			} else {
				_, err = ours[from].WriteToAddrPort(packet, at(peer).AddrPort())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for {
			b := make([]byte, 1500)
			_ = peers[peer].SetReadDeadline(time.Now().Add(10 * time.Second))
			n, late := peers[peer].Read(b)
			if late != nil {
				t.Fatal(late)
			}
			if bytes.Equal(b[:n], end) {
				return got
			}
			got = append(got, b[:n])
		}
	}
	answers := func(peer, to int, p []byte) {
		if _, err = peers[peer].WriteTo(p, ours[to].LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if way == 0 {
			_, _, err = ours[to].ReadFrom(make([]byte, 1500))
		} else {
			_, _, err = ours[to].ReadFromAddrPort(make([]byte, 1500))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, got [][]byte, want ...[]byte) {
		t.Helper()
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: %x was sent, want %x", what, got, want)
		}
	}
	request := func(with ...stun.Setter) []byte {
		m, err := stun.Build(append([]stun.Setter{stun.TransactionID, stun.BindingRequest, stun.NewUsername("a:b")}, with...)...)
		if err != nil {
			t.Fatal(err)
		}
		return m.Raw
	}
	for peer := range peers { // one that has answered is not paced
		want("the first check", sends(0, peer, bindingCheck(byte(peer))), bindingCheck(byte(peer)))
		answers(peer, 0, bindingAnswer(byte(peer)))
	}
	nominates := stun.RawAttribute{Type: stun.AttrUseCandidate}
	controlled := stun.RawAttribute{Type: stun.AttrICEControlled, Value: make([]byte, 8)}
	for way = range 2 {
		check, first, second := request(), request(nominates), request(nominates)
		want("a check", sends(0, 0, check), check)
		want("a nomination", sends(0, 0, first), first)
		want("a later check", sends(0, 0, check), first, check)
		want("one to another address", sends(0, 1, check), check)
		want("one by another socket", sends(1, 0, check), check)
		answers(0, 0, bindingAnswer(1))
		answers(1, 0, []byte{22, 254, 253})
		answers(0, 1, []byte{22, 254, 253})
		want("one after an answer, and DTLS on other pairs", sends(0, 0, check), first, check)
		want("another nomination", sends(0, 0, second), second)
		want("a check after it", sends(0, 0, check), second, check)
		answers(0, 0, []byte{22, 254, 253})
		want("one after DTLS", sends(0, 0, check), check)
		want("a nomination again", sends(0, 0, first), first)
		last := request(controlled)
		want("a check in the other role", sends(0, 0, last), last)
		want("and later", sends(0, 0, check), check)
	}
	for _, broken := range [][]byte{
		{},
		{0},
		bindingCheck(1)[:19],
		append(bindingCheck(1), 0, 0x25, 0),
		append(bindingCheck(1), 0, 6, 255, 255, 0, 0x25, 0, 0),
		append(bindingAnswer(1), 0, 0x25, 0, 0),
	} {
		if carries(broken, useCandidate) {
			t.Errorf("%x nominates", broken)
		}
	}
}

// socket is what pion's ICE has for one.
type socket interface {
	net.PacketConn
	WriteToAddrPort(p []byte, to netip.AddrPort) (int, error)
	ReadFromAddrPort(p []byte) (int, netip.AddrPort, error)
}
