package bandwidth

import (
	"testing"
	"time"
)

// TestShortProbes: what arrives of a probe of 200 ms is measured, although its padding begins a little later than it and
// sound takes half of what is sent before: otherwise each would show little more than what was known.
func TestShortProbes(t *testing.T) {
	for offset := range time.Duration(100) { // of the reports
		e := New(Config{Start: 80_000})
		e.Want(500_000)
		var list []Arrival
		var probed time.Duration
		number, at := int64(0), time.Duration(0)
		send := func(size int, probe bool) {
			e.Sent(Packet{Number: number, Size: size, Sent: start.Add(at), Probe: probe})
			list = append(list, Arrival{Number: number, At: skew + at + 30*ms, Received: true})
			number++
		}
		for ; e.Target() < 180_000 && at < 20*time.Second; at += ms {
			if at%(100*ms) == 0 {
				e.Tick(start.Add(at))
			}
			if at%(20*ms) == 0 {
				send(120, false)
			}
			if e.Padding() == 0 {
				probed = at
			} else if d := at - probed; d >= 30*ms && d%(20*ms) == 10*ms {
				send(e.Padding()/400-120, true)
			}
			if at%(100*ms) == offset*ms && len(list) > 0 {
				e.Report(start.Add(at), list)
				list = list[:0]
			}
		}
		if at > 2*time.Second {
			t.Errorf("with reports %v after packets it takes %v", offset*ms, at)
		}
	}
}
