package packet_test

import (
	"testing"
	"time"

	"noom/internal/packet"
)

func TestRoundTrip(t *testing.T) {
	now := time.Date(2026, 11, 29, 9, 0, 0, 250_000_000, time.UTC)
	const second = 1 << 16
	for name, c := range map[string]struct {
		sent time.Duration // ago; 0: never
		kept uint32
		want time.Duration // less than 0: it is not believed
	}{
		"as it should be":               {1100 * time.Millisecond, second, 100 * time.Millisecond},
		"a full queue":                  {21 * time.Second, second, 20 * time.Second},
		"nothing was sent":              {0, 0, -1},
		"at once, on clocks that round": {time.Second, second + 30, 0},
		"kept for longer than there is": {time.Second, 2 * second, -1},
		"a sender report of tomorrow":   {-time.Hour, 0, -1},
		"an hour":                       {time.Hour, 0, -1},
		"just too long":                 {31 * time.Second, 0, -1},
	} {
		last := packet.NTP(now.Add(-c.sent))
		if c.sent == 0 {
			last = 0
		}
		got, ok := packet.RoundTrip(last, c.kept, now)
		if ok != (c.want >= 0) || (got-max(c.want, 0)).Abs() > time.Millisecond {
			t.Errorf("%s: %v, %v, want %v", name, got, ok, c.want)
		}
	}
	// The seconds of NTP begin again in 2036.
	wrap := time.Unix(1<<32-2_208_988_800, 100_000_000)
	if got, ok := packet.RoundTrip(packet.NTP(wrap.Add(-time.Second)), 0, wrap); !ok || (got-time.Second).Abs() > time.Millisecond {
		t.Errorf("in 2036: %v, %v", got, ok)
	}
}
