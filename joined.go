package noom

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"noom/internal/conduct"
	"noom/internal/engine"
	"noom/internal/fanout"
	"noom/internal/iceservers"
	"noom/internal/link"
	"noom/internal/mailbox"
	"noom/internal/uplink"
	"noom/signal"
)

// room implements Room. This file has the methods that users call, loop.go the loop, host.go what links ask of the
// room. Its state is owned by its parts.
type room struct {
	// Immutable after Join.
	name   string
	self   Member // without Name and Rights, which standing owns
	cfg    Config
	log    *slog.Logger
	engine *engine.Engine
	ctx    context.Context // ends with the room
	cancel context.CancelFunc
	tasks  sync.WaitGroup // what the end of the room waits for

	// These parts may be called from anywhere, within what each says.
	hub       *uplink.Uplink
	events    *eventQueue
	mail      *mailbox.Mailbox
	trace     *tracer
	budgets   fanout.KeyframeBudgets
	refusal   atomic.Pointer[engine.TURNRefusal] // the latest one by a TURN server
	farewell  *farewell
	requests  *requests
	standing  *standing
	published *publications
	ice       *iceservers.Supply
	speech    *speech
	sharing   *sharing
	roster    *roster
	state     *State
	answers   answers

	// Owned by the loop.
	network   *network
	newcomers *newcomers
	conducts  conduct.Conducts // of all members, also those whose links have ended
	talk      *talk
	rejoined  bool       // a joined frame came before
	card      *link.Card // for the first peer; nil: there is none, or it has it
}

func (r *room) String() string { return r.name }
func (r *room) Name() string   { return r.name }

func (r *room) Self() Member         { return r.standing.member() }
func (r *room) May(right Right) bool { return r.standing.may(right) }

func (r *room) State() *State { return r.state }

func (r *room) SetAttributes(ctx context.Context, attributes map[string]string) error {
	return r.state.setAttributes(ctx, attributes)
}

func (r *room) Peers() []Peer {
	links := r.roster.peers()
	peers := make([]Peer, len(links))
	for i, p := range links {
		peers[i] = p
	}
	return peers
}

func (r *room) Peer(id string) (Peer, bool) {
	p, ok := r.roster.peer(id)
	return p, ok
}

func (r *room) Next(ctx context.Context) (Event, error) { return r.events.next(ctx) }

// NextHeld is for package bot: Next for a caller who calls taken, unless that is nil, when a handler has the event, so that
// a peer's credit holds back a peer whose handler is slow.
func (r *room) NextHeld(ctx context.Context) (e Event, taken func(), err error) {
	return r.events.nextHeld(ctx)
}

func (r *room) Events(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			e, err := r.Next(ctx)
			if err != nil || !yield(e) {
				return
			}
		}
	}
}

// Messages.

func (r *room) Chat(ctx context.Context, text string) error {
	m, err := chatMessage(text)
	if err != nil {
		return err
	}
	return r.requests.ask(ctx, m)
}

func (r *room) TryChat(text string) error {
	m, err := chatMessage(text)
	switch {
	case err != nil:
		return err
	case r.farewell.sealed.Load():
		return ErrClosed
	case !r.May(RightChat):
		return fmt.Errorf("noom: chat: %w", ErrForbidden)
	case !r.online():
		return ErrNoHub
	}
	_, err = r.requests.put(m, true)
	return err
}

func chatMessage(text string) (signal.Message, error) {
	if text == "" || len(text) > signal.MaxChat || !utf8.ValidString(text) {
		return signal.Message{}, signal.Errorf(signal.CodeBadChat, signal.TypeChat,
			"noom: chat: want 1 to %d bytes of UTF-8, got %d", signal.MaxChat, len(text))
	}
	return signal.Message{Type: signal.TypeChat, ID: rand.Text(), Text: text}, nil
}

func (r *room) Rename(ctx context.Context, name string) error {
	name = signal.CleanName(name)
	if err := signal.CheckName(name); err != nil {
		return signal.Errorf(signal.CodeBadName, signal.TypeRename, "noom: rename: %v", err)
	}
	return r.requests.ask(ctx, signal.Message{Type: signal.TypeRename, Name: name})
}

func (r *room) Send(ctx context.Context, data []byte) error { return r.sendData(ctx, "", data) }

func (r *room) TrySend(data []byte) error { return r.trySendData("", data) }

func (r *room) SendTopic(ctx context.Context, topic string, data []byte) error {
	topic, err := cleanTopic(topic)
	if err != nil {
		return err
	}
	return r.sendData(ctx, topic, data)
}

func (r *room) TrySendTopic(topic string, data []byte) error {
	topic, err := cleanTopic(topic)
	if err != nil {
		return err
	}
	return r.trySendData(topic, data)
}

// sendData sends data under a topic in normal form.
func (r *room) sendData(ctx context.Context, topic string, data []byte) error {
	return r.roster.sendAll(data, func(p *peer) (wait func() error, err error) {
		full, err := p.link.Stream.Offer(topic, data)
		if full != nil {
			return func() error { return p.sendData(ctx, topic, data) }, nil
		}
		return nil, err
	})
}

func (r *room) trySendData(topic string, data []byte) error {
	return r.roster.sendAll(data, func(p *peer) (func() error, error) { return nil, p.link.Stream.TrySend(topic, data) })
}

func (r *room) Handle(topic string, f QuestionHandler) error { return r.answers.handle(topic, f) }

// HandleRest is for package bot: f is called for the questions under all topics that Handle has no function for.
func (r *room) HandleRest(f func(ctx context.Context, from Peer, topic string, data []byte) ([]byte, error)) {
	r.answers.handleRest(f)
}

// The end.

func (r *room) Leave(ctx context.Context) error { return r.farewell.leave(ctx) }

func (r *room) Done() <-chan struct{} { return r.farewell.done }

func (r *room) Err() error {
	if r.farewell.over.Load() {
		return r.farewell.err
	}
	return nil
}
