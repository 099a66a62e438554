package data

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"noom/internal/fault"
	"noom/internal/questions"
)

// maxPieces bounds the bytes of pieces that are sent and not acknowledged, so that messages do not wait behind them.
const maxPieces = 256 << 10

// Questions are those between us and the peer, in both directions. Their pieces have a stream of their own on the lanes, with
// other kinds of frames, and are acknowledged when they come, because [questions.Machine] bounds what it keeps.
type Questions struct {
	// OnAsked is called by the link's loop for each question of the peer, OnDue from anywhere when Write has something to
	// send. Both are set before the stream is used, and must not wait.
	OnAsked func(*Question)
	OnDue   func()

	// They guard themselves.
	out outgoingMessages
	in  incomingMessages

	mu       sync.Mutex
	books    questions.Machine
	outcomes map[questions.ID]chan outcome       // of our questions; each takes one
	cancels  map[questions.ID]context.CancelFunc // of the contexts of the peer's
	waiting  []chan struct{}                     // Ask, the earliest first; the first is woken when there may be a place
	closed   bool                                // the peer is gone
	sealed   bool                                // we leave
	refused  bool                                // the peer does not know questions

	// Owned by the link's loop.
	known  bool   // the peer knows questions
	answer uint32 // number of the last piece that may be of an answer
}

// outcome is what becomes of a question of ours: an answer, a refusal, or an error.
type outcome struct {
	data    []byte
	refusal *questions.Refusal
	err     error
}

// Question is one of the peer's. Answer or Refuse has to be called; the first call counts.
type Question struct {
	Topic string
	Data  []byte

	of  *Questions
	id  questions.ID
	ctx context.Context
}

// Context ends when the question is no longer wanted.
func (a *Question) Context() context.Context { return a.ctx }

// Answer answers the question. data must not change afterwards. From anywhere.
func (a *Question) Answer(data []byte) {
	a.of.finish(a.id, func(m *questions.Machine) { m.Answer(a.id, data) })
}

// Refuse refuses the question. From anywhere.
func (a *Question) Refuse(r questions.Refusal) {
	a.of.finish(a.id, func(m *questions.Machine) { m.Refuse(a.id, r) })
}

func (q *Questions) finish(id questions.ID, end func(*questions.Machine)) {
	q.mu.Lock()
	cancel := q.cancels[id]
	if cancel == nil { // it has its end
		q.mu.Unlock()
		return
	}
	delete(q.cancels, id)
	end(&q.books)
	q.mu.Unlock()
	cancel()
	q.OnDue()
}

// Ask asks the peer, and waits for the end until ctx ends: for a place among the questions that are open, and for the
// answer or the refusal. Errors: fault.TooBig, fault.Closed, fault.Unsupported, ctx's. From anywhere.
func (q *Questions) Ask(ctx context.Context, topic string, data []byte) ([]byte, *questions.Refusal, error) {
	if len(data) > questions.MaxSize {
		return nil, nil, fmt.Errorf("%w: a question of %d bytes, at most %d", fault.TooBig, len(data), questions.MaxSize)
	}
	id, ended, err := q.begin(ctx, topic, data)
	if err != nil {
		return nil, nil, err
	}
	q.OnDue()
	select {
	case o := <-ended:
		return o.data, o.refusal, o.err
	case <-ctx.Done():
		q.giveUp(id)
		q.OnDue()
		return nil, nil, ctx.Err()
	}
}

// begin waits for a place and takes it. Of those that wait the earliest is first.
func (q *Questions) begin(ctx context.Context, topic string, data []byte) (questions.ID, <-chan outcome, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	turn := make(chan struct{}, 1)
	q.waiting = append(q.waiting, turn)
	defer func() {
		q.waiting = slices.DeleteFunc(q.waiting, func(c chan struct{}) bool { return c == turn })
		q.wake()
	}()
	for q.over() == nil && (q.waiting[0] != turn || !q.books.Place(len(data))) {
		q.mu.Unlock()
		select {
		case <-turn:
		case <-ctx.Done():
		}
		q.mu.Lock()
		if err := ctx.Err(); err != nil {
			return 0, nil, err
		}
	}
	if err := q.over(); err != nil {
		return 0, nil, err
	}
	id := q.books.Ask(topic, data)
	ended := make(chan outcome, 1)
	if q.outcomes == nil {
		q.outcomes = make(map[questions.ID]chan outcome)
	}
	q.outcomes[id] = ended
	return id, ended, nil
}

