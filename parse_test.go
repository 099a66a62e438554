package noom

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"noom/signal"
)

// TestPanicCostsOneLink: what panics while a link takes a description or a
// candidate ends that epoch, with an error that says so, and nothing else. What panics here
// is Config.Trace, which is called from the same place as a parser: the peer is not blamed.
func TestPanicCostsOneLink(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		var armed atomic.Bool
		a := w.join("r", "지우", &Config{Trace: func(e Trace) {
			if strings.HasPrefix(e.Note, "remote description") && e.Peer.Name == "bob" && armed.CompareAndSwap(true, false) {
				panic("index out of range")
			}
		}})
		c := w.join("r", "c", nil)
		until(t, a, connected)
		beside, _ := a.Peer(c.Self().ID)
		before := beside.Connection()
		armed.Store(true)
		b := w.join("r", "bob", nil)
		failed := until(t, a, func(e PeerStateChanged) bool { return e.State == PeerFailed })
		if failed.Peer.ID() != b.Self().ID || errors.Is(failed.Err, ErrDescription) || !strings.Contains(failed.Err.Error(), "index out of range") {
			t.Errorf("%s failed with %v", failed.Peer.Name(), failed.Err)
		}
		until(t, a, func(e PeerStateChanged) bool { return connected(e) && e.Peer == failed.Peer })
		if beside.Connection() != before || beside.State() != PeerConnected {
			t.Error("the call beside it was disturbed")
		}
	})
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("r", "a", &Config{Trace: func(e Trace) {
			if strings.HasPrefix(e.Note, "candidates dropped") {
				panic("slice bounds out of range")
			}
		}})
		m := newMallory(t, w)
		defer func() { _ = m.line.Close() }()
		m.say(signal.TypeCandidates, `{"ufrag":"x","candidates":[{"candidate":"x"}]}`)
		failed := until(t, a, func(e PeerStateChanged) bool { return e.State == PeerFailed })
		if errors.Is(failed.Err, ErrDescription) || !strings.Contains(failed.Err.Error(), "slice bounds") {
			t.Errorf("failed with %v", failed.Err)
		}
	})
}

// Bounds hold before anything is parsed.
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
