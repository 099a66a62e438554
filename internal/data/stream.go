package data

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/signal"
)

// ErrCredit ends a connection whose peer exceeds its credit.
var ErrCredit = errors.New("peer sent more data than it had credit for, or left a gap")

// Stream carries messages to and from one peer, reliably and in order, over all
// connections to that peer. The zero value is a new stream.
type Stream struct {
	// They guard themselves.
	out       outgoingMessages
	in        incomingMessages
	Questions Questions

	aside asideFrames // guards itself too

	// Owned by the link's loop.
	arrivedDue bool            // the peer has asked whether its data has arrived, and it has
	deliveries []chan struct{} // each is closed when everything has arrived
	unseen     int             // channels that the peer opened and our application has not got yet
	topic      string          // of the peer's message with the number topicOf; no longer of use if that has come
	topicOf    uint32
	topical    bool // a topic has come since the last message
}

// These may be called from anywhere.

// Send waits for credit until ctx ends, and accepts data. topic is a name, or empty: none. Errors: fault.TooBig,
// fault.Closed, ctx's.
func (s *Stream) Send(ctx context.Context, topic string, data []byte) error {
	return s.out.send(ctx, topic, data)
}

// TrySend is like Send, but returns fault.WouldBlock instead of waiting.
func (s *Stream) TrySend(topic string, data []byte) error { return s.out.try(topic, data) }

// Offer is like TrySend, but instead of fault.WouldBlock it returns a channel that is
// closed when it is worth trying again.
func (s *Stream) Offer(topic string, data []byte) (full <-chan struct{}, err error) {
	return s.out.offer(topic, data)
}

// Seal makes sends and questions fail from now on, because we leave. What was accepted is still sent.
func (s *Stream) Seal() {
	s.out.seal()
	s.Questions.seal()
}

// Close makes sends and questions fail until Reopen, because the peer is gone.
func (s *Stream) Close() {
	s.out.setClosed(true)
	s.Questions.close()
	s.aside.reset(true)
}

// Missing counts the messages that are not known to have arrived.
func (s *Stream) Missing() int { return s.out.missing() }

// Taken notes that the application has taken a message, which gives the peer credit. It reports whether Write has to say so
// now.
func (s *Stream) Taken(m Message) (due bool) { return s.in.take(m.number, len(m.Payload)) }

// Only the link's loop may call these.

// Reopen makes sends work again because the peer is back.
func (s *Stream) Reopen() {
	s.unseen = 0
	s.out.setClosed(false)
	s.aside.reset(false)
	s.Questions.open()
}

// Rebuilt is called when there is a new connection. The last acknowledgement is sent
// again, because it may have been lost.
func (s *Stream) Rebuilt() { s.in.remind() }

// Message is what the peer has sent with one call of Send.
type Message struct {
	Payload   []byte // nil: there is no message
	Topic     string // of the message; empty: it has none
	Aside     []byte // a frame beside the messages, nil if it is none
	AsideKind AsideKind
	number    uint32
}

// Take takes a frame that has arrived by a lane and returns the message in it, if any.
// news is false for what arrived before: after a rebuild, the peer sends again what was
// not acknowledged. Errors: fault.Rules, ErrCredit.
func (s *Stream) Take(lane *Lane, m webrtc.DataChannelMessage) (message Message, news bool, err error) {
	lane.untaken.Add(-1)
	kind, n, payload, ok := parseFrame(m)
	if !ok {
		return Message{}, true, fault.Rules
	}
	switch kind {
	case kindTaken:
		if news, ok = s.out.taken(n); !ok {
			return Message{}, true, ErrCredit
		}
		return Message{}, news, nil
	case kindAsked:
		s.arrivedDue = int32(s.in.last()-n) >= 0
	case kindArrived:
		if !s.out.hasArrived(n) {
			return Message{}, true, ErrCredit
		}
		if lane.asked {
			s.aside.arrived()
		}
		if lane.probed && !s.Questions.known { // or it would have acknowledged the pieces before
			s.Questions.unsupported()
		}
	case kindPiece:
		s.Questions.known = true
		news, err = s.Questions.take(n, payload)
		return Message{}, news || err != nil, err
	case kindPieces:
		s.Questions.known = true
		if news, ok = s.Questions.out.taken(n); !ok {
			return Message{}, true, ErrCredit
		}
		return Message{}, news, nil
	case kindTopic:
		news, err = s.takeTopic(n, payload)
		return Message{}, news, err
	case kindMessage:
		s.topical = false
		fresh, err := s.in.receive(n, len(payload))
		if err != nil {
			return Message{}, true, err
		}
		if !fresh {
			return Message{}, false, nil
		}
		message = Message{Payload: payload, number: n}
		if s.topicOf == n {
			message.Topic = s.topic
		}
		return message, true, nil
	case byte(AsideState), byte(AsideChat):
		return Message{Aside: m.Data[1:], AsideKind: AsideKind(kind)}, true, nil
	}
	return Message{}, true, nil
}

