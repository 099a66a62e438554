package questions

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// side is one of two members in a search: a machine, its application, and the pieces that are on their way from it.
type side struct {
	Machine
	rng      *rand.Rand
	way      [][]byte
	open     map[ID][]byte // questions of ours without an outcome, and what was asked
	outcomes int
	has      []ID // questions of the other that the application has
	unwanted map[ID]bool
	busy     int
	sizes    func() int
}

// answerTo returns the answer to a question: data from which both ends know that it belongs to that.
func answerTo(data []byte) []byte { return append([]byte("답: "), data...) }

func (s *side) ask() {
	data := make([]byte, s.sizes())
	for i := range min(len(data), 8) {
		data[i] = byte(s.rng.Uint32())
	}
	if s.Place(len(data)) {
		s.open[s.Ask("주제", data)] = data
	}
}

func (s *side) someOpen() (ID, bool) {
	ids := make([]ID, 0, len(s.open))
	for id := range s.open {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return 0, false
	}
	slices.Sort(ids)
	return ids[s.rng.IntN(len(ids))], true
}

func (s *side) cancel() {
	if id, ok := s.someOpen(); ok {
		s.Cancel(id)
		delete(s.open, id)
		s.outcomes++
	}
}

// do carries out actions, as a driver does.
func (s *side) do(t *testing.T, actions []Action) {
	t.Helper()
	for _, a := range actions {
		switch a.Kind {
		case Ended, Lost:
			asked, ok := s.open[a.ID]
			if !ok {
				t.Fatalf("question %d has another outcome: %+v", a.ID, a)
			}
			delete(s.open, a.ID)
			s.outcomes++
			if a.Kind == Ended && a.Refusal == nil && !bytes.Equal(a.Data, answerTo(asked)) {
				t.Fatalf("question %d has an answer of %d bytes, asked with %d", a.ID, len(a.Data), len(asked))
			}
			if a.Refusal != nil && a.Refusal.Code == CodeBusy {
				s.busy++
			}
		case Asked:
			if a.Topic != "주제" || slices.Contains(s.has, a.ID) {
				t.Fatalf("%+v was asked", a.ID)
			}
			s.has = append(s.has, a.ID)
		case Unwanted:
			if !slices.Contains(s.has, a.ID) || s.unwanted[a.ID] {
				t.Fatalf("question %d is no longer wanted, which nobody has, or which is known", a.ID)
			}
			s.unwanted[a.ID] = true
		}
	}
}

// end has the application end one of the questions that it has.
func (s *side) end(other *side) {
	if len(s.has) == 0 {
		return
	}
	i := s.rng.IntN(len(s.has))
	id := s.has[i]
	s.has = slices.Delete(s.has, i, i+1)
	if asked, wanted := other.open[id]; wanted && s.rng.IntN(4) > 0 {
		s.Answer(id, answerTo(asked))
		return
	}
	s.Refuse(id, Refusal{"my_own", "아니요"})
}

func (s *side) give() {
	if p := s.Next(); p != nil {
		s.way = append(s.way, p)
	}
}

func (s *side) take(t *testing.T, other *side) {
	t.Helper()
	if len(other.way) == 0 {
		return
	}
	p := other.way[0]
	other.way = other.way[1:]
	actions, err := s.Take(p)
	if err != nil {
		t.Fatalf("%v: %v", p[:min(len(p), 10)], err)
	}
	s.do(t, actions)
}

// check checks the bounds, and that what is counted is what there is.
func (s *side) check(t *testing.T) {
	t.Helper()
	bytes, held, waiting := 0, 0, 0
	for _, q := range s.ours {
		bytes += q.size
	}
	for _, q := range s.theirs {
		held += q.size
	}
	for _, w := range s.queue {
		if w.first.kind == kindAnswer {
			waiting += len(w.data)
		}
	}
	if bytes != s.bytes || held != s.held || waiting != s.waiting {
		t.Fatalf("counted %d, %d, %d; there are %d, %d, %d", s.bytes, s.held, s.waiting, bytes, held, waiting)
	}
	if len(s.ours) > MaxOpen || len(s.theirs) > MaxOpen || bytes > MaxBytes || held > MaxBytes || waiting > MaxBytes {
		t.Fatalf("%d and %d questions, %d, %d and %d bytes", len(s.ours), len(s.theirs), bytes, held, waiting)
	}
}

