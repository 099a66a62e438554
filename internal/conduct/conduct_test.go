package conduct

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/transport/v5/packetio"
	"golang.org/x/time/rate"
)

var epoch0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestConductBuilds: so many connections at once, then one each 2.5 s, and far
// fewer for who floods us.
func TestConductBuilds(t *testing.T) {
	c := NewConducts().Of("m", nil, epoch0)
	built := func(from, to time.Duration) (n int) {
		for at := from; at < to; at += 10 * time.Millisecond {
			if c.Build(epoch0.Add(at)) == 0 {
				n++
			}
		}
		return n
	}
	if n := built(0, 25*time.Second); n < BuildBurst+9 || n > BuildBurst+10 {
		t.Errorf("%d connections in 25 s", n)
	}
	if c.clean(epoch0.Add(25 * time.Second)) {
		t.Error("it would be forgotten in the middle of a storm")
	}
	hour := 2 * time.Hour
	if !c.clean(epoch0.Add(hour)) {
		t.Error("it is not forgotten when there is nothing to remember")
	}
	for i, want := range []time.Duration{10, 20, 40, 80, 160, 320, 600, 600} {
		at := epoch0.Add(hour + time.Duration(i)*15*time.Minute)
		c.Fault(at)
		if got := c.Build(at); got != want*time.Second {
			t.Errorf("after fault %d: a pause of %v, want %d s", i+1, got, want)
		}
		if c.Build(at.Add(want*time.Second)) != 0 {
			t.Errorf("after fault %d: none after the pause", i+1)
		}
	}
	if c.clean(epoch0.Add(hour + 106*time.Minute)) {
		t.Error("faults are forgotten within the hour")
	}
	at := epoch0.Add(hour + 4*time.Hour)
	if c.Fault(at); c.Build(at) != FaultPause {
		t.Error("old faults count for ever")
	}
}

// TestConductsBuild: many members together have us build no more than a room full of
// honest ones needs.
func TestConductsBuild(t *testing.T) {
	cs := NewConducts()
	built := 0
	for at := time.Duration(0); at < 10*time.Second; at += 50 * time.Millisecond {
		for m := range 60 {
			if cs.Of(fmt.Sprint(m), nil, epoch0).Build(epoch0.Add(at)) == 0 {
				built++
			}
		}
	}
	if most := burstOfAll + 10*buildsOfAll; built > most || built < most-2 {
		t.Errorf("%d connections with 60 members in 10 s, want %d", built, most)
	}
}

// TestConductFrames: a flood is dropped at first, and ends the link when it goes on.
func TestConductFrames(t *testing.T) {
	c := NewConducts().Of("m", nil, epoch0)
	count := map[FrameVerdict]int{}
	for range WorkBurst + ExcessBurst + 10 {
		count[c.Frame(epoch0)]++
	}
	if count[FrameTaken] != WorkBurst || count[FrameDropped] != ExcessBurst || count[FrameFloods] != 10 {
		t.Errorf("%v", count)
	}
	if !c.ByHub.AllowN(epoch0, 1) {
		t.Error("what comes in-band is held against frames by hub")
	}
	later := epoch0.Add(time.Second)
	if !c.Described(later, false) || !c.Described(later, true) {
		t.Error("a second later a description and a restart are too much")
	}
	for range 2 {
		c.Described(later, true)
	}
	if c.Described(later, true) {
		t.Error("four restarts within a second")
	}
}

// TestConductsAreBounded: who floods a room with ids neither fills its memory nor
// has itself forgotten, as long as somebody can be forgotten without a loss.
func TestConductsAreBounded(t *testing.T) {
	cs := NewConducts()
	nobody := func(string) bool { return false }
	bad := cs.Of("bad", nobody, epoch0)
	bad.Fault(epoch0)
	for i := range 3 * maxConducts {
		cs.Of(fmt.Sprint(i), nobody, epoch0)
	}
	if len(cs.known) > maxConducts {
		t.Errorf("%d are remembered", len(cs.known))
	}
	if cs.Of("bad", nobody, epoch0) != bad {
		t.Error("who has flooded us is forgotten among those who have done nothing")
	}
	everybody := func(string) bool { return true }
	here := cs.Of("here", nobody, epoch0)
	for i := range 2 * maxConducts {
		c := cs.Of(fmt.Sprint("x", i), func(id string) bool { return id == "here" }, epoch0)
		c.Fault(epoch0)
	}
	if cs.Of("here", everybody, epoch0) != here || len(cs.known) > maxConducts {
		t.Errorf("of %d, one that is present was forgotten", len(cs.known))
	}
}

