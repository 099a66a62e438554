package noom

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"noom/internal/fanout"
	"noom/internal/inbound"
)

func drainQueue(t *testing.T, q *eventQueue) (events []Event) {
	t.Helper()
	for {
		e, err := q.next(t.Context())
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
}

func TestQueueIsBounded(t *testing.T) {
	const bound = 64
	q := newEventQueue(bound)
	stays := &peer{member: Member{ID: "stays"}}
	q.add(PeerJoined{Peer: stays})
	film := &fanout.Sender{}
	for i := range 100_000 {
		guest := &peer{member: Member{ID: fmt.Sprint("guest ", i)}}
		track := inbound.NewTrack("t", "camera", 0, false)
		q.add(PeerJoined{Peer: guest})
		q.add(TrackAdded{Peer: guest, Track: track})
		q.add(ActiveSpeaker{Peer: guest})
		q.add(PeerStateChanged{Peer: stays, State: PeerState(i % 2)})
		q.add(QualityChanged{Peer: stays, Quality: Quality(i % 2)})
		q.add(ChatReceived{Text: fmt.Sprint(i)})
		q.add(TrackRemoved{Peer: guest, Track: track})
		q.add(ActiveSpeaker{})
		q.add(SourceEnded{Sender: film})
		q.add(MuteRequested{By: stays.member, Track: fmt.Sprint(i)})
		q.add(TrackRefused{Peer: stays, Sender: film, Codec: "video/AV1"}) // by each connection anew
		q.add(PeerLeft{Member: guest.member})
		if q.items.Len() > 2*(bound+maxMuteRequests)+1 {
			t.Fatalf("%d events wait", q.items.Len())
		}
	}
	q.add(PeerLeft{Member: Member{ID: "seen before"}})
	q.add(Closed{})
	q.add(ChatReceived{Text: "too late"})
	var dropped, chats, joined, left, states, speaking int
	silent := false
	var last Event
	for _, e := range drainQueue(t, q) {
		switch e := e.(type) {
		case Lagged:
			dropped += e.Dropped
		case ChatReceived:
			chats++
		case PeerJoined:
			joined++
		case PeerLeft:
			left++
		case PeerStateChanged:
			states++
		case ActiveSpeaker:
			speaking++
			silent = e.Peer == nil
		}
		last = e
	}
	if dropped+chats != 100_000 {
		t.Errorf("%d chats delivered and %d told as dropped, of 100000", chats, dropped)
	}
	if left != joined || states == 0 || speaking == 0 || !silent {
		t.Errorf("%d joined, %d left, %d states, %d times a speaker, silent at last: %v", joined, left, states, speaking, silent)
	}
	if _, ok := last.(Closed); !ok {
		t.Errorf("the last event is %T", last)
	}
}

func TestQueueKeepsDataAndAcknowledgesIt(t *testing.T) {
	q := newEventQueue(64)
	taken := 0
	for i := range 1000 {
		q.addTaken(DataReceived{Data: []byte{byte(i)}}, func() { taken++ })
	}
	q.add(Closed{})
	if taken != 0 {
		t.Fatal("acknowledged before it was taken")
	}
	if n := len(drainQueue(t, q)); n != 1001 || taken != 1000 {
		t.Fatalf("%d events, %d acknowledged", n, taken)
	}
}

func TestQueueWakesEveryReader(t *testing.T) {
	q := newEventQueue(64)
	ended := make(chan error)
	for range 3 {
		go func() {
			for {
				if _, err := q.next(t.Context()); err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	q.add(SignalingRestored{})
	q.add(Closed{})
	for range 3 {
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
}

// TestQueueOfStateChanges: of changes of the room's state the last of each key waits, and of many keys those of the newest.
func TestQueueOfStateChanges(t *testing.T) {
	const bound = 64
	q := newEventQueue(bound)
	for i := range 20_000 {
		q.add(StateChanged{Key: fmt.Sprint("열쇠 ", i%3), Value: []byte(fmt.Sprint(i))})
		if q.items.Len() > bound+3 {
			t.Fatalf("%d events of three keys wait", q.items.Len())
		}
	}
	for i := range 50_000 {
		q.add(StateChanged{Key: fmt.Sprint("key ", i)})
		if q.items.Len() > 2*(maxEntries+bound)+1 {
			t.Fatalf("%d events wait", q.items.Len())
		}
	}
	q.add(Closed{})
	dropped, changes, last := 0, 0, ""
	for _, e := range drainQueue(t, q) {
		switch e := e.(type) {
		case Lagged:
			dropped += e.Dropped
		case StateChanged:
			changes++
			last = e.Key
		}
	}
	if last != "key 49999" || dropped == 0 || dropped+changes < 50_000 || changes > 2*(maxEntries+bound) {
		t.Errorf("%d changes, the last of %q, and %d dropped", changes, last, dropped)
	}
}
