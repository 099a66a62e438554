package noom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"noom/internal/data"
	"noom/internal/questions"
	"noom/signal"
)

// QuestionHandler answers the questions of peers: see [Room.Handle]. Each call has a goroutine of its own, up to 64 for
// each peer at a time. ctx ends when the question is no longer wanted: the peer has given it up, it has gone, or the room is
// over; then what the call returns does not matter, but until it returns the question keeps its place. [Room].Leave lets
// arrive what was answered before, and does not wait for calls. A call may come before the event that says that the peer
// is connected.
//
// The answer has up to 1 MiB, and must not change after the return. Of what waits for a peer that takes its answers too
// slowly, 4 MiB are kept; beyond that it gets [ErrBusy]. An error that is, or wraps, an [*AskError] reaches the peer with its
// code and message; any other one as its text, with the code [AskFailed]. A panic ends the program, as it does in any
// goroutine.
type QuestionHandler func(ctx context.Context, from Peer, data []byte) ([]byte, error)

// AskError is what a question gets if it gets no answer. A [QuestionHandler] returns one to choose the code.
type AskError struct {
	// Code is one of the constants, or the application's own: 1 to 64 characters of a-z, 0-9 and _. Another one reaches
	// the peer as [AskFailed].
	Code string
	// Message is for people. What is beyond 1024 bytes does not reach the peer.
	Message string
}

// The codes of an [AskError] that are not the application's own.
const (
	AskNotHandled  = questions.CodeNotHandled  // the application of the peer has no function for the topic
	AskBusy        = questions.CodeBusy        // too many questions are open, or too many answers wait
	AskCancelled   = questions.CodeCancelled   // the peer leaves
	AskTooBig      = questions.CodeTooBig      // the answer has more than 1 MiB
	AskBadQuestion = questions.CodeBadQuestion // the peer does not understand the bytes
	AskFailed      = questions.CodeFailed      // the peer could not answer
)

// Refusals of questions, to compare with errors.Is. They match any [*AskError] with their code.
var (
	// ErrNotHandled: the application of the peer takes no questions under this topic.
	ErrNotHandled error = &AskError{Code: AskNotHandled, Message: "nobody answers questions under this topic"}
	// ErrBusy: the peer has too much to do; ask again later.
	ErrBusy error = &AskError{Code: AskBusy, Message: "too many questions are open"}
	// ErrCancelled: the peer has given the question up, because it leaves.
	ErrCancelled error = &AskError{Code: AskCancelled, Message: "the question was given up"}
	// ErrBadQuestion: the peer does not understand the question.
	ErrBadQuestion error = &AskError{Code: AskBadQuestion, Message: "the question is not understood"}
)

// Error returns the message, then the code in brackets.
func (e *AskError) Error() string {
	if e.Message == "" {
		return "noom: ask: refused (" + signal.Printable(e.Code) + ")"
	}
	return "noom: ask: " + signal.Printable(e.Message) + " (" + signal.Printable(e.Code) + ")"
}

// Is reports whether target is an [*AskError] with the same code, or [ErrTooBig] if the code is [AskTooBig].
func (e *AskError) Is(target error) bool {
	if e.Code == AskTooBig && target == ErrTooBig {
		return true
	}
	t, ok := target.(*AskError)
	return ok && t.Code == e.Code
}

// cleanTopic returns a topic in normal form.
func cleanTopic(topic string) (string, error) {
	topic = signal.CleanName(topic)
	if err := signal.CheckName(topic); err != nil {
		return "", fmt.Errorf("noom: topic: %w", err)
	}
	return topic, nil
}

func (p *peer) Ask(ctx context.Context, topic string, data []byte) ([]byte, error) {
	topic, err := cleanTopic(topic)
	if err != nil {
		return nil, err
	}
	answer, refusal, err := p.link.Stream.Questions.Ask(ctx, topic, data)
	if refusal != nil {
		return nil, &AskError{Code: refusal.Code, Message: refusal.Text}
	}
	return answer, err
}

// AskJSON is [Peer.Ask] with a question and an answer in JSON.
func AskJSON[A, Q any](ctx context.Context, p Peer, topic string, question Q) (answer A, err error) {
	encoded, err := json.Marshal(question)
	if err != nil {
		return answer, fmt.Errorf("noom: ask: %w", err)
	}
	encoded, err = p.Ask(ctx, topic, encoded)
	if err != nil {
		return answer, err
	}
	if err = json.Unmarshal(encoded, &answer); err != nil {
		return answer, fmt.Errorf("noom: ask: the answer: %w", err)
	}
	return answer, nil
}

// HandleJSON is [Room.Handle] with questions and answers in JSON. A question that is no JSON, or does not fit Q, gets
// [ErrBadQuestion]. f must not be nil.
func HandleJSON[Q, A any](r Room, topic string, f func(ctx context.Context, from Peer, question Q) (A, error)) error {
	return r.Handle(topic, func(ctx context.Context, from Peer, data []byte) ([]byte, error) {
		var question Q
		if err := json.Unmarshal(data, &question); err != nil {
			return nil, &AskError{Code: AskBadQuestion, Message: err.Error()}
		}
		answer, err := f(ctx, from, question)
		if err != nil {
			return nil, err
		}
		return json.Marshal(answer)
	})
}

// answers has the functions that answer questions. The zero value has none.
type answers struct {
	mu      sync.Mutex
	byTopic map[string]QuestionHandler
	rest    func(ctx context.Context, from Peer, topic string, data []byte) ([]byte, error) // of all other topics; may be nil
}

func (a *answers) handle(topic string, f QuestionHandler) error {
	topic, err := cleanTopic(topic)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if f == nil {
		delete(a.byTopic, topic)
		return nil
	}
	if a.byTopic == nil {
		a.byTopic = make(map[string]QuestionHandler)
	}
	a.byTopic[topic] = f
	return nil
}

func (a *answers) handleRest(f func(ctx context.Context, from Peer, topic string, data []byte) ([]byte, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rest = f
}

// of returns the function for a topic, nil if there is none.
func (a *answers) of(topic string) QuestionHandler {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.byTopic[topic]; f != nil {
		return f
	}
	rest := a.rest
	if rest == nil {
		return nil
	}
	return func(ctx context.Context, from Peer, data []byte) ([]byte, error) { return rest(ctx, from, topic, data) }
}

// asked answers a question, in a goroutine of its own. The loop of a link calls it.
func (a *answers) asked(from *peer, q *data.Question) {
	f := a.of(q.Topic)
	if f == nil {
		q.Refuse(questions.Refusal{Code: AskNotHandled, Text: "nobody answers questions under this topic"})
		return
	}
	go func() {
		defer q.Refuse(questions.Refusal{Code: AskFailed}) // if f ends the goroutine; else it is answered by then
		answer, err := f(q.Context(), from, q.Data)
		if err == nil {
			q.Answer(answer)
			return
		}
		refusal := questions.Refusal{Code: AskFailed, Text: err.Error()}
		if own, ok := errors.AsType[*AskError](err); ok {
			refusal = questions.Refusal{Code: own.Code, Text: own.Message}
		}
		q.Refuse(refusal)
	}()
}
