package noom_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"noom"
	"noom/internal/connection"
	"noom/internal/link"
	"noom/noomtest"
	"noom/signal"
	"noom/transport/mem"
)

// world is a [noomtest.World] with the words that most of these tests use.
type world struct {
	*noomtest.World
	t     *testing.T
	rooms []noom.Room // joined by join and joinBy
}

// inWorld runs f in a world whose network has that latency. Its hub is next door: a frame overtakes
// every packet that was sent before it, unless an option says otherwise.
func inWorld(t *testing.T, latency time.Duration, f func(t *testing.T, w *world), options ...noomtest.Option) {
	t.Helper()
	// No event of a test may fall on the instant at which a packet arrives:
	// pion's SCTPTransport.Stop holds a mutex over a timer of 200 ms if the
	// other end's ABORT comes at that very instant, and a goroutine that waits for a
	// mutex stops virtual time for good.
	latency += 137 * time.Microsecond
	options = append([]noomtest.Option{noomtest.WithLatency(latency), noomtest.WithSignalingLatency(0)}, options...)
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) { f(t, &world{World: w, t: t}) }, options...)
}

// join enters a room as name from a host of its own; cfg may be nil.
func (w *world) join(room, name string, cfg *noom.Config) noom.Room {
	w.t.Helper()
	var c noom.Config
	if cfg != nil {
		c = *cfg
	}
	c.Name = name
	r := w.Join(room, &c)
	w.rooms = append(w.rooms, r)
	return r
}

// joinBy is join over a way to the hub of the test's own. A Name in cfg counts more than the host's.
func (w *world) joinBy(d noom.Dialer, room, name string, cfg *noom.Config) noom.Room {
	w.t.Helper()
	r, err := noom.Join(w.t.Context(), d, room, w.config(name, cfg))
	must(w.t, err)
	w.leaveAtEnd(r)
	w.rooms = append(w.rooms, r)
	return r
}

// config puts cfg, which may be nil, on the host of that name.
func (w *world) config(name string, cfg *noom.Config) *noom.Config {
	w.t.Helper()
	var c noom.Config
	if cfg != nil {
		c = *cfg
	}
	host, trace := w.Config(name), c.Trace
	if c.Name == "" {
		c.Name = name
	}
	c.Net, c.Settings = host.Net, host.Settings
	c.Trace = func(e noom.Trace) {
		host.Trace(e)
		if trace != nil {
			trace(e)
		}
	}
	return &c
}

// leaveAtEnd leaves a room when the test ends.
func (w *world) leaveAtEnd(r noom.Room) {
	w.t.Cleanup(func() { _ = r.Leave(context.Background()) }) // it may be over
}

// nearHub dials the hub past the world's faults.
func (w *world) nearHub() noom.Dialer {
	return signal.DialerFunc(func(ctx context.Context) (noom.Signaler, error) {
		return mem.Dialer(w.Hub().Running()).Dial(ctx)
	})
}

// bounce breaks a member's connection to the hub; it may connect again at once.
func (w *world) bounce(name string) {
	w.CutSignaling(name)
	w.HealSignaling(name)
}

// until takes events of r until f accepts one, for at most a virtual minute.
func until[E noom.Event](t *testing.T, r noom.Room, f func(E) bool) E {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var zero E
	for {
		e, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("%s waits for %T: %v", r.Self().Name, zero, err)
		}
		if e, ok := e.(E); ok && (f == nil || f(e)) {
			return e
		}
	}
}

// waiting takes the events that wait now.
func waiting(t *testing.T, r noom.Room) (events []noom.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	for {
		e, err := r.Next(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return events
		}
		must(t, err)
		events = append(events, e)
	}
}

func connected(e noom.PeerStateChanged) bool { return e.State == noom.PeerConnected }

func peerOf(t *testing.T, r, other noom.Room) noom.Peer {
	t.Helper()
	p, ok := r.Peer(other.Self().ID)
	if !ok {
		t.Fatalf("%s has no peer %s", r.Self().Name, other.Self().Name)
	}
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inspect looks at what the link's loop owns, or breaks it, and waits until that is done. It is not
// called where the link is over.
func inspect(p noom.Peer, f func(in link.Inside)) {
	done := make(chan struct{})
	link.Inspect(noom.LinkOf(p), func(in link.Inside) { f(in); close(done) })
	<-done
}

// breakUp has the connection to p fail, so that it is rebuilt.
func breakUp(p noom.Peer) {
	link.Inspect(noom.LinkOf(p), func(in link.Inside) { in.Fail(errors.New("asked to")) })
}

// connectionOf returns the current connection to p, nil if there is none.
func connectionOf(p noom.Peer) (current *connection.Conn) {
	inspect(p, func(in link.Inside) { current = in.Current })
	return current
}

// wire is a Dialer that lets a test see each frame of its connections.
type wire struct {
	noom.Dialer

	up    func(m signal.Message) []signal.Message // what becomes of a frame to the hub; nil: itself
	count func()                                  // called for each frame, in either direction; may be nil
}

func (w *wire) Dial(ctx context.Context) (noom.Signaler, error) {
	s, err := w.Dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return wired{s, w}, nil
}

type wired struct {
	noom.Signaler
	wire *wire
}

func (s wired) Receive(ctx context.Context) (signal.Message, error) {
	m, err := s.Signaler.Receive(ctx)
	if err == nil && s.wire.count != nil {
		s.wire.count()
	}
	return m, err
}

func (s wired) Send(ctx context.Context, m signal.Message) error {
	if s.wire.count != nil {
		s.wire.count()
	}
	frames := []signal.Message{m}
	if s.wire.up != nil {
		frames = s.wire.up(m)
	}
	for _, f := range frames {
		if err := s.Signaler.Send(ctx, f); err != nil {
			return err
		}
	}
	return nil
}
