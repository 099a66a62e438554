package noomtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"

	"noom"
)

// Sink reads a track and counts what is wrong with it. The track must come from a [Source]; those
// that come one after the other, as after ReplaceTrack, are distinguished.
type Sink struct {
	mu      sync.Mutex
	report  SinkReport
	serial  uint32
	next    uint32
	missing map[uint32]bool // numbers of this source
	last    time.Time
	changed chan struct{} // closed at the next frame
}

// SinkReport is what a [Sink] has seen.
type SinkReport struct {
	Frames  int           // that arrived
	Missing int           // between the first and the last of each source
	Late    int           // that came after one with a higher number, as those do that were lost and sent again
	Twice   int           // that had come before
	Foreign int           // that no Source has made
	Sources int           // how many were seen, one after the other
	Freeze  time.Duration // longest time without a frame since the first; Reset after a mute
	Ended   bool          // the track is over

	delays []time.Duration
}

// Delay returns for how long at most the share of frames, 0 to 1, took from the source to here: the
// 95th percentile for 0.95, the longest for 1.
func (r SinkReport) Delay(share float64) time.Duration { return quantile(r.delays, share) }

// Sink begins to read a track, until it ends. It must be the only reader.
func (w *World) Sink(track noom.RemoteTrack) *Sink {
	w.t.Helper()
	w.alive("Sink")
	s := &Sink{changed: make(chan struct{})}
	go s.read(track)
	return s
}

// Report returns what was seen so far.
func (s *Sink) Report() SinkReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.delays = slices.Clone(r.delays)
	if s.report.Frames > 0 && !r.Ended {
		r.Freeze = max(r.Freeze, time.Since(s.last)) // may be going on
	}
	return r
}

// Check returns an error that says what is wrong, nil if nothing is: if no
// frame came, if more than missing of them are lost, if one came twice, or if the
// picture froze for longer than freeze.
func (s *Sink) Check(missing int, freeze time.Duration) error {
	r := s.Report()
	var wrong []string
	say := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	say(r.Frames == 0, "no frame has arrived")
	say(r.Missing > missing, "%d frames of %d are missing, at most %d may", r.Missing, r.Frames+r.Missing, missing)
	say(r.Twice > 0, "%d frames came twice", r.Twice)
	say(r.Foreign > 0, "%d packets are not of a noomtest.Source", r.Foreign)
	say(r.Freeze > freeze, "it froze for %v, at most %v is allowed", r.Freeze, freeze)
	if wrong == nil {
		return nil
	}
	return errors.New("noomtest: sink: " + strings.Join(wrong, "; "))
}

// Reset forgets what was seen, so that what comes next can be judged alone.
func (s *Sink) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report = SinkReport{Ended: s.report.Ended}
	s.serial = 0
}

// Wait waits until n further frames have arrived, for at most a virtual
// minute, and reports whether they did.
func (s *Sink) Wait(n int) bool {
	timeout := time.After(time.Minute)
	s.mu.Lock()
	target := s.report.Frames + n
	for s.report.Frames < target && !s.report.Ended {
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-timeout:
			return false
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	return s.report.Frames >= target
}

func (s *Sink) read(track noom.RemoteTrack) {
	for {
		packet, err := track.ReadRTP()
		s.mu.Lock()
		if err != nil {
			s.report.Ended = true
		} else {
			s.take(packet)
		}
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// String returns the figures that a test looks at first.
func (r SinkReport) String() string {
	return fmt.Sprintf("%d frames, %d missing, %d late, %d twice, %d foreign, of %d sources, longest freeze %v, delay %v, p95 %v, max %v",
		r.Frames, r.Missing, r.Late, r.Twice, r.Foreign, r.Sources, r.Freeze.Round(time.Millisecond), r.Delay(0.5).Round(time.Millisecond),
		r.Delay(0.95).Round(time.Millisecond), r.Delay(1).Round(time.Millisecond))
}

// take judges one packet. It needs s.mu.
func (s *Sink) take(packet *rtp.Packet) {
	name, made, ok := parseFrame(packet.Payload)
	if !ok {
		s.report.Foreign++
		return
	}
	serial, number := name.serial, name.number
	now := time.Now()
	s.report.delays = append(s.report.delays, now.Sub(made))
	if s.report.Frames > 0 {
		s.report.Freeze = max(s.report.Freeze, now.Sub(s.last))
	}
	s.report.Frames++
	s.last = now
	switch {
	case serial != s.serial:
		s.serial, s.missing = serial, make(map[uint32]bool)
		s.report.Sources++
	case number < s.next:
		if s.missing[number] {
			delete(s.missing, number)
			s.report.Missing--
			s.report.Late++
		} else {
			s.report.Twice++
		}
		return
	default:
		for n := s.next; n != number; n++ {
			s.missing[n] = true
			s.report.Missing++
		}
	}
	s.next = number + 1
}
