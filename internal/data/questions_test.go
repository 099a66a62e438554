package data

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/internal/questions"
)

// asker is one end of an exchange of questions, with its application.
type asker struct {
	Stream
	lane  *Lane
	out   *cable
	has   []*Question
	asked map[<-chan outcome][]byte // without an outcome
	ended int
}

func (e *asker) connect() {
	e.out = new(cable)
	e.lane = NewLane(e.out, nil)
	e.Rebuilt()
	e.Stream.Open(e.lane)
}

func (e *asker) ask(t *testing.T, data []byte) {
	t.Helper()
	if !e.Questions.books.Place(len(data)) {
		return
	}
	_, ended, err := e.Questions.begin(t.Context(), "주제", data)
	if err != nil {
		t.Fatal(err)
	}
	e.asked[ended] = data
}

// take takes the next frame that other has sent.
func (e *asker) take(t *testing.T, other *asker) {
	t.Helper()
	if len(other.out.frames) == 0 {
		return
	}
	if _, _, err := e.Take(e.lane, webrtc.DataChannelMessage{Data: other.out.take()}); err != nil {
		t.Fatal(err)
	}
}

// look takes the outcomes that there are.
func (e *asker) look(t *testing.T) {
	t.Helper()
	for ended, asked := range e.asked {
		select {
		case o := <-ended:
			if o.err != nil || o.refusal != nil || !bytes.Equal(o.data, asked) {
				t.Fatalf("%d bytes, %v, %v to a question of %d", len(o.data), o.refusal, o.err, len(asked))
			}
			delete(e.asked, ended)
			e.ended++
		default:
		}
	}
}

func (e *asker) answer(rng *rand.Rand) {
	if len(e.has) > 0 {
		i := rng.IntN(len(e.has))
		e.has[i].Answer(e.has[i].Data)
		e.has = append(e.has[:i], e.has[i+1:]...)
	}
}

// TestQuestionsOutliveConnections: whenever connections are lost, with whatever is under way in them, each question has its
// own answer, and no more is unacknowledged than may be.
func TestQuestionsOutliveConnections(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var ends [2]asker
		for i := range ends {
			e := &ends[i]
			e.asked = make(map[<-chan outcome][]byte)
			e.Questions.OnDue, e.Questions.OnAsked = func() {}, func(q *Question) { e.has = append(e.has, q) }
			e.connect()
		}
		for range 600 {
			i := rng.IntN(2)
			e, other := &ends[i], &ends[1-i]
			switch rng.IntN(8) {
			case 0:
				e.ask(t, make([]byte, rng.IntN([]int{10, 100_000}[rng.IntN(2)])))
			case 1:
				e.answer(rng)
			case 2:
				if rng.IntN(8) == 0 {
					e.connect()
					other.connect()
				}
			case 3:
				e.PauseOver()
			default:
				for range rng.IntN(40) {
					e.take(t, other)
				}
			}
			if e.Write(e.lane); e.Questions.out.bytes > maxPieces+questions.MaxText+20<<10 {
				t.Fatalf("%d bytes are unacknowledged", e.Questions.out.bytes)
			}
			e.look(t)
		}
		total := [2]int{ends[0].ended + len(ends[0].asked), ends[1].ended + len(ends[1].asked)}
		for range 2000 {
			for i := range ends {
				e, other := &ends[i], &ends[1-i]
				e.PauseOver()
				e.answer(rng)
				e.Write(e.lane)
				e.take(t, other)
				e.look(t)
			}
		}
		for i := range ends {
			e := &ends[i]
			if e.ended != total[i] || e.Questions.out.missing() != 0 || e.Questions.answering() || len(e.Questions.outcomes)+len(e.Questions.cancels) > 0 {
				t.Fatalf("seed %d: %d outcomes of %d questions, %d pieces are left", seed, e.ended, total[i], e.Questions.out.missing())
			}
			if !e.Questions.known && total[i] > 0 {
				t.Fatalf("seed %d: the peer is not known to know questions", seed)
			}
		}
	}
}

