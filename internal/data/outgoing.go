package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"noom/internal/fault"
	"noom/internal/fifo"
	"noom/signal"
)

// MaxUnacked bounds how many messages, however small, may wait for the application at the
// other end.
const MaxUnacked = 4096

// outgoingMessages keeps messages until the other application has taken them, so that a
// rebuilt connection can send them again. Sending waits while too much is kept.
type outgoingMessages struct {
	mu      sync.Mutex
	base    uint32             // number of the last message taken
	arrived uint32             // number of the last message that the peer says it has, if above base
	kept    fifo.Queue[[]byte] // encoded; the first has number base+1
	bytes   int                // payload bytes in kept
	topics  map[uint32]string  // of those kept that have one, by number
	waiting []chan struct{}
	closed  bool
	sealed  bool // we leave: nothing new is kept, and what is kept is still sent
}

// offer keeps data if there is credit. If not, it returns a channel that is closed
// when it is worth trying again.
func (s *outgoingMessages) offer(topic string, data []byte) (wait <-chan struct{}, err error) {
	if err := CheckSize(data); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.keep(topic, data); !errors.Is(err, fault.WouldBlock) {
		return nil, err
	}
	c := make(chan struct{})
	s.waiting = append(s.waiting, c)
	return c, nil
}

// try keeps data if there is credit, or returns fault.WouldBlock.
func (s *outgoingMessages) try(topic string, data []byte) error {
	if err := CheckSize(data); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keep(topic, data)
}

// CheckSize returns an error if a message is too big to be sent.
func CheckSize(data []byte) error {
	if len(data) > signal.MaxData {
		return fmt.Errorf("%w: %d bytes, at most %d", fault.TooBig, len(data), signal.MaxData)
	}
	return nil
}

// keep needs s.mu. Topics cost no credit: they are short, and there are no more of them than messages.
func (s *outgoingMessages) keep(topic string, data []byte) error {
	if s.closed || s.sealed {
		return fault.Closed
	}
	if s.bytes+len(data) > signal.MaxUnacked || s.kept.Len() >= MaxUnacked {
		return fault.WouldBlock
	}
	s.append(kindMessage, data)
	if topic != "" {
		if s.topics == nil {
			s.topics = make(map[uint32]string)
		}
		s.topics[s.base+uint32(s.kept.Len())] = topic
	}
	return nil
}

// append needs s.mu.
func (s *outgoingMessages) append(kind byte, data []byte) {
	frame := make([]byte, frameHead, frameHead+len(data))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], s.base+uint32(s.kept.Len())+1)
	s.kept.Push(append(frame, data...))
	s.bytes += len(data)
}

// room reports whether fewer bytes than most are kept, and not too many messages.
func (s *outgoingMessages) room(most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes < most && s.kept.Len() < MaxUnacked
}

// put keeps data for which there is room.
func (s *outgoingMessages) put(kind byte, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(kind, data)
}

// forget drops everything, because the peer takes nothing.
func (s *outgoingMessages) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.bytes, s.topics = fifo.Queue[[]byte]{}, 0, nil
}

// send waits for credit until ctx ends, and keeps data.
func (s *outgoingMessages) send(ctx context.Context, topic string, data []byte) error {
	for {
		wait, err := s.offer(topic, data)
		if wait == nil {
			return err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next returns the first encoded message with a number above n, and its topic; nil: there is none.
func (s *outgoingMessages) next(n uint32) (frame []byte, topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	skip := max(0, int(int32(n-s.base)))
	if skip >= s.kept.Len() {
		return nil, ""
	}
	return s.kept.All()[skip], s.topics[s.base+uint32(skip)+1]
}

// taken forgets the messages up to number n. ok is false if n was never sent; news is
// false if n was taken before.
func (s *outgoingMessages) taken(n uint32) (news, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := int(int32(n - s.base))
	if count > s.kept.Len() {
		return false, false
	}
	if count <= 0 {
		return false, true
	}
	for i, frame := range s.kept.All()[:count] {
		s.bytes -= len(frame) - frameHead
		delete(s.topics, s.base+uint32(i)+1)
	}
	s.kept.Drop(count)
	s.base = n
	if int32(n-s.arrived) > 0 {
		s.arrived = n
	}
	s.wake()
	return true, true
}

// wake needs s.mu.
func (s *outgoingMessages) wake() {
	for _, c := range s.waiting {
		close(c)
	}
	s.waiting = nil
}

// seal makes sends fail from now on, waiting ones included. What was kept is still sent.
func (s *outgoingMessages) seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
	s.wake()
}

// start returns the number of the last message taken. The next connection sends
// again what comes after it.
func (s *outgoingMessages) start() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// last returns the number of the last message kept.
func (s *outgoingMessages) last() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base + uint32(s.kept.Len())
}

// hasArrived notes that the peer has received everything up to number n, whether or
// not its application has taken it. It reports false if n was never sent.
func (s *outgoingMessages) hasArrived(n uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int(int32(n-s.base)) > s.kept.Len() {
		return false
	}
	if int32(n-s.arrived) > 0 {
		s.arrived = n
	}
	return true
}

// missing counts the messages that are not known to have arrived.
func (s *outgoingMessages) missing() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.Len() - max(0, int(int32(s.arrived-s.base)))
}

// setClosed makes sends fail, or work again.
func (s *outgoingMessages) setClosed(closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = closed
	s.wake()
}
