package signal_test

import (
	"fmt"
	"strings"
	"testing"

	"noom/signal"
)

// TestDescriptionBounds: bounds hold before anything is parsed.
func TestDescriptionBounds(t *testing.T) {
	const head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:u\r\na=ice-pwd:0123456789012345678901\r\n"
	section := func(n int) string {
		return fmt.Sprintf("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:%d\r\n", n)
	}
	sections := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(section(i))
		}
		return head + b.String()
	}
	const candidate = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
	for name, try := range map[string]struct {
		sdp string
		ok  bool
	}{
		"one section":               {sections(1), true},
		"64 sections":               {sections(signal.MaxSections), true},
		"65 sections":               {sections(signal.MaxSections + 1), false},
		"128 candidates":            {sections(1) + strings.Repeat(candidate, signal.MaxGeneration), true},
		"129 candidates":            {sections(1) + strings.Repeat(candidate, signal.MaxGeneration+1), false},
		"129, written otherwise":    {sections(1) + strings.Repeat(candidate, signal.MaxGeneration) + "A= :Candidate\t1 1 udp 1 192.0.2.1 9 typ host", false},
		"128 and what is none":      {sections(1) + strings.Repeat(candidate, signal.MaxGeneration) + "a=candidates:1\r\na=candidate\r\nacandidate:1\r\n", true},
		"nothing":                   {"", false},
		"no section":                {head, false},
		"as long as may be":         {sections(1) + strings.Repeat("a", signal.MaxSDP-len(sections(1))), true},
		"longer":                    {sections(1) + strings.Repeat("a", signal.MaxSDP+1-len(sections(1))), false},
		"lines that end in CR":      {strings.ReplaceAll(sections(65), "\r\n", "\r"), false},
		"lines that end in LF":      {strings.ReplaceAll(sections(65), "\r\n", "\n"), false},
		"a section before all else": {section(0) + strings.TrimPrefix(sections(64), head), false},
	} {
		err := (&signal.Description{ID: 1, SDP: try.sdp}).Check()
		if (err == nil) != try.ok {
			t.Errorf("%s: %v, want it taken: %v", name, err, try.ok)
		}
	}
}