// empty returns what a machine still has in the end.
func (s *side) empty() string {
	if len(s.ours)+len(s.theirs)+len(s.urgent)+len(s.queue)+s.bytes+s.held+s.waiting+len(s.open) == 0 && s.answer == nil && s.question == nil {
		return ""
	}
	return fmt.Sprintf("ours %d, theirs %d, urgent %d, queue %d, bytes %d %d %d, without outcome %d, in part %v %v",
		len(s.ours), len(s.theirs), len(s.urgent), len(s.queue), s.bytes, s.held, s.waiting, len(s.open), s.answer, s.question)
}

// TestEachQuestionHasOneOutcome: whatever two members ask, cancel, answer and refuse, in whatever order, and whenever one
// has dropped the other and takes it back, each question has exactly one outcome, an answer belongs to its question, and in
// the end nothing is left. Neither ever refuses the other for asking too much.
func TestEachQuestionHasOneOutcome(t *testing.T) {
	ended := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 7))
		most := []int{40, 3 * pieceSize, MaxSize - 100}[seed%3]
		var sides [2]side
		for i := range sides {
			sides[i] = side{rng: rng, open: make(map[ID][]byte), unwanted: make(map[ID]bool), sizes: func() int { return rng.IntN(most) }}
		}
		eager, drops := 1+rng.IntN(6), rng.IntN(2) == 0
		for range 1000 {
			i := rng.IntN(2)
			stepSearch(t, &sides[i], &sides[1-i], eager, drops)
			sides[0].check(t)
			sides[1].check(t)
		}
		finish(t, &sides)
		for i := range sides {
			s := &sides[i]
			if left := s.empty(); left != "" {
				t.Fatalf("seed %d, side %d: %s", seed, i, left)
			}
			if s.outcomes != int(s.asked) {
				t.Fatalf("seed %d: %d outcomes of %d questions", seed, s.outcomes, s.asked)
			}
			if s.busy > 0 && most < MaxSize/2 {
				t.Fatalf("seed %d: refused as busy", seed)
			}
			ended += s.outcomes
		}
	}
	if ended < 3_000 {
		t.Fatalf("only %d questions were asked", ended)
	}
}

func stepSearch(t *testing.T, s, other *side, eager int, drops bool) {
	t.Helper()
	switch s.rng.IntN(12) {
	case 0, 1:
		for range eager {
			s.ask()
		}
	case 2:
		s.cancel()
	case 3, 4:
		s.end(other)
	case 5, 6, 7:
		for range s.rng.IntN(20) {
			s.give()
		}
	case 11:
		if drops && s.rng.IntN(10) == 0 {
			if s.closed {
				s.Open()
			} else {
				s.do(t, s.Close())
			}
		}
	default:
		for range s.rng.IntN(20) {
			s.take(t, other)
		}
	}
}

// finish lets everything come to its end.
func finish(t *testing.T, sides *[2]side) {
	t.Helper()
	for i := range sides {
		sides[i].Open()
	}
	for range 10_000 {
		for i := range sides {
			s, other := &sides[i], &sides[1-i]
			s.give()
			s.take(t, other)
			s.end(other)
		}
	}
}

