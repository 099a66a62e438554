package nats

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

const (
	longestProbe  = time.Second
	longestUnsent = 3 * time.Second // a message that the server has not taken for so long is lost
	longestName   = 256             // bytes in a subject
)

// Publish sends data, of which it makes a copy, to whoever subscribes to the subject, this bus included. It never waits.
// An error says that the message is lost: [ErrCutOff], [ErrFull], [ErrTooLarge] or [ErrSubject]. That there is none does
// not say that it comes.
func (b *Bus) Publish(subject string, data []byte) error {
	if !validSubject(subject) {
		return ErrSubject
	}
	if !b.Connected() {
		return ErrCutOff
	}
	if largest := b.largest.Load(); int64(len(data)) > largest {
		return fmt.Errorf("%w: %d bytes, the server takes %d", ErrTooLarge, len(data), largest)
	}
	if !b.out.push(parcel{subject: subject, data: bytes.Clone(data), since: time.Now()}) {
		b.dropped.Add(1)
		return ErrFull
	}
	return nil
}

// Probe calls absent, on another goroutine, if the servers know of no subscriber to the subject. Subscribers get nothing. It
// never waits, and asks for a second at most. An error, [ErrCutOff] or [ErrSubject], says that nothing was asked. Who may not
// subscribe to _INBOX.> at the servers never learns that somebody is absent.
func (b *Bus) Probe(subject string, absent func()) error {
	if !validSubject(subject) {
		return ErrSubject
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || !b.connected.Load() {
		return ErrCutOff
	}
	conn := b.conn
	b.running.Go(func() {
		if _, err := conn.Request(subject, nil, longestProbe); errors.Is(err, natsgo.ErrNoResponders) {
			absent()
		}
	})
	return nil
}

func validSubject(subject string) bool {
	if len(subject) > longestName || strings.ContainsFunc(subject, func(r rune) bool { return r <= ' ' || r > '~' || r == '*' || r == '>' }) {
		return false
	}
	for word := range strings.SplitSeq(subject, ".") {
		if word == "" {
			return false
		}
	}
	return true
}

// send hands to nats.go what was published. It waits while nats.go writes or dials, so that no publisher does.
func (b *Bus) send() {
	for {
		p, ok := b.out.pop()
		if !ok {
			return
		}
		if p.reached != nil {
			close(p.reached)
			continue
		}
		if time.Since(p.since) > longestUnsent || b.connection().Publish(p.subject, p.data) != nil {
			b.dropped.Add(1)
		}
	}
}

// Subscribe calls f with each message for the subject, one after the other, also for several subscriptions, until the
// bus is closed. It holds over cuts, and may begin in one. f may publish and subscribe, and must not wait for long: what
// comes meanwhile is kept up to Options.MaxPending. It may still be running when cancel returns, and is not called
// again. The error is [ErrCutOff], if the bus is closed, or [ErrSubject]. While a server is dialled, Subscribe and cancel
// wait for that, two seconds at most.
func (b *Bus) Subscribe(subject string, f func(data []byte)) (cancel func(), err error) {
	if !validSubject(subject) {
		return nil, ErrSubject
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrCutOff
	}
	s := &subscription{subject: subject, f: f}
	s.sub, err = b.conn.ChanSubscribe(subject, b.arrived)
	if err != nil && !errors.Is(err, natsgo.ErrConnectionClosed) { // then renew subscribes
		return nil, fmt.Errorf("nats: %w", err)
	}
	b.subs[s] = struct{}{}
	return func() { b.cancel(s) }, nil
}

func (b *Bus) cancel(s *subscription) {
	s.cancelled.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.subs[s]; !ok {
		return
	}
	delete(b.subs, s)
	b.count(s)
	if s.sub != nil {
		_ = s.sub.Unsubscribe() // what still comes is for nobody
	}
}

// sort takes what has come from nats.go, which would not wait, and which has only a number of messages for a bound. What wants
// a reply is a probe.
func (b *Bus) sort() {
	for {
		select {
		case m := <-b.arrived:
			if s := b.receiver(m.Sub); s != nil && m.Reply == "" && !b.in.push(parcel{to: s, data: m.Data}) {
				b.dropped.Add(1)
			}
		case <-b.in.over:
			return
		}
	}
}

func (b *Bus) receiver(sub *natsgo.Subscription) *subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subs { // a hub has three
		if s.sub == sub {
			return s
		}
	}
	return nil
}

func (b *Bus) deliver() {
	for {
		p, ok := b.in.pop()
		if !ok {
			return
		}
		if !p.to.cancelled.Load() {
			p.to.f(p.data)
		}
	}
}
