package fanout

import (
	"slices"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// A source is asked for a key frame at most once in keyframeInterval. While a leg waits
// and no key frame comes, it is asked again, after pauses that double up to
// maxKeyframePause.
const (
	keyframeInterval = 500 * time.Millisecond
	maxKeyframePause = 4 * time.Second
)

// requestKeyframe asks the current source of an encoding of a line for a key frame, and the
// next one if there is one. from nil stands for the sender's line. It may be called at any
// rate.
func (s *Sender) requestKeyframe(from *line, encoding int) {
	s.mu.Lock()
	if from == nil {
		from = s.line
	}
	f := from.feeds[min(max(encoding, 0), from.count-1)]
	current, next, idle := f.current, f.next, s.muted || s.kind != webrtc.RTPCodecTypeVideo
	s.mu.Unlock()
	if idle {
		return
	}
	for _, src := range []*source{current, next} {
		if src != nil {
			src.requestKeyframe()
		}
	}
}

// waitsFor reports whether a key frame is needed from src: because src takes over with
// it, or because a leg sends nothing without it.
func (s *Sender) waitsFor(src *source) bool {
	s.mu.Lock()
	f := src.feed
	next := f.next == src
	idle, silent, legs, last := f.current != src || s.muted, f.run == nil, s.legs, f.line.count-1
	s.mu.Unlock()
	if next || idle {
		return next
	}
	return slices.ContainsFunc(legs, func(l *Leg) bool { return l.waitsFor(f, last, silent) })
}

// requestKeyframe asks the track for a key frame: at once, or at the end of
// keyframeInterval if it was asked within that time.
func (s *source) requestKeyframe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted, s.pause = true, keyframeInterval
	select {
	case <-s.done:
		return
	default:
	}
	if wait := keyframeInterval - time.Since(s.asked); wait > 0 {
		s.lookAgain(wait)
		return
	}
	s.request()
}

// request needs s.mu.
func (s *source) request() {
	s.asked, s.wanted = time.Now(), false
	select {
	case s.requests <- struct{}{}:
	default: // the track has not read the last one yet
	}
	s.lookAgain(s.pause)
	s.pause = min(2*s.pause, maxKeyframePause)
}

// lookAgain makes the timer fire after wait, unless it fires earlier already. It needs s.mu.
func (s *source) lookAgain(wait time.Duration) {
	due := time.Now().Add(wait)
	if s.again != nil {
		if !s.due.After(due) {
			return
		}
		s.again.Stop()
	}
	s.looks++
	look := s.looks
	s.due, s.again = due, time.AfterFunc(wait, func() { s.repeat(look) })
}

// repeat asks the track again if a key frame was wanted since the last request, or is
// still needed: the track may have ignored the request, or the leg that waits was not
// ready when the key frame came.
func (s *source) repeat(look int) {
	s.mu.Lock()
	if s.again == nil || s.looks != look {
		s.mu.Unlock()
		return
	}
	s.again = nil
	wanted := s.wanted
	s.mu.Unlock()
	if !wanted && !s.sender.waitsFor(s) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
	default:
		if s.again != nil {
			return // another goroutine was faster
		}
		if wait := keyframeInterval - time.Since(s.asked); wait > 0 { // asked as the timer fired
			s.lookAgain(wait)
			return
		}
		s.request()
	}
}

// keyframeSent notes that a key frame has begun. It serves all earlier requests.
func (s *source) keyframeSent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted, s.pause = false, keyframeInterval
}

// ReadRTCP waits for one packet of the peer's RTCP, which it reads into buf. It turns PLI and FIR into key-frame requests, and
// takes reports.
func (l *Leg) ReadRTCP(rs *webrtc.RTPSender, buf []byte) error {
	n, _, err := rs.Read(buf)
	if err != nil {
		return err
	}
	packets, _ := rtcp.Unmarshal(buf[:n]) // none if it is no RTCP: the network may bring anything
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			l.requestKeyframe()
		case *rtcp.ReceiverReport:
			l.takeReports(p.Reports, time.Now())
		case *rtcp.SenderReport:
			l.takeReports(p.Reports, time.Now())
		}
	}
	return nil
}

// requestKeyframe asks the chosen encoding for a key frame on behalf of the peer. It is
// charged to the peer's budget, and waits if that is used up. A request while a key frame is
// on its way costs nothing.
func (l *Leg) requestKeyframe() {
	l.mu.Lock()
	s, from, encoding := l.sender, l.line, l.want
	if s == nil || !l.open || !l.video || encoding == Paused {
		l.mu.Unlock()
		return
	}
	if l.above && !l.turning {
		l.missed = true
		l.mu.Unlock()
		return
	}
	if !l.pending {
		if wait := l.budget.take(s.name, time.Now()); wait > 0 {
			if l.late == nil {
				l.late = time.AfterFunc(wait, l.requestLate)
			}
			l.mu.Unlock()
			return
		}
		l.pending = true
	}
	l.mu.Unlock()
	s.requestKeyframe(from, encoding)
}

// requestLate makes the request that had to wait, unless a key frame has come in between.
func (l *Leg) requestLate() {
	l.mu.Lock()
	wanted := l.late != nil
	l.late = nil
	l.mu.Unlock()
	if wanted {
		l.requestKeyframe()
	}
}

// served notes that a key frame has begun, so that none is wanted any longer. It needs l.mu.
func (l *Leg) served() {
	l.pending, l.missed, l.turning = false, false, false
	if l.late != nil {
		l.late.Stop()
		l.late = nil
	}
}

// waitsFor reports whether the leg needs a key frame of f to send what is chosen. last is the
// last encoding that there is. silent says that f itself sends nothing without one.
func (l *Leg) waitsFor(f *feed, last int, silent bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sender == f.sender && l.line == f.line && l.open && min(l.want, last) == f.index &&
		(silent || l.pending && (l.run == nil || l.run.feed != f))
}