func check(id byte) []byte {
	p := make([]byte, stunHeader)
	p[1] = bindingRequest
	binary.BigEndian.PutUint32(p[4:], 0x2112a442)
	p[stunHeader-1] = id
	return p
}

func answer(id byte) []byte {
	p := check(id)
	p[0] = 1
	return p
}

// TestChecksArePaced: pion checks every pair five times a second. What leaves is 20 a
// second, each pair has its turn, and an address that answers is paced no longer.
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
			if p.out(now, "socket", to, check(byte(i))) {
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
			t.Errorf("none to %s", to)
		}
	}
	if !p.out(now, "socket", targets[0], []byte{22, 1, 2}) || !p.out(now, "socket", targets[0], answer(0)) {
		t.Error("what is no check is held back")
	}
	// An answer from elsewhere, or to another check, opens nothing.
	p.in(now, "socket", targets[1], answer(0))
	p.in(now, "socket", targets[2], answer(99))
	before := total
	for range 20 {
		tick(now)
	}
	if total-before > CheckBurst {
		t.Errorf("%d checks in a moment, behind forged answers", total-before)
	}
	// A check of the other end's is answered with one, and no more than one.
	now = now.Add(time.Second)
	if p.out(now, "socket", targets[4], check(4)) {
		t.Error("its turn has come too early for this test")
	}
	p.in(now, "socket", targets[4], check(9))
	if !p.out(now, "socket", targets[4], check(4)) || p.out(now, "socket", targets[4], check(4)) {
		t.Error("a check of the other end's is not answered with one")
	}
	p.in(now, "socket", targets[3], answer(3))
	for range 50 {
		if !p.out(now, "socket", targets[3], check(200)) {
			t.Fatal("an address that has answered is paced")
		}
	}
}

// TestStrangersAreSpared: many members of one process that name the same address send it no
// more together than a few do; once somebody has answered there, each has its own bound.
func TestStrangersAreSpared(t *testing.T) {
	all := newStrangers()
	victim := netip.MustParseAddr("2001:db8::7")
	flood := func(now time.Time) (n int) {
		for m := range 50 {
			p := NewPacer(rate.NewLimiter(CheckRate, CheckBurst), all)
			for port := range uint16(20) {
				if p.out(now, m, netip.AddrPortFrom(victim, 5000+port), check(byte(port))) {
					n++
				}
			}
		}
		return n
	}
	if n := flood(epoch0) + flood(epoch0.Add(time.Second)); n > strangerBurst+strangerRate {
		t.Errorf("%d checks to one address within a second", n)
	}
	all.met(epoch0.Add(time.Second), victim)
	if n := flood(epoch0.Add(time.Second)); n != 50*20 {
		t.Errorf("%d checks to an address that peers have", n)
	}
	for i := range 2 * maxStrangers {
		all.allow(epoch0, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}))
	}
	if len(all.known) > maxStrangers {
		t.Errorf("%d addresses are remembered", len(all.known))
	}
}

