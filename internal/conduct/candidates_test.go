package conduct

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// TestRemoteCandidates shows which candidates of a peer are taken.
func TestRemoteCandidates(t *testing.T) {
	for text, taken := range map[string]bool{
		"candidate:1 1 udp 2130706431 192.168.1.7 50000 typ host":                       true,
		"a=candidate:1 1 UDP 1 203.0.113.4 1025 typ srflx raddr 0.0.0.0 rport 0":        true,
		"candidate:1 1 udp 1 2001:db8::1 443 typ relay raddr :: rport 9":                true,
		"candidate:1 1 udp 1 100.64.3.4 50000 typ host":                                 true,
		"candidate:1 1 udp 1 4f6f6d2c-8e3e-4a2b-9d1a-3f5f00c0ffee.local 50000 typ host": true,
		"candidate:1 1 tcp 1 192.168.1.7 9 typ host tcptype active":                     true,
		"candidate:1 1 tcp 1 192.168.1.7 50000 typ host tcptype passive":                true, // and pion connects only if asked
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
	own := Networks{Loopback: true}
	for _, text := range []string{
		"candidate:1 1 udp 1 127.0.0.1 50000 typ host", "candidate:1 1 tcp 1 ::1 50000 typ host tcptype passive",
	} {
		if err := home.Take(text, own, nil); err != nil {
			t.Errorf("on loopback, where we gather too, %s: %v", text, err)
		}
	}
}

// TestRemoteCandidatesAreBounded: candidates are bounded by generation, by address and
// by name. One that comes again does not count.
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
		t.Error("a name that may not be resolved is taken")
	}
}

// TestCandidatesInDescriptions: a candidate that would be refused when trickled is
// refused in a description too, wherever it stands.
func TestCandidatesInDescriptions(t *testing.T) {
	const text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=candidate:1 1 udp 1 127.0.0.1 4000 typ host\r\n" +
		"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n" +
		"a=candidate:1 1 udp 1 10.0.0.9 4000 typ host\r\na=candidate:2 1 udp 1 127.0.0.1 4001 typ host\r\n" +
		"a=candidate:3 1 udp 1 example.com 4001 typ host\r\n"
	for _, lines := range []string{"\r\n", "\n", "\r"} {
		var r Candidates
		got, left, err := FilterCandidates(strings.ReplaceAll(text, "\r\n", lines), func(c string) error { return r.Take(c, Networks{}, nil) })
		if err != nil {
			continue // pion does not read it either
		}
		if left != 3 || strings.Contains(got, "127.0.0.1") || strings.Contains(got, "example") || !strings.Contains(got, "10.0.0.9") {
			t.Errorf("%q: %d left out, giving %q", lines, left, got)
		}
	}
}
