package hub

import (
	"cmp"
	"container/list"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"noom/signal"
)

// Hub is the server side of rooms. Its methods may be called from anywhere at
// any time. Make one with [New].
type Hub struct {
	config    Config
	meter     *meter    // guards itself
	gate      *gate     // guards itself
	byes      *byeDoor  // guards itself
	onces     onces     // guard themselves
	logbook   *logbook  // guards itself
	histories histories // guard themselves
	loudness  pace      // how fast one member may have frames delivered to many
	warned    sync.Once // that proofs are not bound to this hub

	fleet *fleet // the other hubs; nil: there are none. Guards itself

	spent atomic.Int64 // bytes of lists of rooms that streams were given, since the last was put up

	// A home's lock is taken before mu, never after; mu is held for the few
	// lines that touch what stands below it.
	mu       sync.Mutex
	places   map[string]place // of the open rooms, by name
	conns    map[*conn]struct{}
	near     crowd // how many of them come from where
	closing  bool
	draining bool          // in a cluster: nobody new comes in, because closing follows
	idle     chan struct{} // closed when closing and no conn is left
	list     []RoomInfo    // the open rooms; nil: to be made again
	changes  int           // of that list
	board    board

	listeners []*listener
}

// New makes a hub. A nil Config works. With a Cluster that is wrong, or whose backplane cannot be
// reached, it panics; [Open] returns an error instead.
func New(config *Config) *Hub {
	h, err := Open(config)
	if err != nil {
		panic(err)
	}
	return h
}

// Open makes a hub, as [New] does. The error, [ErrCluster] or [ErrBackplane], says that it cannot join
// the other hubs of its Cluster; without one there is none.
func Open(config *Config) (*Hub, error) {
	c := config.withDefaults()
	h := newHub(c)
	if c.Cluster == nil {
		return h, nil
	}
	cluster, err := c.Cluster.withDefaults()
	if err != nil {
		return nil, err
	}
	if h.fleet, err = newFleet(h, cluster); err != nil {
		return nil, err
	}
	return h, nil
}

func newHub(c Config) *Hub {
	return &Hub{
		config:    c,
		meter:     newMeter(),
		gate:      newGate(c.MaxPerAddress),
		byes:      newByeDoor(c.MaxPerAddress),
		histories: histories{keep: c.History, rooms: make(map[string]*list.Element)},
		logbook:   &logbook{log: c.Logger, kinds: make(map[string]*logKind)},
		loudness:  pace{float64(2 * c.Limits.Burst), time.Second / time.Duration(c.Limits.Rate*c.Limits.Members)},
		places:    make(map[string]place),
		conns:     make(map[*conn]struct{}),
		near:      crowd{most: c.MaxPerAddress, count: make(map[netip.Prefix]int)},
		idle:      make(chan struct{}),
		board:     board{near: crowd{most: c.MaxPerAddress, count: make(map[netip.Prefix]int)}},
	}
}

// ByeError is what [Hub.Serve] returns for a member that was sent away.
type ByeError struct{ Reason signal.Reason } // kicked, closed, replaced, expired or restart

func (e *ByeError) Error() string { return "hub: the member was sent bye: " + string(e.Reason) }

// Serve speaks with one member from its join to its end and closes s. It returns why it ended: nil
// when the member said bye, a [*ByeError] when the hub did, a [*signal.Error] when the hub refused
// it or cut it off, and otherwise an error that says how the connection was lost: [ErrSilent],
// ctx's or the transport's.
func (h *Hub) Serve(ctx context.Context, s signal.Signaler) error {
	var c *conn
	var refusal *signal.Error
	runAside(func() {
		c = h.newConn(ctx, s)
		refusal = h.register(c)
	})
	defer c.cut()
	defer h.unregister(c)

	if refusal != nil {
		c.refuse(refusal)
	} else {
		c.guard(c.read)
	}
	if c.place != nil {
		c.place.leave(c, c.reason())
	}
	why := c.end()
	h.meter.count(why)
	c.log(why)
	return why
}

// Shutdown ends the hub for a while: it asks everyone to come back after Config.RetryAfter, to this
// address, wherever that leads by then; admits no more members, and waits for all connections to
// end. Calls go on meanwhile, members come back by themselves. When ctx ends first, it cuts those
// that are left and returns ctx's error.
//
// A room that is to end for good is closed before with [Hub.CloseRoom].
//
// In a cluster the rooms that this hub owns go to the others first, within three beats; its members
// come back to any of them, and nobody else notices. A ctx that has ended already lets the hub end
// without a word, as if it had died.
func (h *Hub) Shutdown(ctx context.Context) error {
	if h.fleet != nil {
		defer h.fleet.end()
		h.drain(ctx)
	}
	h.mu.Lock()
	if !h.closing {
		h.closing = true
		h.dismiss()
		if len(h.conns) == 0 {
			close(h.idle)
		}
	}
	places := slices.Collect(maps.Values(h.places))
	conns := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	h.mu.Unlock()

	for _, p := range places {
		p.dismiss(h.config.RetryAfter)
	}
	for _, c := range conns {
		c.refuse(h.shuttingDown()) // those that have not joined
	}
	select {
	case <-h.idle:
		if h.fleet != nil {
			h.fleet.await(ctx, h.fleet.forgotten)
		}
		return nil
	case <-ctx.Done():
	}
	for _, c := range conns {
		c.cut()
	}
	return fmt.Errorf("hub: shutdown: %w", ctx.Err())
}

