package noomtest

import (
	"fmt"
	"slices"
	"time"
)

// Meter counts what goes over a link of a host, from when it was made: the packets of rooms and
// relays, STUN and RTCP included. Flows of [World.UploadTCP] and [World.DownloadTCP] are not in it,
// except that the others wait for them. There may be several of one link.
type Meter struct {
	net     *network
	traffic Traffic // guarded by net.mu
	since   time.Time
}

// Traffic is what a [Meter] has counted.
type Traffic struct {
	Time      time.Duration // for which it counted
	Sent      int           // packets that came to the link
	Delivered int           // that came through it
	Full      int           // that its queue had no room for
	Lost      int           // that it lost after they were sent
	Bytes     int           // of those delivered, 28 bytes of header included in each

	waits []time.Duration // of those delivered and lost
}

// MeterUpload begins to count what a host sends over its link.
func (w *World) MeterUpload(host string) *Meter {
	w.t.Helper()
	return w.meter("MeterUpload", way{host, up})
}

// MeterDownload begins to count what a host receives over its link.
func (w *World) MeterDownload(host string) *Meter {
	w.t.Helper()
	return w.meter("MeterDownload", way{host, down})
}

func (w *World) meter(what string, of way) *Meter {
	w.t.Helper()
	w.place(what, of.host)
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	m := &Meter{net: w.net, since: time.Now()}
	g := w.net.makeGate(of)
	g.meters = append(g.meters, m)
	return m
}

// Report returns what was counted since the meter was made or Reset.
func (m *Meter) Report() Traffic {
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	t := m.traffic
	t.Time = time.Since(m.since)
	t.waits = slices.Clone(t.waits)
	return t
}

// Reset forgets what was counted, so that what comes next can be judged alone. It returns what Report
// would have.
func (m *Meter) Reset() Traffic {
	t := m.Report()
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	m.traffic, m.since = Traffic{}, time.Now()
	return t
}

// Bitrate returns what was delivered, in bits a second.
func (t Traffic) Bitrate() int {
	if t.Time <= 0 {
		return 0
	}
	return int(float64(t.Bytes) * 8 / t.Time.Seconds())
}

// Loss returns the share of packets, 0 to 1, that were dropped by the queue or got lost.
func (t Traffic) Loss() float64 {
	if t.Sent == 0 {
		return 0
	}
	return float64(t.Full+t.Lost) / float64(t.Sent)
}

// QueueDelay returns for how long at most the share of packets, 0 to 1, waited in the queue until
// they were sent: the 95th percentile for 0.95, the longest wait for 1. Those that were dropped do
// not count.
func (t Traffic) QueueDelay(share float64) time.Duration { return quantile(t.waits, share) }

// quantile returns the least of list that is not below the share of it, 0 if it is empty.
func quantile(list []time.Duration, share float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(max(int(share*float64(len(sorted))), 0), len(sorted)-1)]
}

// String returns the figures that a test looks at first.
func (t Traffic) String() string {
	return fmt.Sprintf("%d kbit/s, %.1f %% lost (%d full, %d lost of %d), waits %v, p95 %v, max %v", t.Bitrate()/1000,
		100*t.Loss(), t.Full, t.Lost, t.Sent, t.QueueDelay(0.5).Round(time.Millisecond),
		t.QueueDelay(0.95).Round(time.Millisecond), t.QueueDelay(1).Round(time.Millisecond))
}

// note counts a packet at a gate.
func (g *gate) note(p *packet, count func(*Traffic)) {
	if p.cross {
		return
	}
	for _, m := range g.meters {
		count(&m.traffic)
	}
}
