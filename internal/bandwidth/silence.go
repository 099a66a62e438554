package bandwidth

import "time"

const (
	silent       = 700 * time.Millisecond // of transport-wide reports
	silentCoarse = 7 * time.Second        // of receiver reports: they come every 5 s, sometimes every 6.2 s (RFC 3550, section 6.2)
	halving      = 500 * time.Millisecond
)

// silence halves the target while nobody reports on what was sent.
type silence struct {
	since  time.Duration // when the first packet was sent that no report followed; 0: none
	halved time.Duration // when the target was last halved
	on     bool
	often  bool          // the peer's last report was a transport-wide one; there may have been none
	before float64       // target
	sentBy time.Duration // what was sent until then counts for no loss: the path was gone
}

func (s *silence) sent(at time.Duration) {
	if s.since == 0 {
		s.since = at
	}
}

// heard notes that the peer reports; often says that it does so several times a second.
func (s *silence) heard(e *Estimator, often bool) {
	s.since, s.often = 0, often
	if s.on {
		s.on = false
		s.sentBy = e.now
		e.control.goal = 0.7 * s.before
		e.drain.on = false
		e.control.hold = 0
	}
}

func (s *silence) tick(e *Estimator, now time.Duration) {
	limit := silentCoarse
	if s.often {
		limit = silent
	}
	if s.since == 0 || now-s.since < limit+2*e.trip || now-s.halved < halving {
		return
	}
	if !s.on {
		s.on, s.before = true, e.control.target
	}
	s.halved = now
	e.setTarget(e.control.target / 2)
}
