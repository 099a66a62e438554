package noomtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/noomtest/transcript"
	"noom/signal"
)

// World is a virtual network with hubs on it, in virtual time. Its methods may be
// called from the goroutines of the test, and from those alone.
type World struct {
	t          *testing.T
	options    *options
	net        *network
	transcript *transcript.Transcript
	faults     faults
	hubs       []*Hub
	turn       *turnServer
	began      time.Time
	bubble     *bubble

	closing sync.Once
	gone    chan struct{} // closed when all is over
	waiting chan struct{} // holds a token while a goroutine is in pause

	mu        sync.Mutex
	rng       *rand.Rand
	hosts     []*host
	addresses int
	owners    map[string]string   // host name by member id
	sessions  map[string]*session // each Join of a Room, by its session
	order     []*session
	rooms     []noom.Room // joined by Join
	sources   []io.Closer
	ended     bool
	moved     int // things that happened, apart from heartbeats
}

func newWorld(t *testing.T, o *options, b *bubble) (*World, error) {
	w := &World{
		t: t, options: o, transcript: transcript.New(0), began: time.Now(), bubble: b,
		gone: make(chan struct{}), waiting: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(o.seed, 1)),
		owners: make(map[string]string), sessions: make(map[string]*session),
	}
	w.faults.world = w
	var err error
	if w.net, err = newNetwork(o); err != nil {
		return nil, err
	}
	if o.turn || o.anyNAT() {
		if w.turn, err = w.newTurnServer(); err != nil {
			return nil, err
		}
	}
	for i := range o.hubs {
		h := &Hub{world: w, index: i}
		w.hubs = append(w.hubs, h)
		h.start()
	}
	return w, nil
}

// Join enters a room from the host of cfg's Name, which gets a network card and an address for it;
// cfg may be nil. If that host is in a room already, the member gets a host of its own, called
// "name 2". The world leaves the room when the test ends. A refusal fails the test: to expect one,
// use [noom.Join] with [World.Dialer] and [World.Config].
func (w *World) Join(room string, cfg *noom.Config) noom.Room {
	w.t.Helper()
	w.alive("Join")
	name := ""
	if cfg != nil {
		name = cfg.Name
	}
	h := w.freeHost(name)
	c := h.config(cfg)
	if cfg != nil && cfg.Name == "" {
		c.Name = ""
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	r, err := noom.Join(ctx, dialer{h}, room, c)
	if err != nil {
		w.bubble.connections.Store(true)
		w.t.Fatalf("noomtest: %s: %v", h.name, err)
	}
	w.mu.Lock()
	w.rooms = append(w.rooms, r)
	if s := w.sessions[r.Self().Session]; s != nil {
		s.ours = true
	}
	w.mu.Unlock()
	return r
}

// Dialer returns the way from the host of that name to the hub, for code that
// calls [noom.Join] itself. It must do so with [World.Config] of the same name.
func (w *World) Dialer(name string) noom.Dialer {
	w.t.Helper()
	w.alive("Dialer")
	return dialer{w.host(name)}
}

// Config returns what puts a Room on the host of that name: Name, Net, Settings
// and Trace. Change what you like; keep Net, and call Settings and Trace from
// your own if you replace them.
func (w *World) Config(name string) *noom.Config {
	w.t.Helper()
	w.alive("Config")
	return w.host(name).config(nil)
}

// Via returns the way from the host of that name over d, a transport of your
// own, with the world's latency and faults on it.
func (w *World) Via(name string, d noom.Dialer) noom.Dialer {
	w.t.Helper()
	w.alive("Via")
	h := w.host(name)
	return signal.DialerFunc(func(ctx context.Context) (noom.Signaler, error) {
		return h.dial(ctx, nil, func(ctx context.Context, _ *line) (noom.Signaler, error) { return d.Dial(ctx) })
	})
}

// Hub returns the hub, or the first of several.
func (w *World) Hub() *Hub { return w.hubs[0] }

// Hubs returns all hubs.
func (w *World) Hubs() []*Hub { return slices.Clone(w.hubs) }

// Seed returns the seed of [WithSeed], or the one that [Explore] tries.
func (w *World) Seed() uint64 { return w.options.seed }

// Rand returns random numbers that follow from the seed. It is not safe to
// use from several goroutines at once, which would not repeat either.
func (w *World) Rand() *rand.Rand { return w.rng }

// Transcript returns what has happened so far; it goes on growing.
func (w *World) Transcript() *transcript.Transcript { return w.transcript }

// Note writes a line of the test's own into the transcript.
func (w *World) Note(format string, args ...any) { w.note("%s", fmt.Sprintf(format, args...)) }

func (w *World) note(format string, args ...any) { w.transcript.Note(format, args...) }

// Elapsed returns the virtual time since the world began.
func (w *World) Elapsed() time.Duration { return time.Since(w.began) }

// alive ends the calling goroutine, and fails the test, if the world is over.
func (w *World) alive(what string) {
	w.t.Helper()
	w.mu.Lock()
	ended := w.ended
	w.mu.Unlock()
	if ended {
		w.bubble.fail("noomtest: %s after the end of the world: wait for your goroutines before the test function returns", what)
		w.bubble.t.FailNow()
	}
}

// fail fails the test and goes on.
func (w *World) fail(format string, args ...any) {
	w.bubble.t.Helper()
	w.bubble.fail("noomtest: "+format, args...)
}

// Hosts.

// host returns the host of that name, a new one if there is none.
func (w *World) host(name string) *host {
	w.t.Helper()
	w.mu.Lock()
	for _, h := range w.hosts {
		if h.name == name {
			w.mu.Unlock()
			return h
		}
	}
	if name == "" {
		name = fmt.Sprint("host ", len(w.hosts)+1)
	}
	h := &host{world: w, name: name, nat: w.options.natOf(name)}
	w.hosts = append(w.hosts, h)
	w.mu.Unlock()
	if name == HubName || name == TURNName {
		w.t.Fatalf("noomtest: a host cannot be called %q: that is the server's name; choose another", name)
	}
	if err := h.attach(); err != nil {
		w.t.Fatalf("noomtest: host %q: %v", name, err)
	}
	return h
}

// freeHost is host, but for one that no Room is on now.
func (w *World) freeHost(name string) *host {
	w.t.Helper()
	for n := 1; ; n++ {
		try := name
		if n > 1 && name != "" {
			try = fmt.Sprintf("%s %d", name, n)
		}
		if h := w.host(try); name == "" || !w.occupied(h) {
			return h
		}
	}
}

func (w *World) occupied(h *host) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.order, func(s *session) bool { return s.host == h && !s.over })
}

