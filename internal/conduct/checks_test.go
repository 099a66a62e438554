package conduct

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func bindingCheck(id byte) []byte {
	p := make([]byte, stunHeader)
	p[1] = bindingRequest
	binary.BigEndian.PutUint32(p[4:], 0x2112a442)
	p[stunHeader-1] = id
	return p
}

func bindingAnswer(id byte) []byte {
	p := bindingCheck(id)
	p[0] = 1
	return p
}

// TestChecksArePaced: pion checks every pair five times a second. Only 20 checks a second
// leave, each pair has its turn, and an address that has answered is no longer paced.
func TestChecksArePaced(t *testing.T) {
	p := NewPacer(rate.NewLimiter(CheckRate, CheckBurst), newStrangers())
	var targets []netip.AddrPort
	for i := range 80 {
		targets = append(targets, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 4000))
	}
	sent := map[netip.AddrPort]int{}
	total := 0
	tick := func(now time.Time) {
		for i, to := range targets {
			if p.out(now, "socket", to, bindingCheck(byte(i))) {
				sent[to]++
				total++
			}
		}
	}
	const seconds = 16
	now := epoch0
	for range seconds * 5 {
		tick(now)
		now = now.Add(200 * time.Millisecond)
	}
	if most := CheckBurst + CheckRate*seconds; total > most || total < most/2 {
		t.Errorf("%d checks in %d s, at most %d", total, seconds, most)
	}
	for _, to := range targets {
		if sent[to] == 0 {
			t.Errorf("no check to %s", to)
		}
	}
	if !p.out(now, "socket", targets[0], []byte{22, 1, 2}) || !p.out(now, "socket", targets[0], bindingAnswer(0)) {
		t.Error("a packet that is not a check is held back")
	}
	// An answer from elsewhere, or to another check, changes nothing.
	p.in(now, "socket", targets[1], bindingAnswer(0))
	p.in(now, "socket", targets[2], bindingAnswer(99))
	before := total
	for range 20 {
		tick(now)
	}
	if total-before > CheckBurst {
		t.Errorf("%d checks at once after forged answers", total-before)
	}
	// A check from the other end is answered with one check, and only one.
	now = now.Add(time.Second)
	if p.out(now, "socket", targets[4], bindingCheck(4)) {
		t.Error("the pair's turn has come too early for this test")
	}
	p.in(now, "socket", targets[4], bindingCheck(9))
	if !p.out(now, "socket", targets[4], bindingCheck(4)) || p.out(now, "socket", targets[4], bindingCheck(4)) {
		t.Error("a check from the other end is not answered with exactly one")
	}
	p.in(now, "socket", targets[3], bindingAnswer(3))
	for range 50 {
		if !p.out(now, "socket", targets[3], bindingCheck(200)) {
			t.Fatal("an address that has answered is paced")
		}
	}
}

// TestPairsOfBeforeTakeNoTurns: in a long outage ICE starts again and again, each time with
// new sockets and candidates. Those that it has given up do not hold up the pairs of now.
func TestPairsOfBeforeTakeNoTurns(t *testing.T) {
	const pairs, tick = 8, 200 * time.Millisecond
	p := NewPacer(rate.NewLimiter(CheckRate, CheckBurst), newStrangers())
	now := epoch0
	for restart := range 4 * maxCheckPairs / pairs {
		var sent [pairs]int
		for range 4 * time.Second / tick {
			for i := range pairs {
				to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), uint16(4000+restart))
				if p.out(now, restart, to, bindingCheck(byte(i))) {
					sent[i]++
				}
			}
			now = now.Add(tick)
		}
		for i, n := range sent {
			if n < 4 {
				t.Fatalf("restart %d: %d checks on pair %d in 4 s", restart, n, i)
			}
		}
	}
	if len(p.pairs) > 2*pairs {
		t.Errorf("%d pairs are remembered", len(p.pairs))
	}
}

// TestStrangersAreSpared: if many members of one process name the same address, they send it
// no more together than a few do. Once the address has answered, each has its own bound.
func TestStrangersAreSpared(t *testing.T) {
	all := newStrangers()
	victim := netip.MustParseAddr("2001:db8::7")
	flood := func(now time.Time) (n int) {
		for m := range 50 {
			p := NewPacer(rate.NewLimiter(CheckRate, CheckBurst), all)
			for port := range uint16(20) {
				if p.out(now, m, netip.AddrPortFrom(victim, 5000+port), bindingCheck(byte(port))) {
					n++
				}
			}
		}
		return n
	}
	if n := flood(epoch0) + flood(epoch0.Add(time.Second)); n > strangerBurst+strangerRate {
		t.Errorf("%d checks to one address within a second", n)
	}
	if n := flood(epoch0.Add(time.Hour)) - flood(epoch0); n != 0 {
		t.Errorf("%d checks fewer where time has begun again", n)
	}
	flood(epoch0.Add(time.Second))
	all.met(epoch0.Add(time.Second), victim)
	if n := flood(epoch0.Add(time.Second)); n != 50*20 {
		t.Errorf("%d checks to an address that has answered", n)
	}
	for i := range 2 * maxStrangers {
		all.allow(epoch0, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}))
	}
	if len(all.known) > maxStrangers {
		t.Errorf("%d addresses are remembered", len(all.known))
	}
}
