package noom

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"noom/internal/mailbox"
	"noom/internal/uplink"
	"noom/signal"
)

const (
	patienceWithHub = 30 * time.Second // for the answer to a request, if its ctx has no deadline
	maxPending      = 256              // requests that wait for the hub's answer
)

// requests are what a room has asked of the hub and what waits for its answer. Each is sent again after a redial. ask
// and put may be called from anywhere; the room's loop calls the rest.
type requests struct {
	mail   *mailbox.Mailbox      // the room's
	hub    *uplink.Uplink        // says whether it is online
	send   func(signal.Message)  // to the hub
	sign   func(*signal.Message) // a chat, before it is sent for the first time
	sealed func() bool           // nothing new is accepted
	over   <-chan struct{}       // closed with the room

	waiting   atomic.Int32 // in pending or posted to it
	unawaited atomic.Int32 // those of them that no call waits for

	// Owned by the room's loop.
	pending  []*request
	answered []func() // called when no request waits
}

// request is a request to the hub that waits for its answer.
type request struct {
	message   signal.Message
	done      chan error // has room for the answer
	unawaited bool       // no call waits for the answer: it was accepted when it was queued
}

// ask sends a request to the hub and waits for its answer.
func (q *requests) ask(ctx context.Context, m signal.Message) error {
	noAnswer := ctx.Err
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		outer := ctx
		ctx, cancel = context.WithTimeout(ctx, patienceWithHub)
		defer cancel()
		noAnswer = func() error {
			if err := outer.Err(); err != nil {
				return err
			}
			return fmt.Errorf("noom: %s: unanswered for %v: %w", m.Type, patienceWithHub, ErrNoHub)
		}
	}
	p, err := q.put(m, false)
	if err != nil {
		return err
	}
	select {
	case err := <-p.done:
		if err != nil && !errors.Is(err, ErrClosed) {
			err = fmt.Errorf("noom: %s: %w", m.Type, err)
		}
		return err
	case <-ctx.Done():
		q.mail.Post(func() {
			q.forget(p)
			q.callAnswered()
		})
		return noAnswer()
	case <-q.over:
		return ErrClosed
	}
}

// put sends a request to the hub, now or when there is one again. unawaited: no call waits for the answer.
func (q *requests) put(m signal.Message, unawaited bool) (*request, error) {
	if q.sealed() {
		return nil, ErrClosed
	}
	// Refuse here what the hub cannot decode, because it would end the connection.
	frame, err := m.Encode()
	if err == nil {
		_, err = signal.Decode(frame)
	}
	if err != nil {
		return nil, err
	}
	if q.waiting.Add(1) > maxPending {
		q.waiting.Add(-1)
		return nil, fmt.Errorf("noom: %s: %d requests wait for the hub: %w", m.Type, maxPending, ErrWouldBlock)
	}
	p := &request{message: m, done: make(chan error, 1), unawaited: unawaited}
	if unawaited {
		q.unawaited.Add(1)
	}
	if !q.mail.Post(func() {
		if m.Type == signal.TypeChat {
			q.sign(&p.message)
		}
		q.pending = append(q.pending, p)
		q.send(p.message)
	}) {
		return nil, ErrClosed
	}
	return p, nil
}

// askAgain sends all requests that wait to a hub that is back.
func (q *requests) askAgain() {
	for _, p := range q.pending {
		q.send(p.message)
	}
}

// settle answers the oldest request that matches.
func (q *requests) settle(err error, matches func(*signal.Message) bool) {
	if i := slices.IndexFunc(q.pending, func(p *request) bool { return matches(&p.message) }); i >= 0 {
		p := q.pending[i]
		q.forget(p) // first, so that there is room if the caller asks again at once
		p.done <- err
	}
	q.callAnswered()
}

// forget drops p, whose answer no longer matters.
func (q *requests) forget(p *request) {
	i := slices.Index(q.pending, p)
	if i < 0 {
		return
	}
	q.pending = slices.Delete(q.pending, i, i+1)
	q.waiting.Add(-1)
	if p.unawaited {
		q.unawaited.Add(-1)
	}
}

// onAnswered calls f once no request waits for an answer, or no answer can come any longer: while the hub is lost, only
// unawaited requests wait for its return.
func (q *requests) onAnswered(f func()) {
	q.answered = append(q.answered, f)
	q.callAnswered()
}

func (q *requests) callAnswered() {
	if len(q.pending) > 0 && q.hub.Online() {
		return
	}
	select {
	case <-q.hub.Gone():
	default:
		if q.unawaited.Load() > 0 {
			return
		}
	}
	for _, f := range q.answered {
		f()
	}
	q.answered = nil
}
