package hub

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"noom/internal/ownership"
	"noom/signal"
)

// A shared is a place in a cluster: a room in which this hub has a part, as the edge of members that are connected here, as
// the owner, or both. It drives one [ownership.Room]. This file is what connections here and the hub ask of it; edge.go and
// step.go carry out what the machine says.
type shared struct {
	fleet *fleet

	mu      sync.Mutex
	machine *ownership.Room
	step    *room[ownership.Address] // nil: another hub is the owner, or nobody is yet
	queue   []ownership.Action       // to be carried out
	read    readFrame                // while something happens
	guests  map[int64]*guest         // connections to this hub, by number
	ready   chan struct{}            // closed when those that wait for the machine to be ready shall look again; nil: nobody waits
	spoke   int                      // beats in which its marks come first
	seated  int                      // members of the room step, when that was accounted for last
	joins   bucket                   // by everybody; the owner's
	shown   int                      // members, as the hub's list has them
	gone    bool                     // the hub has forgotten this place

	alarm overdueClock

	listing
}

// A guest is a connection to this hub, that is in the room or asks for it.
type guest struct {
	conn    *conn
	member  signal.Member
	joined  *signal.Message // what this hub adds to a joined
	given   time.Time       // when its ICE servers were
	asks    chan answer     // the room's word is sent there; nil: it has said it
	rejoins bucket
}

// A readFrame is the pair frame that is under way, where the owner is here too: nobody need read it again.
type readFrame struct {
	frame   []byte
	message *signal.Message
}

// knows notes what a frame says. The caller holds the lock.
func (p *shared) knows(frame []byte, m *signal.Message) {
	if m.Pair() {
		p.read = readFrame{frame, m}
	}
}

// decode is [signal.Decode]. The caller holds the lock.
func (p *shared) decode(frame []byte) (signal.Message, error) {
	if known := p.read.frame; len(frame) > 0 && len(frame) == len(known) && &frame[0] == &known[0] {
		return *p.read.message, nil
	}
	return signal.Decode(frame)
}

func newShared(f *fleet, room string, above int64, v *ownership.View) *shared {
	return &shared{
		fleet: f, machine: ownership.New(f.self, room, above, v), guests: make(map[int64]*guest), listing: listing{name: room},
	}
}

// do lets f happen and carries out what follows. It reports false, and nothing happens, if this place is forgotten.
func (p *shared) do(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return false
	}
	p.happen(f)
	return true
}

// happen is do for who holds the lock.
func (p *shared) happen(f func()) {
	f()
	for len(p.queue) > 0 {
		a := &p.queue[0]
		p.queue = p.queue[1:]
		if a.Kind >= ownership.Open {
			p.actAsOwner(a)
		} else {
			p.actAsEdge(a)
		}
	}
	p.queue, p.read = nil, readFrame{}
	if p.step == nil {
		p.show(p.machine.Members())
	}
	if p.machine.Done() {
		p.gone = true
		p.fleet.forget(p)
	}
}

// run queues actions, to be carried out behind those that are.
func (p *shared) run(actions []ownership.Action) {
	if len(p.queue) == 0 {
		p.queue = actions
		return
	}
	p.queue = append(p.queue, actions...)
}

// show sees to it that the hub's list of rooms says how many members there are.
func (p *shared) show(n int) {
	if n == p.shown {
		return
	}
	p.shown = n
	h := p.fleet.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recount(&p.listing, n)
}

func (p *shared) tick() {
	p.do(func() {
		if !p.machine.Idle() {
			p.run(p.machine.Tick())
		}
	})
}

func (p *shared) viewed(v *ownership.View) { p.do(func() { p.run(p.machine.Viewed(v)) }) }

// recently is in how many beats the marks of a room that has said something come before those of others.
const recently = 3

// marks says how far the messages of this room have come: of one that has said something of late, or of others.
func (p *shared) marks(recent bool) []ownership.Mark {
	p.mu.Lock()
	defer p.mu.Unlock()
	if recent != (p.spoke > 0) {
		return nil
	}
	p.spoke = max(0, p.spoke-1)
	return p.machine.Marks()
}

// An entering is what goes with an enter, beside what is known of the member then.
type entering struct {
	Proven  bool         `json:"proven,omitzero"`
	Counted bool         `json:"counted,omitzero"` // among those that join, before it had to wait
	Sends   []string     `json:"sends,omitempty"`
	Card    *signal.Card `json:"card,omitzero"`
}