// takeTopic takes the topic of message n. news is false for all but the first one since the last message.
func (s *Stream) takeTopic(n uint32, topic []byte) (news bool, err error) {
	if len(topic) == 0 || len(topic) > signal.MaxName || !utf8.Valid(topic) {
		return true, fault.Rules
	}
	news, s.topical = !s.topical, true
	if n == s.in.last()+1 { // or the message has been received before
		s.topicOf, s.topic = n, string(topic)
		if signal.CheckName(s.topic) != nil {
			s.topic = ""
		}
	}
	return news, nil
}

// Pausing reports whether PauseOver has to be called in AckPause.
func (s *Stream) Pausing() bool { return s.in.isPausing() || s.Questions.in.isPausing() }

// PauseOver notes that it is time to acknowledge what has been taken in the pause.
func (s *Stream) PauseOver() {
	s.in.pauseOver()
	s.Questions.in.pauseOver()
}

// Open makes a lane carry the stream. What was not taken is sent again over it, and what waits aside is not.
func (s *Stream) Open(lane *Lane) {
	lane.open, lane.written, lane.pieces = true, s.out.start(), s.Questions.out.start()
	s.aside.reset(false)
	lane.setFull(false)
}

// Write sends what is due over a lane, as far as there is room. It is called again when the lane's channel has sent
// what it was given, which the channel reports (OnBufferedAmountLow) if there was not enough room.
func (s *Stream) Write(lane *Lane) {
	if !lane.open {
		return
	}
	if lane.full {
		lane.setFull(false)
	}
	if s.in.isDue() && lane.mayAnswer() {
		_ = lane.give(numberFrame(kindTaken, s.in.tell())) // after a failure pion calls OnClose
	}
	if s.Questions.in.isDue() && lane.mayAnswer() {
		_ = lane.give(numberFrame(kindPieces, s.Questions.in.tell())) // as above
	}
	if s.arrivedDue && !s.Questions.in.isDue() && lane.mayAnswer() {
		s.arrivedDue = false
		_ = lane.give(numberFrame(kindArrived, s.in.last())) // as above
	}
	for frame := s.aside.first(); frame != nil; frame = s.aside.first() {
		if !lane.room() || lane.give(frame) != nil {
			return
		}
		s.aside.sent()
	}
	if !s.writePieces(lane) {
		return
	}
	for frame, topic := s.out.next(lane.written); frame != nil; frame, topic = s.out.next(lane.written) {
		if !lane.room() || topic != "" && lane.give(topicFrame(frameNumber(frame), topic)) != nil || lane.give(frame) != nil {
			return
		}
		lane.written = frameNumber(frame)
	}
	if len(s.deliveries) > 0 && !lane.asked && !s.hasArrived() && lane.room() {
		lane.asked = lane.give(numberFrame(kindAsked, s.out.last())) == nil
	}
}

// writePieces sends pieces of questions and answers, which are few, before messages. It reports false if there is no room
// for more.
func (s *Stream) writePieces(lane *Lane) bool {
	q := &s.Questions
	q.fill()
	for frame, _ := q.out.next(lane.pieces); frame != nil; frame, _ = q.out.next(lane.pieces) {
		if !lane.room() || lane.give(frame) != nil {
			return false
		}
		lane.pieces, lane.pieced = frameNumber(frame), true
	}
	if lane.pieced && !lane.probed && !q.known && lane.room() {
		// The peer confirms what it has said itself. If it knows pieces, it acknowledges ours before.
		lane.probed = lane.give(numberFrame(kindAsked, s.out.start())) == nil
	}
	return true
}

// Deliver asks the peer to confirm what was accepted, and acknowledges what was taken. The returned channel is closed
// when everything has arrived, or when it no longer can.
func (s *Stream) Deliver() <-chan struct{} {
	s.in.hurry()
	s.Questions.in.hurry()
	arrived := make(chan struct{})
	s.deliveries = append(s.deliveries, arrived)
	return arrived
}

// Delivered ends the deliveries if everything has arrived.
func (s *Stream) Delivered() {
	if len(s.deliveries) > 0 && s.hasArrived() && !s.Questions.answering() {
		s.EndDeliveries()
	}
}

// hasArrived reports whether all that was sent is known to have arrived.
func (s *Stream) hasArrived() bool { return s.out.missing() == 0 && !s.aside.isUnsure() }

// EndDeliveries ends the deliveries, whether or not everything has arrived.
func (s *Stream) EndDeliveries() {
	for _, arrived := range s.deliveries {
		close(arrived)
	}
	s.deliveries = nil
}
