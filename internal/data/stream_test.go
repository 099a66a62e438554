package data

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/signal"
)

// peerFrame returns a frame from the peer.
func peerFrame(kind byte, n uint32, payload string) webrtc.DataChannelMessage {
	return webrtc.DataChannelMessage{Data: append(binary.BigEndian.AppendUint32([]byte{kind}, n), payload...)}
}

// TestStreamTakesInOrder: each message is taken once and in order. One that is out of order or beyond
// the credit ends the connection.
func TestStreamTakesInOrder(t *testing.T) {
	var s Stream
	lane := NewLane(nil, nil)
	take := func(m webrtc.DataChannelMessage, payload string, news bool, want error) Message {
		t.Helper()
		message, isNews, err := s.Take(lane, m)
		if !errors.Is(err, want) || want == nil && err != nil || isNews != news {
			t.Fatalf("%v: news %v, %v; want %v, %v", m.Data[:min(5, len(m.Data))], isNews, err, news, want)
		}
		if (message.Payload == nil) != (payload == "") || string(message.Payload) != payload {
			t.Fatalf("got %+v, want %q", message, payload)
		}
		return message
	}
	first := take(peerFrame(kindMessage, 1, "하나"), "하나", true, nil)
	if s.in.due {
		t.Error("an acknowledgement before the application has taken anything")
	}
	take(peerFrame(kindMessage, 1, "하나"), "", false, nil)
	if !s.in.due {
		t.Error("a repeated message was not acknowledged")
	}
	take(peerFrame(kindMessage, 3, "gap"), "", true, ErrCredit)
	take(peerFrame(kindMessage, 2, "둘"), "둘", true, nil)
	take(peerFrame(kindAsked, 3, ""), "", true, nil)
	if s.arrivedDue {
		t.Error("confirms a message that has not arrived")
	}
	take(peerFrame(kindAsked, 2, ""), "", true, nil)
	if !s.arrivedDue {
		t.Error("the peer's question is not answered")
	}
	s.Taken(first)
	if s.in.taken != 1 || s.in.bytes != len("둘") {
		t.Errorf("taken: %+v", s.in.bytes)
	}
	take(peerFrame(9, 0, "unknown"), "", true, nil)
	take(webrtc.DataChannelMessage{Data: []byte{kindTaken, 0}}, "", true, fault.Rules)
	take(webrtc.DataChannelMessage{Data: peerFrame(kindTaken, 0, "").Data, IsString: true}, "", true, fault.Rules)
	take(peerFrame(kindMessage, 3, string(make([]byte, signal.MaxData+1))), "", true, fault.Rules)

	// Bytes, and then messages, beyond the credit.
	full := string(make([]byte, signal.MaxData))
	n := uint32(3)
	for ; s.in.bytes+len(full) <= signal.MaxUnacked; n++ {
		take(peerFrame(kindMessage, n, full), full, true, nil)
	}
	take(peerFrame(kindMessage, n, full), "", true, ErrCredit)
	s.in.received, s.in.taken, s.in.bytes = MaxUnacked, 1, 0
	take(peerFrame(kindMessage, MaxUnacked+1, "x"), "x", true, nil)
	take(peerFrame(kindMessage, MaxUnacked+2, "x"), "", true, ErrCredit)
}

// TestStreamKeepsUntilTaken: Send waits for credit, and messages are kept until they are taken.
func TestStreamKeepsUntilTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Stream
		lane := NewLane(nil, nil)
		take := func(m webrtc.DataChannelMessage, news bool, want error) {
			t.Helper()
			if _, isNews, err := s.Take(lane, m); !errors.Is(err, want) || isNews != news {
				t.Fatalf("news %v, %v; want %v, %v", isNews, err, news, want)
			}
		}
		if err := s.TrySend("", make([]byte, signal.MaxData+1)); !errors.Is(err, fault.TooBig) {
			t.Fatal(err)
		}
		for range MaxUnacked {
			if err := s.TrySend("", []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.TrySend("", nil); !errors.Is(err, fault.WouldBlock) {
			t.Fatal(err)
		}
		sent := make(chan error, 1)
		go func() { sent <- s.Send(t.Context(), "", []byte("last")) }()
		synctest.Wait()
		take(peerFrame(kindTaken, MaxUnacked+1, ""), true, ErrCredit)
		take(peerFrame(kindArrived, MaxUnacked+1, ""), true, ErrCredit)
		take(peerFrame(kindTaken, 0, ""), false, nil)
		if len(sent) > 0 || s.Missing() != MaxUnacked {
			t.Fatalf("%d sent, %d missing", len(sent), s.Missing())
		}
		take(peerFrame(kindTaken, 2, ""), true, nil)
		take(peerFrame(kindTaken, 2, ""), false, nil)
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		var frames [][]byte
		for frame, _ := s.out.next(2); frame != nil; frame, _ = s.out.next(frameNumber(frame)) {
			frames = append(frames, frame)
		}
		if n := len(frames); n != MaxUnacked-1 || frameNumber(frames[0]) != 3 || string(frames[n-1][frameHead:]) != "last" {
			t.Fatalf("%d frames are kept", n)
		}

		// Everything has arrived, and not all of it was taken.
		arrived := s.Deliver()
		s.Delivered()
		select {
		case <-arrived:
			t.Fatal("delivered too early")
		default:
		}
		take(peerFrame(kindArrived, MaxUnacked+1, ""), true, nil)
		s.Delivered()
		<-arrived
		if s.Missing() != 0 {
			t.Errorf("%d missing", s.Missing())
		}

		// The peer goes while a Send waits, and comes back. Then we leave.
		if err := s.TrySend("", []byte("x")); err != nil {
			t.Fatal(err)
		}
		go func() { sent <- s.Send(t.Context(), "", []byte("waits")) }()
		synctest.Wait()
		s.Close()
		if err := <-sent; !errors.Is(err, fault.Closed) {
			t.Fatal(err)
		}
		s.Reopen()
		if err := s.TrySend("", nil); !errors.Is(err, fault.WouldBlock) {
			t.Fatal(err)
		}
		s.Seal()
		s.Reopen()
		if err := s.TrySend("", nil); !errors.Is(err, fault.Closed) {
			t.Fatal(err)
		}
	})
}

// TestKeptMessagesAreInOrder: whatever is kept and taken in between, what comes next is the message with the next number, and
// nothing holds what was taken.
func TestKeptMessagesAreInOrder(t *testing.T) {
	var s outgoingMessages
	rng := rand.New(rand.NewPCG(1, 1))
	var sent, taken uint32
	for range 2000 {
		for range rng.IntN(50) {
			if err := s.try("", binary.BigEndian.AppendUint32(nil, sent+1)); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		if news, ok := s.taken(taken + uint32(rng.IntN(int(sent-taken)+1))); !ok {
			t.Fatal("what was sent counts as unknown")
		} else if news {
			taken = s.start()
		}
		number := taken
		for frame, _ := s.next(taken); frame != nil; frame, _ = s.next(number) {
			if number++; frameNumber(frame) != number || binary.BigEndian.Uint32(frame[frameHead:]) != number {
				t.Fatalf("%d comes next, want %d", frameNumber(frame), number)
			}
		}
		if number != sent || s.kept.Len() != int(sent-taken) || s.bytes != 4*s.kept.Len() {
			t.Fatalf("%d of %d are kept, %d bytes, up to %d", s.kept.Len(), sent-taken, s.bytes, number)
		}
	}
}
