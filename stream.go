package noom

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/signal"
)

// Kinds of frames on the data channel (PROTOCOL.md section 4.5).
const (
	dataMessage = 1
	dataTaken   = 2
	dataAsked   = 3 // has all up to the number arrived? a member that leaves wants to know
	dataArrived = 4 // the answer
)

// maxUnackedMessages bounds how many messages, however small, may wait for
// the application at the other end.
const maxUnackedMessages = 4096

// What may wait in the data channel, above what credit lets an honest peer
// leave there: one that takes what it has not received, or whose SCTP lets
// nothing in, would have more and more wait.
const (
	maxDataRoom = 2 * signal.MaxUnacked // bytes
	takenBatch  = 64                    // acknowledgements; at most two batches wait
)

var errCredit = errors.New("peer sent more data than it had credit for, or left a gap")

// outStream is what one peer has still to take: messages are kept until the
// other application has taken them, so that a rebuilt connection can send
// them again. Sending waits while too much is kept.
type outStream struct {
	mu      sync.Mutex
	base    uint32   // number of the last message taken
	arrived uint32   // number of the last message that the peer says it has, if above base
	kept    [][]byte // encoded, the first is number base+1
	bytes   int      // payload bytes in kept
	waiting []chan struct{}
	closed  bool
	sealed  bool // we leave: nothing new is kept, what is kept goes on
}

// offer keeps data if there is credit. Otherwise it returns a channel that is
// closed when it may be worth another try.
func (s *outStream) offer(data []byte) (wait <-chan struct{}, err error) {
	if err := checkData(data); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.keep(data); !errors.Is(err, ErrWouldBlock) {
		return nil, err
	}
	c := make(chan struct{})
	s.waiting = append(s.waiting, c)
	return c, nil
}

// try keeps data if there is credit, else it returns ErrWouldBlock.
func (s *outStream) try(data []byte) error {
	if err := checkData(data); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keep(data)
}

// checkData says what is wrong with a message before anybody is asked to take it.
func checkData(data []byte) error {
	if len(data) > signal.MaxData {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooBig, len(data), signal.MaxData)
	}
	return nil
}

// keep needs s.mu.
func (s *outStream) keep(data []byte) error {
	if s.closed || s.sealed {
		return ErrClosed
	}
	if s.bytes+len(data) > signal.MaxUnacked || len(s.kept) >= maxUnackedMessages {
		return ErrWouldBlock
	}
	frame := make([]byte, 5, 5+len(data))
	frame[0] = dataMessage
	binary.BigEndian.PutUint32(frame[1:], s.base+uint32(len(s.kept))+1)
	s.kept = append(s.kept, append(frame, data...))
	s.bytes += len(data)
	return nil
}

// send keeps data, waiting for credit until ctx ends.
func (s *outStream) send(ctx context.Context, data []byte) error {
	for {
		wait, err := s.offer(data)
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

// after returns the encoded messages above number n.
func (s *outStream) after(n uint32) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	skip := max(0, int(int32(n-s.base)))
	if skip >= len(s.kept) {
		return nil
	}
	return append([][]byte(nil), s.kept[skip:]...)
}

// taken forgets all up to number n. It reports false for a number never sent.
func (s *outStream) taken(n uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := int(int32(n - s.base))
	if count > len(s.kept) {
		return false
	}
	if count <= 0 {
		return true
	}
	for _, frame := range s.kept[:count] {
		s.bytes -= len(frame) - 5
	}
	s.kept = append([][]byte(nil), s.kept[count:]...)
	s.base = n
	if int32(n-s.arrived) > 0 {
		s.arrived = n
	}
	s.wake()
	return true
}

func (s *outStream) wake() {
	for _, c := range s.waiting {
		close(c)
	}
	s.waiting = nil
}

// seal makes sends fail from now on, and those that wait. What was kept goes on.
func (s *outStream) seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
	s.wake()
}

// last returns the number of the last message kept.
func (s *outStream) last() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base + uint32(len(s.kept))
}

// hasArrived notes that the peer has all up to number n, whether its application
// has taken them or not. It reports false for a number never sent.
func (s *outStream) hasArrived(n uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int(int32(n-s.base)) > len(s.kept) {
		return false
	}
	if int32(n-s.arrived) > 0 {
		s.arrived = n
	}
	return true
}

// missing counts the messages of which it is not known that they have arrived.
func (s *outStream) missing() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kept) - max(0, int(int32(s.arrived-s.base)))
}

// setClosed makes sends fail, or work again.
func (s *outStream) setClosed(closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = closed
	s.wake()
}

