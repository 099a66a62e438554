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
	ours, err := NewPacedNet(inner, NewPacer(checks, newStrangers()), NewGuard(func(error) {})).
		ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ours.Close() }()
	peers := [2]*net.UDPConn{}
	for i := range peers {
		if peers[i], err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = peers[i].Close() }()
	}
	at := func(i int) *net.UDPAddr { return peers[i].LocalAddr().(*net.UDPAddr) }
	// Both ways to send that pion uses.
	ways := []func(p []byte, to *net.UDPAddr) error{
		func(p []byte, to *net.UDPAddr) error { _, err := ours.WriteTo(p, to); return err },
		func(p []byte, to *net.UDPAddr) error {
			_, err := ours.(interface {
				WriteToAddrPort(p []byte, to netip.AddrPort) (int, error)
			}).WriteToAddrPort(p, to.AddrPort())
			return err
		},
	}
	end := []byte{firstDTLS, 'e', 'n', 'd'}
	// sends returns what arrives at a peer, if p is sent.
	sends := func(way, peer int, p []byte) (got [][]byte) {
		for _, packet := range [][]byte{p, end} {
			if err := ways[way](packet, at(peer)); err != nil {
				t.Fatal(err)
			}
		}
		for {
			b := make([]byte, 1500)
			_ = peers[peer].SetReadDeadline(time.Now().Add(10 * time.Second))
			n, err := peers[peer].Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(b[:n], end) {
				return got
			}
			got = append(got, b[:n])
		}
	}
	answer := func(peer int, p []byte) {
		if _, err := peers[peer].WriteTo(p, ours.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ours.ReadFrom(make([]byte, 1500)); err != nil {
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
		answer(peer, bindingAnswer(byte(peer)))
	}
	nominates := stun.RawAttribute{Type: stun.AttrUseCandidate}
	for way := range ways {
		check, nomination := request(), request(nominates)
		want("a check", sends(way, 0, check), check)
		want("a nomination", sends(way, 0, nomination), nomination)
		want("a later check", sends(way, 0, check), nomination, check)
		want("one to another address", sends(way, 1, check), check)
		answer(0, bindingAnswer(1))
		want("one after an answer", sends(way, 0, check), nomination, check)
		second := request(nominates)
		want("another nomination", sends(way, 0, second), second)
		want("a check after it", sends(way, 0, check), second, check)
		answer(0, []byte{22, 254, 253})
		want("one after DTLS", sends(way, 0, check), check)
	}
	for _, broken := range [][]byte{
		{},
		{0},
		bindingCheck(1)[:19], append(bindingCheck(1), 0, 0x25, 0), append(bindingCheck(1), 0, 6, 255, 255, 0, 0x25, 0, 0),
		append(bindingAnswer(1), 0, 0x25, 0, 0),
	} {
		if first := new(nomination).again("socket", netip.AddrPort{}, broken); first != nil {
			t.Errorf("%x makes %x leave", broken, first)
		}
	}
}