// known is host for one that must be there.
func (w *World) known(what, name string) *host {
	w.t.Helper()
	w.alive(what)
	w.mu.Lock()
	i := slices.IndexFunc(w.hosts, func(h *host) bool { return h.name == name })
	var h *host
	if i >= 0 {
		h = w.hosts[i]
	}
	w.mu.Unlock()
	if h == nil {
		w.t.Fatalf("noomtest: %s: there is no host %q; the hosts are %s", what, name, strings.Join(w.hostNames(), ", "))
	}
	return h
}

func (w *World) hostNames() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.hosts) == 0 {
		return []string{"none yet"}
	}
	names := make([]string, len(w.hosts))
	for i, h := range w.hosts {
		names[i] = h.name
	}
	return names
}

// hostOf returns the name of the host that a member is on.
func (w *World) hostOf(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.owners[id]
}

// Signaling.

type dialer struct{ host *host }

var (
	errOffline = errors.New("noomtest: signaling is cut")
	errNoWorld = signal.Errorf(signal.CodeRefused, signal.TypeJoin, "noomtest: the world is over")
)

// Dial implements [noom.Dialer].
func (d dialer) Dial(ctx context.Context) (noom.Signaler, error) {
	w := d.host.world
	to := w.hubs[0]
	for _, h := range w.hubs {
		if h.Running() != nil {
			to = h
			break
		}
	}
	return d.host.dial(ctx, to, to.dial)
}

func (h *host) dial(ctx context.Context, to *Hub, open func(context.Context, *line) (noom.Signaler, error)) (noom.Signaler, error) {
	w := h.world
	h.mu.Lock()
	taken, offline := h.taken, h.offline
	h.mu.Unlock()
	w.mu.Lock()
	ended := w.ended
	w.mu.Unlock()
	switch {
	case ended:
		return nil, errNoWorld
	case !taken:
		err := fmt.Errorf("%q dials without a host: pass World.Config(%[1]q) to noom.Join, or call its Settings and Trace from yours", h.name)
		w.fail("%v", err)
		return nil, err
	case offline:
		return nil, errOffline
	}
	l := newLine(h)
	l.hub = to
	inner, err := open(ctx, l)
	if err != nil {
		l.cancel()
		return nil, err
	}
	l.start(inner)
	h.mu.Lock()
	h.lines = append(slices.DeleteFunc(h.lines, func(o *line) bool { return o.over() != nil }), l)
	h.mu.Unlock()
	return l, nil
}

func (h *host) isSilent() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.silent
}

// iceServers is what the hubs hand out.
func (w *World) iceServers() func(context.Context, signal.Member) []signal.ICEServer {
	if w.turn == nil {
		return nil
	}
	return func(_ context.Context, m signal.Member) []signal.ICEServer { return w.turn.servers(m.ID) }
}