// TestPeerWithoutQuestions: a peer that replies without acknowledging pieces does not know what they are, which ends the
// questions that wait and each later one. Messages go on.
func TestPeerWithoutQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Stream
		channel := new(cable)
		lane := NewLane(channel, nil)
		s.Open(lane)
		s.Questions.OnDue = func() {}
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, _, err := s.Questions.Ask(t.Context(), "주제", nil)
				errs <- err
			}()
		}
		synctest.Wait()
		s.Write(lane)
		s.Write(lane)
		var kinds []byte
		for _, frame := range channel.frames {
			kinds = append(kinds, frame[0])
		}
		if !bytes.Equal(kinds, []byte{kindPiece, kindPiece, kindAsked}) {
			t.Fatalf("%v were sent", kinds)
		}
		if _, _, err := s.Take(lane, peerFrame(kindArrived, 0, "")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := <-errs; !errors.Is(err, fault.Unsupported) || !errors.Is(err, errors.ErrUnsupported) {
				t.Error(err)
			}
		}
		if _, _, err := s.Questions.Ask(t.Context(), "주제", nil); !errors.Is(err, fault.Unsupported) {
			t.Error(err)
		}
		next := NewLane(new(cable), nil)
		s.Open(next)
		if s.Write(next); next.given != 0 {
			t.Errorf("%d bytes go over the next connection", next.given)
		}
		if err := s.TrySend("", []byte("x")); err != nil {
			t.Error(err)
		}
		s.Close()
		if _, _, err := s.Questions.Ask(t.Context(), "주제", nil); !errors.Is(err, fault.Closed) {
			t.Error(err)
		}
	})
}

// TestPeerThatConfirmsAnything: a reply to what a leaving member asks says nothing about questions, as long as no piece was
// sent before.
func TestPeerThatConfirmsAnything(t *testing.T) {
	var s Stream
	lane := NewLane(new(cable), nil)
	s.Open(lane)
	if _, _, err := s.Take(lane, peerFrame(kindArrived, 0, "")); err != nil || s.Questions.over() != nil {
		t.Fatal(err, s.Questions.over())
	}
}

// TestPeerThatAsksFirst: a peer that has asked something is not asked whether it knows what that is.
func TestPeerThatAsksFirst(t *testing.T) {
	var s Stream
	channel := new(cable)
	lane := NewLane(channel, nil)
	s.Open(lane)
	s.Questions.OnAsked = func(q *Question) { q.Refuse(questions.Refusal{Code: questions.CodeNotHandled}) }
	s.Questions.OnDue = func() {}
	if _, _, err := s.Take(lane, peerFrame(kindPiece, 1, "\x01\x00\x00\x00\x01\x00\x00\x00\x01\x01tx")); err != nil {
		t.Fatal(err)
	}
	s.Write(lane)
	if len(channel.frames) != 2 || channel.frames[0][0] != kindPieces || channel.frames[1][0] != kindPiece {
		t.Fatalf("%v", channel.frames)
	}
}

// TestPlacesInOrder: of those that wait for a place the earliest gets it, one that is given up lets the next ones in, and all
// fail when the peer goes.
func TestPlacesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Stream
		q := &s.Questions
		q.OnDue = func() {}
		for left := questions.MaxBytes - 10; left > 0; left -= questions.MaxSize {
			if _, _, err := q.begin(t.Context(), "t", make([]byte, min(left, questions.MaxSize))); err != nil {
				t.Fatal(err)
			}
		}
		order := make(chan int, 5)
		for i, size := range []int{questions.MaxSize, 1, 2} {
			go func() {
				_, _, err := q.begin(t.Context(), "t", make([]byte, size))
				if err != nil {
					t.Error(err)
				}
				order <- i
			}()
			synctest.Wait()
		}
		if len(order) > 0 {
			t.Fatal("a small question overtakes a big one")
		}
		q.giveUp(1)
		synctest.Wait()
		if len(order) != 3 || <-order != 0 || <-order != 1 {
			t.Fatal("the first did not get the place")
		}
		for i := range 2 {
			go func() {
				_, _, err := q.begin(t.Context(), "t", make([]byte, questions.MaxSize))
				if !errors.Is(err, fault.Closed) {
					t.Error(err)
				}
				order <- i
			}()
		}
		synctest.Wait()
		if len(order) != 1 {
			t.Fatal("there was a place")
		}
		s.Close()
		synctest.Wait()
		if len(order) != 3 {
			t.Fatalf("%d fail", len(order)-1)
		}
	})
}