// TestOneTooMany: a member that asks more than it may is refused, question by question, and one that goes on without
// taking the refusals breaks the rules.
func TestOneTooMany(t *testing.T) {
	var m Machine
	question := func(id ID, size int) []byte {
		p := piece{kind: kindQuestion, id: id, size: uint32(size), topic: "t", rest: make([]byte, size)}
		return p.encode()
	}
	for id := ID(1); id <= MaxOpen; id++ {
		if actions, err := m.Take(question(id, 3)); err != nil || len(actions) != 1 || actions[0].Kind != Asked {
			t.Fatalf("question %d: %v, %v", id, actions, err)
		}
	}
	for id := ID(MaxOpen + 1); id <= maxEnding; id++ {
		if actions, err := m.Take(question(id, 3)); err != nil || len(actions) != 0 {
			t.Fatalf("question %d: %v, %v", id, actions, err)
		}
	}
	if p, _, err := decode(m.Next()); err != nil || p.kind != kindRefusal || p.code != CodeBusy || p.id != MaxOpen+1 {
		t.Fatalf("the first refusal: %+v, %v", p, err)
	}
	if _, err := m.Take(question(maxEnding+1, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Take(question(maxEnding+2, 3)); !errors.Is(err, ErrPiece) {
		t.Fatalf("beyond all bounds: %v", err)
	}

	m = Machine{} // the same of bytes
	for id := ID(1); id <= 5; id++ {
		p := piece{kind: kindQuestion, id: id, size: MaxSize, topic: "t"}
		if _, err := m.Take(p.encode()); err != nil {
			t.Fatal(err)
		}
		if id == 5 {
			break
		}
		p = piece{kind: kindQuestionMore, id: id, rest: make([]byte, MaxSize)}
		if actions, err := m.Take(p.encode()); err != nil || len(actions) != 1 {
			t.Fatalf("question %d: %v, %v", id, actions, err)
		}
	}
	if p, _, err := decode(m.Next()); err != nil || p.code != CodeBusy || p.id != 5 {
		t.Fatalf("more bytes than are held: %+v, %v", p, err)
	}
}

// TestAnswersAreBounded: answers that nobody takes are refusals beyond the bound, and so is one that is too big.
func TestAnswersAreBounded(t *testing.T) {
	var m Machine
	for id := ID(1); id <= 7; id++ {
		if _, err := m.Take((&piece{kind: kindQuestion, id: id, topic: "t"}).encode()); err != nil {
			t.Fatal(err)
		}
	}
	m.Answer(6, make([]byte, MaxSize+1))
	for id := ID(1); id <= 5; id++ {
		m.Answer(id, make([]byte, MaxSize))
	}
	m.Refuse(7, Refusal{"No Code!", string(make([]byte, MaxText-1)) + "가"})
	if m.waiting != MaxBytes {
		t.Errorf("%d bytes wait", m.waiting)
	}
	for _, want := range []struct {
		id   ID
		code string
	}{{6, CodeTooBig}, {5, CodeBusy}, {7, CodeFailed}} {
		p, _, err := decode(m.Next())
		if err != nil || p.kind != kindRefusal || p.id != want.id || p.code != want.code {
			t.Errorf("%+v, %v, want %+v", p.code, err, want)
		}
	}
}

// TestUnwantedGetsNoAnswer: what is no longer wanted is not sent, whether the application has the question, has answered
// it, or has yet to get it whole.
func TestUnwantedGetsNoAnswer(t *testing.T) {
	for _, state := range []state{coming, handled, answered} {
		var m Machine
		question := piece{kind: kindQuestion, id: 1, size: 1, topic: "t", rest: []byte("x")}
		if state == coming {
			question.size = 2
		}
		take := func(p *piece) {
			t.Helper()
			if _, err := m.Take(p.encode()); err != nil {
				t.Fatal(err)
			}
		}
		take(&question)
		if state == answered {
			m.Answer(1, make([]byte, 2*pieceSize))
			m.Next()
		}
		take(&piece{kind: kindUnwanted, id: 1})
		m.Answer(1, []byte("x"))
		if p, _, err := decode(m.Next()); err != nil || p.kind != kindRefusal || p.code != CodeCancelled {
			t.Errorf("%d: %+v, %v", state, p, err)
		}
		if m.Next() != nil || m.waiting != 0 || len(m.theirs) != 0 {
			t.Errorf("%d: something is left", state)
		}
	}
}

// TestBrokenRules: what no honest member sends is an error.
func TestBrokenRules(t *testing.T) {
	begin := &piece{kind: kindQuestion, id: 5, size: 10, topic: "t", rest: []byte("half")}
	whole := &piece{kind: kindQuestion, id: 5, size: 1, topic: "t", rest: []byte("x")}
	for name, pieces := range map[string][]*piece{
		"a question twice":              {whole, whole},
		"a lower id":                    {whole, {kind: kindQuestion, id: 4, topic: "t"}},
		"two at a time":                 {begin, {kind: kindQuestion, id: 6, topic: "t"}},
		"more than its size":            {begin, {kind: kindQuestionMore, id: 5, rest: []byte("seven..")}},
		"more of none":                  {{kind: kindQuestionMore, id: 1, rest: []byte("x")}},
		"nothing more":                  {begin, {kind: kindQuestionMore, id: 5}},
		"a question above the bound":    {{kind: kindQuestion, id: 1, size: MaxSize + 1, topic: "t"}},
		"a topic above the bound":       {{kind: kindQuestion, id: 1, topic: string(make([]byte, MaxTopic+1))}},
		"a topic that is no UTF-8":      {{kind: kindQuestion, id: 1, topic: "\xff"}},
		"the end of none":               {{kind: kindUnwanted, id: 1}},
		"an answer to nothing":          {{kind: kindAnswer, id: 2}},
		"an answer before the question": {{kind: kindAnswer, id: 3}},
		"a second answer":               {{kind: kindAnswer, id: 1}, {kind: kindAnswer, id: 1}},
		"an answer in another":          {{kind: kindAnswer, id: 1, size: 5}, {kind: kindAnswer, id: 2, size: 5}},
		"more than the answer's size":   {{kind: kindAnswer, id: 1, size: 5}, {kind: kindAnswerMore, id: 1, rest: []byte("six...")}},
		"an answer above the bound":     {{kind: kindAnswer, id: 1, size: MaxSize + 1}},
		"more of no answer":             {{kind: kindAnswerMore, id: 1, rest: []byte("x")}},
		"a refusal of nothing":          {{kind: kindRefusal, id: 9, code: "x"}},
		"a refusal without a code":      {{kind: kindRefusal, id: 1}},
		"a code in capitals":            {{kind: kindRefusal, id: 1, code: "X"}},
		"a text above the bound":        {{kind: kindRefusal, id: 1, code: "x", rest: make([]byte, MaxText+1)}},
		"a text that is no UTF-8":       {{kind: kindRefusal, id: 1, code: "x", rest: []byte{0xff}}},
	} {
		var m Machine
		if name != "an answer to nothing" {
			m.Ask("t", nil)
			m.Next()
			m.Ask("t", nil)
			m.Next()
			m.Ask("t", nil) // of which the other end has seen nothing
		}
		for i, p := range pieces {
			_, err := m.Take(p.encode())
			if last := i == len(pieces)-1; last != errors.Is(err, ErrPiece) {
				t.Errorf("%s: piece %d: %v", name, i, err)
			}
		}
	}
	var m Machine
	for _, short := range [][]byte{nil, {kindUnwanted, 0, 0, 0}, {kindQuestion, 0, 0, 0, 1, 0, 0, 0}, {kindQuestion, 0, 0, 0, 1, 0, 0, 0, 0}} {
		if _, err := m.Take(short); !errors.Is(err, ErrPiece) {
			t.Errorf("%v: %v", short, err)
		}
	}
	if _, err := m.Take([]byte{77, 0, 0, 0, 1}); err != nil {
		t.Errorf("a kind of a later version: %v", err)
	}
}

// FuzzTake: whatever comes, the machine stays within its bounds.
func FuzzTake(f *testing.F) {
	f.Add([]byte{kindQuestion, 0, 0, 0, 1, 0, 0, 0, 1, 1, 't', 'x'}, []byte{kindUnwanted, 0, 0, 0, 1})
	f.Add([]byte{kindAnswer, 0, 0, 0, 1, 0, 0, 0, 9, 'x'}, []byte{kindAnswerMore, 0, 0, 0, 1, 'y'})
	f.Add([]byte{kindRefusal, 0, 0, 0, 1, 1, 'x', 'y'}, []byte{kindQuestionMore, 0, 0, 0, 1, 'y'})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s := side{open: make(map[ID][]byte)}
		s.Ask("t", nil)
		s.Next()
		for _, b := range [][]byte{first, second, first, second} {
			actions, err := s.Take(b)
			if err != nil {
				return
			}
			s.check(t)
			for _, a := range actions {
				if a.Kind == Asked {
					s.Answer(a.ID, nil)
				}
			}
			s.Next()
		}
		s.Close()
		s.check(t)
	})
}
