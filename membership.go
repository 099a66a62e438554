package noom

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"noom/internal/engine"
	"noom/internal/fanout"
	"noom/internal/iceservers"
	"noom/internal/mailbox"
	"noom/internal/netwatch"
	"noom/internal/speaker"
	"noom/signal"
)

const (
	patienceWithHub = 30 * time.Second // for the answer to a request, if its ctx has no deadline
	maxPending      = 256              // requests that wait for the hub's answer
)

// room implements Room: what users call. roster.go is its loop, signaling.go
// its way to the hub.
type room struct {
	// Immutable after Join.
	name    string
	self    Member // but for the Name, which is nickname
	cfg     Config
	log     *slog.Logger
	engine  *engine.Engine
	dialer  Dialer
	events  *eventQueue            // guards itself
	mail    *mailbox.Mailbox       // guards itself
	budgets fanout.KeyframeBudgets // guard themselves
	frames  chan signal.Message
	ctx     context.Context // ends with the room
	cancel  context.CancelFunc
	tasks   sync.WaitGroup

	outbox   atomic.Pointer[outbox]             // nil while there is no hub
	refusal  atomic.Pointer[engine.TURNRefusal] // the latest of a TURN server
	nudge    chan struct{}                      // holds a token while the hub is to be asked for a sign of life
	doubts   atomic.Int32                       // posted and not yet taken
	requests atomic.Int32                       // that wait in pending or on the way there
	untold   atomic.Int32                       // those of them that nobody waits for
	leaving  atomic.Bool                        // nothing new is accepted
	byeSaid  atomic.Bool                        // the hub is not dialled any more
	speech   atomic.Bool                        // the loop listens for who speaks
	ending   sync.Once

	delivering, parting         context.Context // end when Leave has waited enough: for what was sent to arrive, for the goodbye
	stopDelivering, stopParting context.CancelFunc
	undelivered                 error // of Leave; written once, before done is closed

	hubGone chan struct{} // closed when no connection to a hub will be any more
	done    chan struct{}

	// For readers; written by the loop alone.
	mu       sync.Mutex
	nickname string
	links    map[string]*link
	order    []*link // in join order; replaced, never changed in place
	senders  []*fanout.Sender
	hubICE   *iceservers.Set // replaced, never changed in place
	rights   signal.Rights   // what the hub lets us do
	locked   bool
	err      error // written once, before done is closed

	// Owned by the loop.
	asleep         map[string]*link
	conducts       conducts // of all members, whatever becomes of their links
	admission      *admission[*link]
	admitTimer     *time.Timer                              // until admission is asked again
	inDoubt        bool                                     // the hub has been asked for a sign of life, and paths are looked at then
	addresses      []netip.Addr                             // of this machine, nil if not known
	watchAddresses func(func([]netip.Addr)) (func(), error) // nil: not, or already
	readClock      func() netwatch.Clock
	renewal        *time.Timer // until the hub is asked for ICE servers
	pending        []*request
	answered       []func() // called when none of them waits
	heard          []string // keys of chat messages
	speaker        speaker.Detector
	rejoined       bool     // there was a joined before
	places         int      // that the room has, as the hub says; 0: it does not
	losses         int      // members that the hub has lost
	lies           []string // of the hub, each logged once
}

// Join enters a room, making it if need be, and returns once the hub has let
// us in. ctx bounds Join alone, and [Config].DialTimeout does if it has no
// deadline; [Room.Leave] ends the Room. A nil cfg works.
// Errors are [*JoinError]; one that wraps a [*signal.Error] is the hub's own word.
func Join(ctx context.Context, d Dialer, name string, cfg *Config) (Room, error) {
	r, err := newRoom(d, signal.CleanName(name), cfg)
	if err == nil {
		err = r.start(ctx)
	}
	if err != nil {
		return nil, &JoinError{Room: name, Err: err}
	}
	return r, nil
}

// start enters the room and sets its goroutines going.
func (r *room) start(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); !bounded { // a hub may say nothing
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.cfg.DialTimeout)
		defer cancel()
	}
	s, joined, err := r.enter(ctx)
	if err != nil {
		r.cancel()
		closeAll(r.senders)
		r.traceOver(err)
		return err
	}
	r.outbox.Store(newOutbox())
	r.joined(joined) // before the loop runs, so that Peers is complete when Join returns
	heartbeat := joined.Heartbeat
	r.background(r.run)
	r.watchClock(r.readClock())
	r.background(func() { r.stayConnected(s, heartbeat) })
	return nil
}

