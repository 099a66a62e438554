package bandwidth

import (
	"testing"
	"time"
)

// tenth sends and reports 30 packets, as in a tenth of a second of 3 Mbit/s.
func tenth(e *Estimator, list []Arrival, n int64) int64 {
	at := time.Duration(n) * 3 * ms
	for i := range list {
		e.Sent(Packet{Number: n, Size: 1200, Sent: start.Add(at)})
		list[i] = Arrival{Number: n, At: skew + at + 20*ms, Received: n%100 != 0}
		at += 3 * ms
		n++
	}
	e.Report(start.Add(at+20*ms), list)
	e.Tick(start.Add(at + 20*ms))
	return n
}

func TestAllocations(t *testing.T) {
	e, list, n := New(Config{}), make([]Arrival, 30), int64(0)
	if a := testing.AllocsPerRun(1000, func() { n = tenth(e, list, n) }); a > 0 {
		t.Errorf("%.1f allocations for 30 packets", a)
	}
}

// BenchmarkPacket is the cost of one packet, its part of the report included.
func BenchmarkPacket(b *testing.B) {
	e, list, n := New(Config{}), make([]Arrival, 30), int64(0)
	b.ReportAllocs()
	for n < int64(b.N) {
		n = tenth(e, list, n)
	}
}
