package data

import (
	"sync"
	"time"

	"noom/signal"
)

// What our application has taken is acknowledged at once, unless that was so a moment ago: then within AckPause, or as soon
// as a part of the credit comes back by it.
const (
	AckPause    = 100 * time.Millisecond
	ackBytes    = signal.MaxUnacked / 16
	ackMessages = MaxUnacked / 16
)

// incomingMessages counts what arrived from the peer and what our application has taken of it.
type incomingMessages struct {
	mu       sync.Mutex
	received uint32 // number of the last message
	taken    uint32
	bytes    int    // received and not taken
	told     uint32 // number of the last message that we have acknowledged
	untold   int    // bytes taken and not acknowledged
	due      bool   // the peer is owed an acknowledgement
	pausing  bool   // one was sent a moment ago
}

// receive takes one message. fresh is false for one that was received before.
func (s *incomingMessages) receive(n uint32, size int) (fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case int32(n-s.received) <= 0:
		s.due = true
		return false, nil
	case n != s.received+1,
		s.bytes+size > signal.MaxUnacked,
		s.received-s.taken >= MaxUnacked:
		return false, ErrCredit
	}
	s.received = n
	s.bytes += size
	return true, nil
}

// last returns the number of the last message.
func (s *incomingMessages) last() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received
}

// take notes that message n is taken, and with it all before. It reports whether an acknowledgement is due.
func (s *incomingMessages) take(n uint32, size int) (due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int32(n-s.taken) > 0 {
		s.taken = n
	}
	s.bytes -= size
	s.untold += size
	s.due = s.due || !s.pausing || s.taken-s.told >= ackMessages || s.untold >= ackBytes
	return s.due
}

// remind makes the last acknowledgement due again.
func (s *incomingMessages) remind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = s.received > 0
}

// hurry makes an acknowledgement due if the peer does not know what was taken.
func (s *incomingMessages) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = s.due || s.taken != s.told
}

func (s *incomingMessages) pauseOver() {
	s.mu.Lock()
	s.pausing = false
	s.mu.Unlock()
	s.hurry()
}

func (s *incomingMessages) isPausing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pausing
}

func (s *incomingMessages) isDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.due
}

// tell returns the number to acknowledge, and begins a pause.
func (s *incomingMessages) tell() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told, s.untold, s.due, s.pausing = s.taken, 0, false, true
	return s.told
}
