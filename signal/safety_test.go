package signal_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"noom/signal"
)

func TestSafetyNumber(t *testing.T) {
	var golden []struct{ A, B, Digits, Emoji string }
	readJSON(t, "safety.json", &golden)
	seen := map[signal.SafetyNumber]bool{}
	for _, g := range golden {
		n := signal.SafetyNumberOf(g.A, g.B)
		if n.Digits != g.Digits || n.Emoji != g.Emoji {
			t.Errorf("%s and %s: %v %v, want %v %v", g.A, g.B, n.Digits, n.Emoji, g.Digits, g.Emoji)
		}
		if signal.SafetyNumberOf(g.B, g.A) != n {
			t.Errorf("%s and %s: the order counts", g.A, g.B)
		}
		if seen[n] {
			t.Errorf("%s and %s: the same number as another pair", g.A, g.B)
		}
		seen[n] = true
	}
	if len(golden) < 3 {
		t.Fatal("too few pairs")
	}
}

// Each emoji is a code point of its own, so that both languages cut the
// alphabet at the same places.
func TestSafetyEmoji(t *testing.T) {
	if n := utf8.RuneCountInString(signal.SafetyEmoji); n != 64 {
		t.Fatalf("%d emoji, want 64 for 6 bits each", n)
	}
	for _, r := range signal.SafetyEmoji {
		if strings.Count(signal.SafetyEmoji, string(r)) != 1 || r == 0xfe0f || r == 0x200d {
			t.Errorf("%q is there twice, or no emoji of its own", r)
		}
	}
}