func (h *Hub) shuttingDown() *signal.Error {
	e := signal.Errorf(signal.CodeShuttingDown, "", "the hub goes down; come back later")
	e.RetryAfter = h.config.RetryAfter
	return e
}

// register counts a connection in, or says why it may not stay.
func (h *Hub) register(c *conn) *signal.Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	full := len(h.conns) >= h.config.MaxMembers
	switch {
	case h.closing || h.draining:
		return h.shuttingDown()
	case full:
		return signal.Errorf(signal.CodeHubFull, "", "the hub has %d connections, its most", h.config.MaxMembers)
	case !h.near.add(c.address):
		h.logbook.write("crowd", slog.LevelWarn, "too many connections from one address; behind a proxy, set ClientAddress",
			slog.Any("address", c.address), slog.Int("most", h.config.MaxPerAddress))
		return signal.Errorf(signal.CodeTooMany, "", "%d connections from this address, its most", h.config.MaxPerAddress)
	}
	h.conns[c] = struct{}{}
	return nil
}

func (h *Hub) unregister(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, in := h.conns[c]; !in {
		return
	}
	delete(h.conns, c)
	h.near.remove(c.address)
	if h.closing && len(h.conns) == 0 {
		close(h.idle)
	}
}

// place returns where an open room is, nil if there is none.
func (h *Hub) place(room string) place {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.places[room]
}

// open returns where a room is, and opens it first if need be.
func (h *Hub) open(room string) (place, *signal.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing || h.draining {
		return nil, h.shuttingDown()
	}
	if p := h.places[room]; p != nil {
		return p, nil
	}
	if len(h.places) >= h.config.MaxRooms {
		return nil, signal.Errorf(signal.CodeHubFull, signal.TypeJoin, "the hub has %d rooms, its most", h.config.MaxRooms)
	}
	if h.fleet != nil {
		return h.fleet.make(room), nil
	}
	p := newHome(h, room)
	h.places[room] = p
	return p, nil
}

// enter asks for c to be let into a room.
func (h *Hub) enter(c *conn, room string, q request) (place, answer) {
	for {
		p, refusal := h.open(room)
		if refusal != nil {
			return nil, answer{refusal: refusal}
		}
		if a, open := p.enter(c, q); open {
			return p, a
		}
	}
}

// listServers puts into a frame which ICE servers there are for a member.
func (h *Hub) listServers(ctx context.Context, answer *signal.Message, m signal.Member) {
	answer.Lifetime = h.config.ICELifetime.Milliseconds()
	size := 0
	for _, server := range h.config.ICEServers(ctx, m) {
		text, err := json.Marshal(server)
		if size += len(text); err != nil || size > mostICEServer {
			h.logbook.write("servers", slog.LevelWarn, "ICE servers left out",
				slog.Int("bytes", size), slog.Int("most", mostICEServer), slog.Any("err", err))
			break
		}
		answer.ICEServers = append(answer.ICEServers, server)
	}
}

// exceeds says which of the hub's own limits m breaks; the codec has checked
// the protocol's.
func (h *Hub) exceeds(m *signal.Message) *signal.Error {
	limits := &h.config.Limits
	switch {
	case m.Size() > limits.Frame:
		return signal.Errorf(signal.CodeTooBig, m.Type, "a frame of %d bytes, at most %d", m.Size(), limits.Frame)
	case len(m.Name) > limits.Name && (m.Type == signal.TypeJoin || m.Type == signal.TypeRename):
		return signal.Errorf(signal.CodeBadName, m.Type, "a name of %d bytes, at most %d", len(m.Name), limits.Name)
	case len(m.Text) > limits.Chat && m.Type == signal.TypeChat:
		return signal.Errorf(signal.CodeBadChat, m.Type, "a text of %d bytes, at most %d", len(m.Text), limits.Chat)
	}
	return nil
}

// warnOfHearsay warns once that a proof made for another hub may be enough to be authorised here.
func (h *Hub) warnOfHearsay(s signal.Signaler) {
	if h.config.Authorize == nil || h.config.Endpoint != "" || !signal.UncheckedEndpoint(s) {
		return
	}
	h.warned.Do(func() {
		h.config.Logger.Warn("members are authorised, but this hub takes proofs made for any host: "+
			"another hub can pass on its members' proofs; set Hosts in ws.AcceptOptions, or Endpoint in hub.Config",
			"host", signal.Endpoint(s))
	})
}

func (h *Hub) endpoint(s signal.Signaler) string {
	return cmp.Or(h.config.Endpoint, signal.Endpoint(s))
}