func newRoom(d Dialer, name string, cfg *Config) (*room, error) {
	if d == nil {
		return nil, errors.New("there is no Dialer; pass a ws.Dialer or mem.Dialer")
	}
	if err := signal.CheckRoom(name); err != nil {
		return nil, signal.Errorf(signal.CodeBadRoom, signal.TypeJoin, "%v", err)
	}
	c, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &room{
		name: name, cfg: c, log: c.Logger.With("room", name), dialer: d, nickname: c.Name,
		events: newEventQueue(c.EventBuffer), mail: mailbox.New(ErrClosed), frames: make(chan signal.Message),
		hubGone: make(chan struct{}), done: make(chan struct{}),
		nudge: make(chan struct{}, 1), readClock: netwatch.ReadClock, hubICE: &iceservers.Set{}, links: make(map[string]*link), asleep: make(map[string]*link),
		conducts: newConducts(), admission: newAdmission[*link](),
	}
	r.self = Member{ID: c.Identity.ID(), PublicKey: c.Identity.publicKey(), Session: signal.NewSession()}
	if !c.IgnoreNetwork {
		r.watchAddresses = netwatch.Watch
	}
	refused := func(t *engine.TURNRefusal) { r.refusal.Store(t) }
	if r.engine, err = engine.New(engine.Options{Log: r.log, Settings: c.Settings, Refused: refused}); err != nil {
		return nil, err
	}
	if r.engine.OwnNet() {
		r.watchAddresses = nil // its addresses are not this machine's
	}
	for _, s := range c.ICEServers {
		if err := iceservers.Check(s); err != nil {
			return nil, fmt.Errorf("field ICEServers of Config: %w", err)
		}
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.delivering, r.stopDelivering = context.WithCancel(r.ctx)
	r.parting, r.stopParting = context.WithCancel(r.ctx)
	for _, t := range c.Tracks {
		s, err := r.newSender(t.Track, PublishOptions{Name: t.Name, Muted: t.Muted})
		if err != nil {
			r.cancel()
			closeAll(r.senders)
			return nil, err
		}
		r.senders = append(r.senders, s)
	}
	return r, nil
}

func closeAll(senders []*fanout.Sender) {
	for _, s := range senders {
		_ = s.Close()
	}
}

// background runs f and makes the end of the room wait for it.
func (r *room) background(f func()) { r.tasks.Go(f) }

func (r *room) online() bool { return r.outbox.Load() != nil }

// send puts m on its way to the hub, if there is one.
func (r *room) send(m signal.Message) { r.sendTo(Member{}, m) }

// sendTo is send for a frame that the hub relays to peer. One that cannot be
// encoded is left out, for a Signaler that fails is given up.
func (r *room) sendTo(peer Member, m signal.Message) {
	if _, err := m.Encode(); err != nil {
		r.log.Warn("frame left out", "type", m.Type, "error", err)
		return
	}
	if out := r.outbox.Load(); out != nil {
		r.traceFrame(TraceSent, peer, false, m)
		out.put(m)
	}
}

func (r *room) String() string { return r.name }
func (r *room) Name() string   { return r.name }

func (r *room) Self() Member {
	m := r.self
	r.mu.Lock()
	defer r.mu.Unlock()
	m.Name, m.Rights = r.nickname, r.rights
	return m
}

func (r *room) peers() []*link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.order
}

func (r *room) Peers() []Peer {
	links := r.peers()
	peers := make([]Peer, len(links))
	for i, l := range links {
		peers[i] = l
	}
	return peers
}

func (r *room) Peer(id string) (Peer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.links[id]
	return l, ok
}

func (r *room) Next(ctx context.Context) (Event, error) { return r.events.next(ctx) }

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

func (r *room) May(right Right) bool { return r.may(right) }

// Messages.

func (r *room) Chat(ctx context.Context, text string) error {
	m, err := chat(text)
	if err != nil {
		return err
	}
	return r.ask(ctx, m)
}

