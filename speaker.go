package noom

import (
	"sync/atomic"
	"time"

	"noom/internal/mailbox"
	"noom/internal/speaker"
)

// speech finds out which peer speaks. The room's loop calls its methods; wake may be called from anywhere.
type speech struct {
	mail     *mailbox.Mailbox // the room's
	roster   *roster
	events   *eventQueue
	awake    atomic.Bool // listen is posted or scheduled
	detector speaker.Detector
}

// wake makes the room's loop find out which peer speaks. It is called from anywhere, for each packet that is loud
// enough, and mostly does nothing.
func (s *speech) wake() {
	if !s.awake.Load() && s.awake.CompareAndSwap(false, true) {
		s.mail.Post(s.listen)
	}
}

// listen takes the peak level of every peer since its last call, and schedules itself again as long as there is
// something to decide.
func (s *speech) listen() {
	var levels []speaker.Level
	for _, l := range s.roster.order {
		if dBov, ok := l.link.Tracks.TakePeak(); ok {
			levels = append(levels, speaker.Level{ID: l.member.ID, DBov: dBov})
		}
	}
	if s.detector.Step(time.Now(), levels) {
		s.report()
	}
	if s.detector.Idle() {
		s.awake.Store(false)
		return
	}
	time.AfterFunc(speaker.Period, func() { s.mail.Post(s.listen) })
}

// forget forgets a peer that has left the roster.
func (s *speech) forget(l *peer) {
	if s.detector.Remove(l.member.ID) {
		s.report()
	}
}

func (s *speech) report() {
	if l := s.roster.links[s.detector.Active()]; l != nil {
		s.events.add(ActiveSpeaker{Peer: l})
		return
	}
	s.events.add(ActiveSpeaker{})
}