// TestRemoteCandidates says which candidates of a peer are taken.
func TestRemoteCandidates(t *testing.T) {
	for text, taken := range map[string]bool{
		"candidate:1 1 udp 2130706431 192.168.1.7 50000 typ host":                       true,
		"a=candidate:1 1 UDP 1 203.0.113.4 1025 typ srflx raddr 0.0.0.0 rport 0":        true,
		"candidate:1 1 udp 1 2001:db8::1 443 typ relay raddr :: rport 9":                true,
		"candidate:1 1 udp 1 100.64.3.4 50000 typ host":                                 true,
		"candidate:1 1 udp 1 4f6f6d2c-8e3e-4a2b-9d1a-3f5f00c0ffee.local 50000 typ host": true,
		"candidate:1 1 tcp 1 192.168.1.7 9 typ host tcptype active":                     true,
		"candidate:1 1 tcp 1 192.168.1.7 50000 typ host tcptype passive":                false,
		"candidate:1 1 udp 1 127.0.0.1 50000 typ host":                                  false,
		"candidate:1 1 udp 1 ::1 50000 typ host":                                        false,
		"candidate:1 1 udp 1 ::ffff:127.0.0.1 50000 typ host":                           false,
		"candidate:1 1 udp 1 0.0.0.0 50000 typ host":                                    false,
		"candidate:1 1 udp 1 :: 50000 typ host":                                         false,
		"candidate:1 1 udp 1 255.255.255.255 50000 typ host":                            false,
		"candidate:1 1 udp 1 192.168.1.255 50000 typ host":                              false, // ours
		"candidate:1 1 udp 1 224.0.0.251 50000 typ host":                                false,
		"candidate:1 1 udp 1 ff02::1 50000 typ host":                                    false,
		"candidate:1 1 udp 1 169.254.169.254 50000 typ host":                            false,
		"candidate:1 1 udp 1 192.168.1.7 0 typ host":                                    false,
		"candidate:1 1 udp 1 192.168.1.7 53 typ host":                                   false,
		"candidate:1 1 udp 1 192.168.1.7 11211 typ host":                                false,
		"candidate:1 1 udp 1 192.168.1.7 99999 typ host":                                false,
		"candidate:1 1 udp 1 victim.example 50000 typ host":                             false,
		"candidate:1 1 udp 1 a.b.local 50000 typ host":                                  false,
		"candidate:1 1 sctp 1 192.168.1.7 50000 typ host":                               false,
		"hello": false,
	} {
		var r Candidates
		own := Networks{broadcasts: []netip.Addr{netip.MustParseAddr("192.168.1.255")}}
		if err := r.Take(text, own, func() bool { return true }); (err == nil) != taken {
			t.Errorf("%s: %v", text, err)
		}
	}
	var home Candidates
	own := Networks{Loopback: true, tcp: true}
	for _, text := range []string{
		"candidate:1 1 udp 1 127.0.0.1 50000 typ host", "candidate:1 1 tcp 1 ::1 50000 typ host tcptype passive",
	} {
		if err := home.Take(text, own, nil); err != nil {
			t.Errorf("where we gather there too, %s: %v", text, err)
		}
	}
}

// TestRemoteCandidatesAreBounded: so many of a generation, of an address, and
// with a name; those that are told again do not count.
func TestRemoteCandidatesAreBounded(t *testing.T) {
	count := func(form string) (n int) {
		var r Candidates
		for range 2 {
			n = 0
			for i := range 128 {
				if r.Take(fmt.Sprintf(form, i), Networks{}, func() bool { return true }) == nil {
					n++
				}
			}
		}
		return n
	}
	for form, want := range map[string]int{
		"candidate:1 1 udp 1 10.0.0.%d 50000 typ host":     maxTaken,
		"candidate:1 1 udp 1 10.0.0.1 %d0000 typ host":     6, // 10000 to 60000
		"candidate:1 1 udp 1 10.0.0.1 2%03d typ host":      MaxOneIP,
		"candidate:1 1 udp 1 host-%d.local 50000 typ host": maxNames,
	} {
		if n := count(form); n != want {
			t.Errorf("%s: %d taken, want %d", form, n, want)
		}
	}
	var r Candidates
	if r.Take("candidate:1 1 udp 1 x.local 50000 typ host", Networks{}, func() bool { return false }) == nil {
		t.Error("a name is taken that may not be asked for")
	}
}