// wake wakes the first that waits; those behind it are woken by it. It needs q.mu.
func (q *Questions) wake() {
	if len(q.waiting) == 0 {
		return
	}
	select {
	case q.waiting[0] <- struct{}{}:
	default:
	}
}

func (q *Questions) giveUp(id questions.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.books.Cancel(id)
	delete(q.outcomes, id)
	q.wake()
}

// over returns why nothing can be asked now, nil if it can. It needs q.mu.
func (q *Questions) over() error {
	switch {
	case q.closed || q.sealed:
		return fault.Closed
	case q.refused:
		return fault.Unsupported
	}
	return nil
}

// seal ends our questions, and lets nobody ask. Answers are still sent. From anywhere.
func (q *Questions) seal() {
	q.mu.Lock()
	q.sealed = true
	q.carryOut(q.books.Seal(), fault.Closed)
}

// close ends all questions. From anywhere.
func (q *Questions) close() {
	q.mu.Lock()
	q.closed = true
	q.carryOut(q.books.Close(), fault.Closed)
}

// open takes back close.
func (q *Questions) open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = false
	q.books.Open()
}

// unsupported ends our questions, because the peer does not know what they are.
func (q *Questions) unsupported() {
	q.mu.Lock()
	q.refused = true
	actions := q.books.Seal()
	q.books = questions.Machine{} // what waits is for nobody
	q.out.forget()
	q.carryOut(actions, fault.Unsupported)
}

// carryOut carries out actions and gives up q.mu. lost is the outcome of questions that are lost.
func (q *Questions) carryOut(actions []questions.Action, lost error) {
	var cancels []context.CancelFunc
	var asked []*Question
	for _, a := range actions {
		switch a.Kind {
		case questions.Ended:
			q.outcome(a.ID, outcome{data: a.Data, refusal: a.Refusal})
		case questions.Lost:
			q.outcome(a.ID, outcome{err: lost})
		case questions.Asked:
			ctx, cancel := context.WithCancel(context.Background())
			if q.cancels == nil {
				q.cancels = make(map[questions.ID]context.CancelFunc)
			}
			q.cancels[a.ID] = cancel
			asked = append(asked, &Question{Topic: a.Topic, Data: a.Data, of: q, id: a.ID, ctx: ctx})
		case questions.Unwanted:
			cancels = append(cancels, q.cancels[a.ID])
		}
	}
	q.wake()
	q.mu.Unlock()
	for _, cancel := range cancels {
		cancel()
	}
	for _, a := range asked {
		q.OnAsked(a)
	}
}

func (q *Questions) outcome(id questions.ID, o outcome) {
	q.outcomes[id] <- o
	delete(q.outcomes, id)
}

// Only the link's loop may call these.

// take takes a piece. news is false for one that came before.
func (q *Questions) take(n uint32, piece []byte) (news bool, err error) {
	fresh, err := q.in.receive(n, len(piece))
	if err != nil || !fresh {
		return false, err
	}
	q.in.take(n, len(piece))
	q.mu.Lock()
	actions, err := q.books.Take(piece)
	q.carryOut(actions, nil)
	if err != nil {
		return true, fmt.Errorf("%w: %w", fault.Rules, err)
	}
	return true, nil
}

// fill takes the next pieces to send, as far as there is room for more that are not acknowledged.
func (q *Questions) fill() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.out.room(maxPieces) {
		answering := q.books.Answering()
		piece := q.books.Next()
		if piece == nil {
			return
		}
		q.out.put(kindPiece, piece)
		if answering {
			q.answer = q.out.last()
		}
	}
}

// answering reports whether an answer of ours is not known to have arrived.
func (q *Questions) answering() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.books.Answering() || int32(q.answer-q.out.start()) > 0
}
