// Package quality judges how good a connection is, once a second. It is a pure machine: what was measured is passed in.
//
// Each second by itself is as good as the worst of what was measured. Loss and stalls are means over the last Window
// seconds, so that one lost packet does not count as loss, and a freeze is remembered for a moment:
//
//	       loss    round trip  queue     stalled
//	fair   ≥ 4 %   ≥ 400 ms    ≥ 150 ms  ≥ 10 % of the time
//	poor   ≥ 12 %  ≥ 800 ms    ≥ 400 ms  ≥ 30 % of the time
//
// Loss counts packets that the network has lost in either direction, queue is the delay of our own packets before a
// narrow place, and stalled is time in which pictures stood still or sound was missing.
//
// What is reported follows with hysteresis:
//
//   - It becomes worse after Worsen seconds in a row that are worse: as bad as the best of them.
//   - It becomes better after Improve seconds in a row that are better: as good as the worst of them.
//   - It is lost at once when the connection is interrupted, and stays so until the next second that is measured.
//
// noom.js has the same machine; testdata/scenes.json tests both.
package quality

import "time"

// Quality is how good a connection is. The higher, the worse.
type Quality int

// The qualities. The zero value is that of a connection of which nothing bad is known.
const (
	Good Quality = iota
	Fair
	Poor
	Lost // nothing arrives
)

// String returns the quality in lower case.
func (q Quality) String() string {
	switch q {
	case Good:
		return "good"
	case Fair:
		return "fair"
	case Poor:
		return "poor"
	case Lost:
		return "lost"
	}
	return "unknown"
}

// Period is how often to call Step while the connection is up. A step that comes late counts as one.
const Period = time.Second

// How many steps the rules above speak of.
const (
	Window  = 3
	Worsen  = 2
	Improve = 5
)

// Sample is what was measured since the last Step.
type Sample struct {
	Loss      float64       // share of the packets, from 0 to 1, of the direction that lost more
	RoundTrip time.Duration // 0: not known
	Queue     time.Duration // how long packets of ours wait on the way; 0: not known
	Stalled   time.Duration // how long pictures stood still or sound was missing
}

// limits are from where on a second is bad.
type limits struct {
	loss             float64
	roundTrip, queue time.Duration
	stalled          float64 // share of the time
}

var (
	fair = limits{loss: 0.04, roundTrip: 400 * time.Millisecond, queue: 150 * time.Millisecond, stalled: 0.10}
	poor = limits{loss: 0.12, roundTrip: 800 * time.Millisecond, queue: 400 * time.Millisecond, stalled: 0.30}
)

// Machine is the machine. The zero Machine is ready, and good.
type Machine struct {
	quality Quality
	latest  [Window]stretch

	// A run of seconds that are all worse, or all better, than quality.
	run   int
	worse bool
	mild  Quality // of the run, the one that is nearest to quality
}

// stretch is what one step says about loss and stalls.
type stretch struct{ loss, stalled float64 }

// Quality returns the quality as it is reported.
func (m *Machine) Quality() Quality { return m.quality }

// Interrupt reports that nothing arrives any longer. It reports whether the quality has changed.
func (m *Machine) Interrupt() (changed bool) {
	changed = m.quality != Lost
	*m = Machine{quality: Lost}
	return changed
}

// Step takes what was measured since the last Step and reports whether the quality has changed.
func (m *Machine) Step(s Sample) (changed bool) {
	copy(m.latest[1:], m.latest[:])
	m.latest[0] = stretch{s.Loss, float64(s.Stalled) / float64(Period)}
	before := m.quality
	m.follow(m.judge(s))
	return m.quality != before
}

// judge returns how good this second is by itself.
func (m *Machine) judge(s Sample) Quality {
	var mean stretch
	for _, l := range m.latest {
		mean.loss += l.loss / Window
		mean.stalled += l.stalled / Window
	}
	switch {
	case poor.reached(s, mean):
		return Poor
	case fair.reached(s, mean):
		return Fair
	}
	return Good
}

func (l limits) reached(s Sample, mean stretch) bool {
	return mean.loss >= l.loss || s.RoundTrip >= l.roundTrip || s.Queue >= l.queue || mean.stalled >= l.stalled
}

// follow moves the quality towards that of the last second.
func (m *Machine) follow(q Quality) {
	if m.quality == Lost {
		m.quality = q
		return
	}
	if q == m.quality {
		m.run = 0
		return
	}
	worse, patience := q > m.quality, Improve
	if worse {
		patience = Worsen
	}
	switch {
	case m.run == 0 || m.worse != worse:
		m.run, m.worse, m.mild = 0, worse, q
	case worse:
		m.mild = min(m.mild, q)
	default:
		m.mild = max(m.mild, q)
	}
	if m.run++; m.run >= patience {
		m.quality, m.run = m.mild, 0
	}
}
