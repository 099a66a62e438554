package conduct

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/transport/v5/stdnet"
	"golang.org/x/time/rate"
)

// TestCheckComesAgain: behind the first answer of an address, a check that came from there before is delivered once more.
func TestCheckComesAgain(t *testing.T) {
	inner, err := stdnet.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	for way := range 2 {
		paced := NewPacedNet(inner, NewPacer(rate.NewLimiter(rate.Inf, 1), newStrangers()), NewGuard(func(error) {}))
		c, err := paced.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		ours := c.(socket)
		to := ours.LocalAddr().(*net.UDPAddr)
		var peers [2]*net.UDPConn
		for i := range peers {
			if peers[i], err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = peers[i].Close() }()
		}
		read := func(want []byte, from int) {
			t.Helper()
			b := make([]byte, 1500)
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			var n int
			var sender netip.AddrPort
			if way == 0 {
				var a net.Addr
				n, a, err = ours.ReadFrom(b)
				if err == nil {
					sender = a.(*net.UDPAddr).AddrPort()
				}
			} else {
				n, sender, err = ours.ReadFromAddrPort(b)
			}
			if err != nil {
				t.Fatal(err)
			}
			sender = netip.AddrPortFrom(sender.Addr().Unmap(), sender.Port())
			if !bytes.Equal(b[:n], want) || sender != peers[from].LocalAddr().(*net.UDPAddr).AddrPort() {
				t.Errorf("way %d: %x from %v is delivered, want %x from peer %d", way, b[:n], sender, want, from)
			}
		}
		says := func(from int, packet []byte) {
			t.Helper()
			if _, err := peers[from].WriteTo(packet, to); err != nil {
				t.Fatal(err)
			}
			read(packet, from)
		}
		for id, at := range peers {
			if _, err := ours.WriteTo(bindingCheck(byte(100+id)), at.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
		says(0, bindingCheck(1))
		says(0, bindingCheck(2))
		says(0, bindingAnswer(99)) // of no check of ours
		says(1, bindingAnswer(101))
		says(1, bindingCheck(3)) // nothing came before the answer
		says(0, bindingAnswer(100))
		read(bindingCheck(2), 0)
		says(0, bindingAnswer(100))
		says(0, bindingCheck(4))
		says(0, bindingAnswer(100))
		says(0, []byte{firstDTLS})
	}
}

// TestFewChecksAreKept: whatever comes from how many addresses.
func TestFewChecksAreKept(t *testing.T) {
	p := NewPacer(rate.NewLimiter(CheckRate, CheckBurst), newStrangers())
	for port := range uint16(1000) {
		p.in(time.Unix(1e9, 0), nil, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), port), bindingCheck(1))
	}
	if len(p.asked) != maxAsked {
		t.Errorf("%d are kept, want %d", len(p.asked), maxAsked)
	}
}
