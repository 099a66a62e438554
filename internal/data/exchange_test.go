package data

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pion/webrtc/v4"

	"noom/signal"
)

// cable is one direction of a connection, on which frames wait until they are taken off.
type cable struct {
	frames  [][]byte
	bytes   int
	reports bool // that everything was taken off
}

func (c *cable) Send(frame []byte) error {
	c.frames = append(c.frames, frame)
	c.bytes += len(frame)
	return nil
}

func (c *cable) BufferedAmount() uint64 { return uint64(c.bytes) }

func (c *cable) SetBufferedAmountLowThreshold(bytes uint64) { c.reports = bytes == 0 }

// take takes the next frame off.
func (c *cable) take() (frame []byte) {
	frame, c.frames = c.frames[0], c.frames[1:]
	c.bytes -= len(frame)
	return frame
}

// end is one end of an exchange, with its link's timer and its application.
type end struct {
	Stream
	lane     *Lane
	out      *cable
	sent     uint32
	held     []Message // which its application has not taken yet
	got      uint32    // of them and those that it has
	reminded bool      // an acknowledgement is due that says nothing new
}

// connect gives the end a new connection.
func (e *end) connect() {
	e.out = new(cable)
	e.lane = NewLane(e.out, nil)
	e.Rebuilt()
	e.reminded = true
	e.Open(e.lane)
}

// topicFor returns the topic of message n.
func topicFor(n uint32) string {
	if n%3 == 1 {
		return ""
	}
	return fmt.Sprint("주제 ", n%11)
}

func (e *end) send(t *testing.T, size int) {
	t.Helper()
	payload := make([]byte, 4+size)
	binary.BigEndian.PutUint32(payload, e.sent+1)
	if e.TrySend(topicFor(e.sent+1), payload) == nil {
		e.sent++
	}
}

// write does what a link does at the end of a round, and checks that nothing is acknowledged before it has to be.
func (e *end) write(t *testing.T) {
	t.Helper()
	before := len(e.out.frames)
	pausing, taken, untold := e.Pausing(), e.in.taken-e.in.told, e.in.untold
	e.Write(e.lane)
	for _, frame := range e.out.frames[before:] {
		if frame[0] != kindTaken {
			continue
		}
		if pausing && !e.reminded && taken < ackMessages && untold < ackBytes {
			t.Fatalf("%d messages and %d bytes are acknowledged within a pause", taken, untold)
		}
		e.reminded = false
	}
}

// take takes the next frame that other has sent.
func (e *end) take(t *testing.T, other *end) {
	t.Helper()
	if len(other.out.frames) == 0 {
		return
	}
	frame := other.out.take()
	message, news, err := e.Take(e.lane, webrtc.DataChannelMessage{Data: frame})
	if err != nil {
		t.Fatal(err)
	}
	e.reminded = e.reminded || !news && frame[0] == kindMessage
	if message.Payload == nil {
		return
	}
	if e.got++; message.number != e.got || binary.BigEndian.Uint32(message.Payload) != e.got {
		t.Fatalf("message %d comes after %d", message.number, e.got-1)
	}
	if message.Topic != topicFor(e.got) {
		t.Fatalf("message %d has the topic %q", e.got, message.Topic)
	}
	e.held = append(e.held, message)
}

// consume has the application take a message. As in a link, nothing is written if nothing is due.
func (e *end) consume(t *testing.T) {
	t.Helper()
	if len(e.held) == 0 {
		return
	}
	due := e.Taken(e.held[0])
	if e.held = e.held[1:]; due {
		e.write(t)
	}
}

// TestExchangesLoseNothing: whatever two ends send, take and lose, all of it arrives once and in order, and what was taken is
// acknowledged in time, and not more often than it has to be.
func TestExchangesLoseNothing(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var ends [2]end
		for i := range ends {
			ends[i].connect()
		}
		for range 400 {
			i := rng.IntN(2)
			step(t, rng, &ends[i], &ends[1-i])
			for i := range ends {
				checkCredit(t, &ends[i], &ends[1-i])
			}
		}
		settleExchange(t, &ends)
	}
}

// step has one thing happen to e.
func step(t *testing.T, rng *rand.Rand, e, other *end) {
	t.Helper()
	switch some := rng.IntN(300); rng.IntN(20) {
	case 0, 1, 2:
		for range some {
			e.send(t, rng.IntN(100))
		}
	case 3:
		for range some / 30 {
			e.send(t, signal.MaxData-4)
		}
	case 4, 5, 6, 7:
		for range some {
			e.take(t, other)
		}
	case 8, 9, 10, 11:
		for range some {
			e.consume(t)
		}
	case 12, 13:
		if e.Pausing() {
			e.PauseOver()
		}
	case 14:
		e.connect()
		other.connect()
		other.write(t)
	case 15:
		e.Deliver()
		e.reminded = true
		if e.write(t); e.in.told != e.in.taken {
			t.Fatal("what was taken is not acknowledged before we leave")
		}
		e.EndDeliveries()
	default: // one by one
		e.send(t, 0)
		e.write(t)
		other.take(t, e)
		other.consume(t)
	}
	e.write(t)
}

// checkCredit checks that other has the credit that e has given it, but for what a pause may hold back.
func checkCredit(t *testing.T, e, other *end) {
	t.Helper()
	if len(e.out.frames) > 0 {
		return
	}
	behind := int(e.in.taken - other.Stream.out.start())
	if behind >= ackMessages || e.in.untold >= ackBytes || behind > 0 && !e.Pausing() {
		t.Fatalf("%d messages are taken and not acknowledged, %d bytes", behind, e.in.untold)
	}
}

// settleExchange has everything arrive and all pauses end.
func settleExchange(t *testing.T, ends *[2]end) {
	t.Helper()
	for range 3 * MaxUnacked { // frames
		for i := range ends {
			e, other := &ends[i], &ends[1-i]
			e.take(t, other)
			e.consume(t)
			e.write(t)
		}
	}
	for i := range ends {
		ends[i].PauseOver()
		ends[i].write(t)
		ends[1-i].take(t, &ends[i])
	}
	for i := range ends {
		if e, other := &ends[i], &ends[1-i]; e.sent != other.got || other.in.taken != e.sent || e.Stream.out.start() != e.sent {
			t.Fatalf("%d sent, %d received, %d taken, %d acknowledged", e.sent, other.got, other.in.taken, e.Stream.out.start())
		}
	}
}