// inStream is what came from one peer and its application has not taken. The
// link's loop owns it.
type inStream struct {
	received uint32
	taken    uint32
	bytes    int // of what is not taken
}

// receive takes one message. fresh is false for one that was received before.
func (s *inStream) receive(n uint32, size int) (fresh bool, err error) {
	switch {
	case int32(n-s.received) <= 0:
		return false, nil
	case n != s.received+1,
		s.bytes+size > signal.MaxUnacked,
		s.received-s.taken >= maxUnackedMessages:
		return false, errCredit
	}
	s.received = n
	s.bytes += size
	return true, nil
}

func (s *inStream) take(n uint32, size int) {
	s.taken = n
	s.bytes -= size
}

// number returns the number in a frame of the data channel.
func number(frame []byte) uint32 { return binary.BigEndian.Uint32(frame[1:5]) }

func takenFrame(n uint32) []byte { return numberFrame(dataTaken, n) }

func numberFrame(kind byte, n uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, n)
}

// start returns the number of the last message taken: the next connection
// sends again what comes after it.
func (s *outStream) start() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// parseData splits a frame of the data channel.
func parseData(m webrtc.DataChannelMessage) (kind byte, n uint32, payload []byte, ok bool) {
	if m.IsString || len(m.Data) < 5 || len(m.Data) > 5+signal.MaxData {
		return 0, 0, nil, false
	}
	return m.Data[0], number(m.Data), m.Data[5:], true
}

// dataFrame takes a frame of the data channel.
func (l *link) dataFrame(m webrtc.DataChannelMessage) {
	kind, n, payload, ok := parseData(m)
	switch {
	case !ok:
		l.fail(fault.Rules)
	case kind == dataTaken:
		before := l.out.start()
		if !l.out.taken(n) {
			l.fail(errCredit)
		} else if l.out.start() == before {
			l.repeated()
		}
	case kind == dataAsked:
		l.arrivedDue = int32(l.in.received-n) >= 0
	case kind == dataArrived:
		if !l.out.hasArrived(n) {
			l.fail(errCredit)
		}
	case kind == dataMessage:
		fresh, err := l.in.receive(n, len(payload))
		if err != nil {
			l.fail(err)
			return
		}
		if !fresh {
			l.takenDue = true
			l.repeated()
			return
		}
		l.room.events.addTaken(DataReceived{Peer: l, Data: payload}, func() {
			l.mail.Post(func() { l.in.take(n, len(payload)); l.takenDue = true })
		})
	}
}

// repeated counts data that says nothing new: after a rebuild, what was not
// acknowledged comes again.
func (l *link) repeated() {
	if !l.conduct.repeats.AllowN(time.Now(), 1) {
		l.flooded(l.conn, errData)
	}
}

// pace holds acknowledgements back while those before them wait to be sent.
// A later one says all that an earlier one does.
type pace struct {
	batch int   // of the latest batch, so many were given to the channel
	begun int64 // the channel had been given so many bytes with the first of them
}

// step reports whether another one may go to a channel that was given so many
// bytes and has sent so many of them.
func (p *pace) step(given, sent int64) bool {
	if p.batch == takenBatch && sent >= p.begun {
		p.batch = 0
	}
	if p.batch == takenBatch {
		return false
	}
	if p.batch == 0 {
		p.begun = given + int64(len(takenFrame(0)))
	}
	p.batch++
	return true
}

// sendData sends what is due. It is called again whenever the channel has
// sent all that it was given.
func (l *link) sendData() {
	c := l.live()
	if !c.dataOpen {
		return
	}
	mayAnswer := func() bool { return c.answers.step(c.given, c.given-int64(c.data.BufferedAmount())) }
	if l.takenDue && mayAnswer() {
		l.takenDue = false
		_ = c.give(takenFrame(l.in.taken)) // a failure shows as OnClose
	}
	if l.arrivedDue && mayAnswer() {
		l.arrivedDue = false
		_ = c.give(numberFrame(dataArrived, l.in.received)) // likewise
	}
	room := func() bool { return c.data.BufferedAmount() < maxDataRoom }
	for _, frame := range l.out.after(c.written) {
		if !room() || c.give(frame) != nil {
			return
		}
		c.written = number(frame)
	}
	if len(l.deliveries) > 0 && !c.asked && l.out.missing() > 0 && room() {
		c.asked = c.give(numberFrame(dataAsked, l.out.last())) == nil
	}
}

// give hands a frame to the data channel.
func (c *conn) give(frame []byte) error {
	c.given += int64(len(frame))
	return c.data.Send(frame)
}