// enter asks the owner, and waits for its word.
func (p *shared) enter(c *conn, q request) (answer, bool) {
	c.pulse.expect(time.Time{}) // the hub keeps it waiting
	s := seat[*conn]{c, q.member, q.identity, q.named, q.until, q.parting, q.arrival, q.once}
	member, err := s.handed()
	if err != nil {
		return answer{refusal: signal.Errorf(signal.CodeFailed, signal.TypeJoin, "the hub cannot pass on this member")}, true
	}
	body, err := json.Marshal(entering{q.proven, c.counted, q.sends, q.card})
	if err != nil {
		return answer{refusal: signal.Errorf(signal.CodeFailed, signal.TypeJoin, "the hub cannot pass on this join")}, true
	}
	member.Conn = c.number
	if !member.Fits() {
		return answer{refusal: signal.Errorf(signal.CodeRefused, signal.TypeJoin, "too much is to be known of this member for other hubs to learn it")}, true
	}
	q.joined.Nonce = q.parting.nonce
	g := &guest{conn: c, member: q.member, joined: q.joined, given: time.Now(), asks: make(chan answer, 1)}
	word := g.asks
	if !p.do(func() {
		p.guests[c.number] = g
		p.run(p.machine.Enter(member, body))
	}) {
		return answer{}, false
	}
	a := answer{refusal: signal.Errorf(signal.CodeFailed, signal.TypeJoin, "the connection has ended")}
	c.ask(func(ctx context.Context) {
		select {
		case a = <-word:
		case <-ctx.Done():
		}
	})
	if a.verdict != admitted || a.refusal != nil {
		c.counted = c.counted || a.verdict == early
		p.lose(c, signal.ReasonLost) // it asks again, if it does, as if it had not
	}
	return a, true
}

// lose lets a connection go.
func (p *shared) lose(c *conn, why signal.Reason) {
	p.do(func() {
		delete(p.guests, c.number)
		p.run(p.machine.Gone(c.number, string(why)))
		p.wake()
	})
}

// say tells the owner what a member has said, once there is one. What goes to many costs its sender as much.
func (p *shared) say(c *conn, m *signal.Message) *signal.Error {
	frame, err := m.Encode()
	if err != nil {
		return signal.Errorf(signal.CodeTooBig, m.Type, "%v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.gone && !p.machine.Ready() {
		if p.guests[c.number] == nil || !p.wait(c) {
			return nil // it has ended, and the reader learns it
		}
	}
	if p.gone {
		return nil
	}
	p.happen(func() {
		p.knows(frame, m)
		actions, ok := p.machine.Frame(c.number, frame)
		if n := p.shown; ok && n > 1 && !m.Pair() {
			c.spread += int32(n) //nolint:gosec // at most mostMembers
		}
		p.run(actions)
	})
	return nil
}

// wait waits until the machine may be ready. It reports false if the connection has ended. The caller holds the lock, and has
// it again.
func (p *shared) wait(c *conn) bool {
	if p.ready == nil {
		p.ready = make(chan struct{})
	}
	ready, ok := p.ready, false
	p.mu.Unlock()
	defer p.mu.Lock()
	c.pulse.hold(true, time.Now())
	defer func() { c.pulse.hold(false, time.Now()) }()
	c.ask(func(ctx context.Context) {
		select {
		case <-ready:
			ok = true
		case <-ctx.Done():
		}
	})
	return ok
}

// wake lets those look again that wait.
func (p *shared) wake() {
	if p.ready != nil {
		close(p.ready)
		p.ready = nil
	}
}

func (p *shared) relay(c *conn, m signal.Message) *signal.Error         { return p.say(c, &m) }
func (p *shared) chat(c *conn, m signal.Message, _ int64) *signal.Error { return p.say(c, &m) }
func (p *shared) moderate(c *conn, m signal.Message) *signal.Error      { return p.say(c, &m) }

func (p *shared) rename(c *conn, name string) *signal.Error {
	return p.say(c, &signal.Message{Type: signal.TypeRename, Name: name})
}

func (p *shared) leave(c *conn, why signal.Reason) { p.lose(c, why) }

// expire sends the member its bye here, and the owner tells the others.
func (p *shared) expire(c *conn) {
	p.do(func() {
		if g := p.guests[c.number]; g != nil {
			p.dismissOne(g, signal.ReasonExpired, 0)
			p.run(p.machine.Gone(c.number, string(signal.ReasonExpired)))
		}
	})
}

// dismiss sends away those who are connected here.
func (p *shared) dismiss(retry time.Duration) {
	p.do(func() {
		numbers := slices.Sorted(maps.Keys(p.guests))
		for _, n := range numbers {
			p.dismissOne(p.guests[n], signal.ReasonRestart, retry)
		}
		for _, n := range numbers { // of which none of the others learns
			p.run(p.machine.Gone(n, string(signal.ReasonLost)))
		}
	})
}
