package netwatch

import (
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSlept(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		wall, mono, want time.Duration
	}{
		"awake":                               {2 * time.Second, 2 * time.Second, 0},
		"a busy machine":                      {4 * time.Second, 4 * time.Second, 0},
		"asleep, monotonic clock stopped":     {time.Hour, 2 * time.Second, time.Hour - 2*time.Second},
		"asleep, both clocks went on":         {time.Hour, time.Hour, time.Hour - 2*time.Second},
		"a nap":                               {7 * time.Second, 2 * time.Second, 5 * time.Second},
		"the clock was corrected":             {5 * time.Second, 2 * time.Second, 0},
		"the clock was set back":              {-time.Hour, 2 * time.Second, 0},
		"asleep while the clock was set back": {-time.Hour, time.Minute, 58 * time.Second},
	} {
		before := Clock{Wall: start, Mono: time.Hour}
		now := Clock{Wall: start.Add(c.wall), Mono: time.Hour + c.mono}
		if got := Slept(before, now, 2*time.Second); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestWatch: the shared goroutine begins with the first call of watch and ends with the
// last stop. If it does not end, goleak notices.
func TestWatch(t *testing.T) {
	var w watcher
	var stops []func()
	for range 3 {
		stop, err := w.watch(func([]netip.Addr) {})
		if err != nil {
			t.Skipf("this system does not report its interfaces: %v", err)
		}
		stops = append(stops, stop)
	}
	for _, stop := range stops {
		stop()
		stop()
	}
	stop, err := w.watch(func([]netip.Addr) {})
	if err != nil {
		t.Fatal("cannot begin again: ", err)
	}
	stop()
	if len(localAddresses()) == 0 {
		t.Error("no addresses")
	}
}