// TestCandidatesInDescriptions: what would be refused when trickled does not come in
// by a description either, wherever it stands there.
func TestCandidatesInDescriptions(t *testing.T) {
	const text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=candidate:1 1 udp 1 127.0.0.1 4000 typ host\r\n" +
		"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 1 10.0.0.9 4000 typ host\r\na=candidate:2 1 udp 1 127.0.0.1 4001 typ host\r\n" +
		"a=candidate:3 1 udp 1 example.com 4001 typ host\r\n"
	for _, lines := range []string{"\r\n", "\n", "\r"} {
		var r Candidates
		got, left, err := FilterCandidates(strings.ReplaceAll(text, "\r\n", lines), func(c string) error { return r.Take(c, Networks{}, nil) })
		if err != nil {
			continue // pion does not read it either
		}
		if left != 3 || strings.Contains(got, "127.0.0.1") || strings.Contains(got, "example") || !strings.Contains(got, "10.0.0.9") {
			t.Errorf("%q: %d left out of %q", lines, left, got)
		}
	}
}

// nackOf asks for n packets, from 0 on.
func nackOf(from uint32, n int) []byte {
	p := []byte{0x81, 205, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}
	binary.BigEndian.PutUint32(p[4:], from)
	for range n / 17 {
		p = append(p, 0, 0, 0xff, 0xff)
	}
	return p
}

// TestGuardResends: who asks for packets again and again gets a multiple of what
// is sent anyway, and no more.
func TestGuardResends(t *testing.T) {
	g := NewGuard(func(err error) { t.Errorf("told: %v", err) })
	b := g.Buffer(packetio.RTCPBufferPacket, 7)
	asked := func() (n int) {
		for range 1000 {
			if _, err := b.Write(nackOf(1, 170)); err == nil {
				n += 170
				if _, err := b.Read(make([]byte, 1500)); err != nil {
					t.Fatal(err)
				}
			}
		}
		return n
	}
	if n := asked(); n > maxResends || n < maxResends-170 {
		t.Errorf("%d packets again", n)
	}
	for range 100 {
		g.sent()
	}
	if n := asked(); n > 100*resendShare+170 || n == 0 {
		t.Errorf("%d packets again, of 100 sent", n)
	}
}

// TestGuardBounds: sources, and what waits to be read of them, are bounded for RTP
// and RTCP, and so are those who speak RTCP.
func TestGuardBounds(t *testing.T) {
	for _, kind := range []packetio.BufferPacketType{packetio.RTPBufferPacket, packetio.RTCPBufferPacket} {
		told := 0
		g := NewGuard(func(error) { told++ })
		waiting := 0
		for i := range 3 * MaxSources {
			if i == MaxSources && told != 0 {
				t.Errorf("kind %d: told at %d sources", kind, i)
			}
			b := g.Buffer(kind, uint32(i))
			for range 100 {
				if n, err := b.Write(append(nackOf(1, 0), make([]byte, 1000)...)); err == nil && i < MaxSources {
					waiting += n
				}
			}
		}
		if told != 1 {
			t.Errorf("kind %d: told %d times", kind, told)
		}
		if waiting > maxRTPBytes {
			t.Errorf("kind %d: %d bytes wait", kind, waiting)
		}
	}
	told := 0
	g := NewGuard(func(error) { told++ })
	b := g.Buffer(packetio.RTCPBufferPacket, 1)
	for i := range uint32(MaxSources + 100) {
		_, _ = b.Write(nackOf(i, 0)) // may be full
	}
	if told != 1 || len(g.senders) > MaxSources {
		t.Errorf("RTCP of %d: told %d times", len(g.senders), told)
	}
}

// TestStaleStormInCrowd: ever new sessions of one member are heeded no oftener than connections may be
// built, also while connections wait for their turn.
func TestStaleStormInCrowd(t *testing.T) {
	c := NewConducts().Of("m", nil, epoch0)
	heeded := 0
	for range 200 {
		if c.Reborn(epoch0) { // and nothing is built
			heeded++
		}
	}
	if heeded != BuildBurst {
		t.Errorf("%d sessions were heeded in a moment", heeded)
	}
}
