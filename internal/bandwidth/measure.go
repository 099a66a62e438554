package bandwidth

import "time"

const (
	binLength = 25 * time.Millisecond
	bins      = 64 // 1.6 s
)

// meter measures a rate over the time up to the newest byte.
type meter struct {
	bytes  [bins]int
	newest time.Duration
	begun  time.Duration // the first byte since reset
	any    bool
}

func (m *meter) reset() { *m = meter{} }

func (m *meter) add(at time.Duration, size int) {
	if gap := at - m.newest; !m.any || gap > otherClock || gap < -otherClock {
		*m = meter{any: true, begun: at, newest: at}
	}
	bin, last := at/binLength, m.newest/binLength
	if bin <= last-bins {
		return // older than what is kept
	}
	for b := last + 1; b <= min(bin, last+bins); b++ {
		m.bytes[b%bins] = 0
	}
	m.newest = max(m.newest, at)
	m.bytes[bin%bins] += size
}

// rate returns bits per second over the last window, or 0 if it is not full yet.
func (m *meter) rate(window time.Duration) float64 {
	if !m.any || m.newest-m.begun < window/2 {
		return 0
	}
	last := m.newest / binLength
	first := max(last-window/binLength+1, m.begun/binLength)
	sum := 0
	for b := first; b <= last; b++ {
		sum += m.bytes[b%bins]
	}
	span := m.newest - max(first*binLength, m.begun)
	return float64(sum) * 8 / max(span, binLength).Seconds()
}
