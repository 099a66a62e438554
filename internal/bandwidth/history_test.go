package bandwidth

import (
	"testing"
	"time"
)

// TestHistoryGrows: a packet that waits for its report is not forgotten as long as there is room for it, and a path whose
// reports come in time takes little memory.
func TestHistoryGrows(t *testing.T) {
	for _, c := range []struct {
		name    string
		rate    int           // packets a second
		delay   time.Duration // of the reports
		records int           // that there are room for afterwards
	}{
		{"sound and pictures", 200, 300 * time.Millisecond, fewRemembered},
		{"much at once", 5000, 100 * time.Millisecond, 512},
		{"slow reports", 200, 8 * time.Second, 2048},
		{"reports that come too late", 200, time.Minute, 2048},
		{"no room for all", 20_000, time.Second, remembered},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h history
			reported := int64(0)
			for number := range int64(30 * c.rate) {
				now := time.Duration(number) * time.Second / time.Duration(c.rate)
				h.add(number, now, 1000)
				for ; time.Duration(reported)*time.Second/time.Duration(c.rate) <= now-c.delay; reported++ {
					r := h.find(reported)
					if r == nil && c.delay < unreported && number-reported < remembered {
						t.Fatalf("packet %d is forgotten after %v", reported, c.delay)
					}
					if r != nil {
						r.is = arrived
					}
				}
			}
			if len(h.records) != c.records {
				t.Errorf("room for %d packets, want %d", len(h.records), c.records)
			}
		})
	}
}