func (r *room) TryChat(text string) error {
	m, err := chat(text)
	switch {
	case err != nil:
		return err
	case r.leaving.Load():
		return ErrClosed
	case !r.may(RightChat):
		return fmt.Errorf("noom: chat: %w", ErrForbidden)
	case !r.online():
		return ErrNoHub
	}
	_, err = r.request(m, true)
	return err
}

func chat(text string) (signal.Message, error) {
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
	return r.ask(ctx, signal.Message{Type: signal.TypeRename, Name: name})
}

// ask sends a request to the hub and waits for its answer.
func (r *room) ask(ctx context.Context, m signal.Message) error {
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
	p, err := r.request(m, false)
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
		r.mail.Post(func() {
			r.forgetRequest(p)
			r.tellAnswered()
		})
		return noAnswer()
	case <-r.ctx.Done():
		return ErrClosed
	}
}

// request puts a request on its way to the hub: now, or when there is one again.
// untold: nobody waits for its answer.
func (r *room) request(m signal.Message, untold bool) (*request, error) {
	if r.leaving.Load() {
		return nil, ErrClosed
	}
	// What a hub cannot take is refused here, for it would refuse us with it.
	frame, err := m.Encode()
	if err == nil {
		_, err = signal.Decode(frame)
	}
	if err != nil {
		return nil, err
	}
	if r.requests.Add(1) > maxPending {
		r.requests.Add(-1)
		return nil, fmt.Errorf("noom: %s: %d requests wait for the hub: %w", m.Type, maxPending, ErrWouldBlock)
	}
	p := &request{message: m, done: make(chan error, 1), untold: untold}
	if untold {
		r.untold.Add(1)
	}
	if !r.mail.Post(func() {
		r.pending = append(r.pending, p)
		r.send(m)
	}) {
		return nil, ErrClosed
	}
	return p, nil
}

func (r *room) Send(ctx context.Context, data []byte) error {
	return r.sendAll(data, func(l *link) (wait func() error, err error) {
		full, err := l.out.offer(data)
		if full != nil {
			return func() error { return l.Send(ctx, data) }, nil
		}
		return nil, err
	})
}

func (r *room) TrySend(data []byte) error {
	return r.sendAll(data, func(l *link) (func() error, error) { return nil, l.out.try(data) })
}

// sendAll gives data to the queue of every peer: to all that take it at once, and
// then waits for the others together.
func (r *room) sendAll(data []byte, offer func(*link) (wait func() error, err error)) error {
	if err := checkData(data); err != nil {
		return err // whoever is there
	}
	if r.leaving.Load() {
		return ErrClosed
	}
	var mu sync.Mutex
	var failed []error
	var blocked sync.WaitGroup
	for _, l := range r.peers() {
		report := func(err error) {
			if err != nil {
				mu.Lock()
				failed = append(failed, &PeerError{Peer: l, Err: err})
				mu.Unlock()
			}
		}
		wait, err := offer(l)
		if wait == nil {
			report(err)
			l.kick()
			continue
		}
		blocked.Go(func() { report(wait()) })
	}
	blocked.Wait()
	return errors.Join(failed...)
}

// The end.

func (r *room) dismissed(reason Reason) {
	err := ErrRoomClosed
	switch reason {
	case ReasonKicked:
		err = ErrKicked
	case ReasonReplaced:
		err = ErrReplaced
	case ReasonExpired:
		err = ErrExpired
	default:
	}
	r.stopDelivering() // in case we are leaving: the others have been told, and drop us
	r.stopParting()
	r.finish(err)
}

func (r *room) Done() <-chan struct{} { return r.done }

func (r *room) Err() error {
	select {
	case <-r.done:
		return r.err
	default:
		return nil
	}
}

// finish ends the room once, without making its caller wait. Without an err we
// leave, and not without a goodbye.
func (r *room) finish(err error) {
	r.ending.Do(func() {
		r.seal()
		go func() {
			if err == nil {
				r.undelivered = r.deliver(r.delivering)
				r.goodbye(r.parting)
			}
			r.byeSaid.Store(true)
			r.cancel()
			r.tasks.Wait()
			r.mu.Lock()
			senders := r.senders
			r.mu.Unlock()
			closeAll(senders)
			r.err = err
			r.traceOver(err)
			r.events.add(Closed{Err: err})
			close(r.done)
		}()
	})
}
