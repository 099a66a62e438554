package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"noom/internal/ownership"
	"noom/signal"
)

// A rig is some hubs, each the shipped machines and rooms with as little around them as can be. Messages arrive at once and
// in order. What can happen to them is searched in internal/ownership.
type rig struct {
	t     *testing.T
	room  string
	hubs  []*rigHub // that live
	queue []func()
}

type rigHub struct {
	rig     *rig
	id      string
	cluster *ownership.Cluster
	room    *ownership.Room
	step    *room[ownership.Address] // nil: another hub is the owner
	actions []ownership.Action
	running bool
	heard   map[int64][]string // by connection of this hub
	rosters map[int64]string   // as the last joined had it, with [ ] around itself
}

func (g *rig) hub(digit string) *rigHub {
	h := &rigHub{rig: g, id: strings.Repeat(digit, 32), heard: map[int64][]string{}, rosters: map[int64]string{}}
	h.cluster = ownership.NewCluster(h.id)
	h.room = ownership.New(h.id, g.room, 0, h.cluster.View())
	g.hubs = append(g.hubs, h)
	h.viewed()
	return h
}

// rest lets some ticks pass.
func (g *rig) rest(ticks int) {
	for range ticks {
		for _, h := range g.hubs {
			if h.cluster.Tick() {
				h.viewed()
			}
			h.run(h.room.Tick())
			if beat, due := h.cluster.Beat(h.room.Marks()); due {
				g.send(h, "", &beat)
			}
		}
		g.settle()
	}
}

func (g *rig) settle() {
	for len(g.queue) > 0 {
		next := g.queue[0]
		g.queue = g.queue[1:]
		next()
	}
}

// send brings a message to one hub, or to all others.
func (g *rig) send(from *rigHub, to string, m *ownership.Message) {
	data, err := m.Encode()
	if err != nil {
		g.t.Fatal(err)
	}
	for _, h := range g.hubs {
		if h == from || to != "" && h.id != to {
			continue
		}
		g.queue = append(g.queue, func() {
			copied, err := ownership.Decode(data)
			if err != nil {
				g.t.Fatal(err)
			}
			if copied.Type != ownership.TypeBeat && copied.Type != ownership.TypeSettled {
				h.run(h.room.Take(copied))
			} else if h.cluster.Take(copied) {
				h.viewed()
			}
		})
	}
}

func (h *rigHub) viewed() {
	for changed := true; changed; {
		v := h.cluster.View()
		h.run(h.room.Viewed(v))
		var m ownership.Message
		var ok bool
		if m, ok, changed = h.cluster.Settle(v); ok {
			h.rig.send(h, "", &m)
		}
	}
}

func keyOf(who string) signal.PublicKey { return signal.PublicKey(fmt.Sprintf("%-32s", who)) }

// enter lets a member ask to be let in; it has proven its key.
func (h *rigHub) enter(conn int64, who, name string, named bool) {
	key := keyOf(who)
	s := seat[ownership.Address]{named: named, member: signal.Member{
		ID: signal.MemberID(key), PublicKey: key, Name: name, Session: strings.Repeat("A", 22), Rights: signal.AllRights(),
	}}
	c, err := s.handed()
	if err != nil {
		h.rig.t.Fatal(err)
	}
	c.Conn = conn
	h.run(h.room.Enter(c, []byte("proven")))
	h.rig.settle()
}

func (h *rigHub) say(conn int64, m signal.Message) {
	frame, err := m.Encode()
	if err != nil {
		h.rig.t.Fatal(err)
	}
	actions, ok := h.room.Frame(conn, frame)
	if !ok {
		h.rig.t.Fatalf("%d says %s to no owner", conn, m.Type)
	}
	h.run(actions)
	h.rig.settle()
}

// run carries out actions, and those that follow behind them.
func (h *rigHub) run(actions []ownership.Action) {
	h.actions = append(h.actions, actions...)
	for !h.running && len(h.actions) > 0 {
		a := h.actions[0]
		h.actions = h.actions[1:]
		h.running = true
		switch a.Kind {
		case ownership.Send:
			h.rig.send(h, a.To, a.Message)
		case ownership.Join:
			h.joined(a.Conns[0], a.Roster, a.Place)
		case ownership.Deliver:
			m, err := signal.Decode(a.Body)
			if err != nil {
				h.rig.t.Fatal(err)
			}
			for _, c := range a.Conns {
				h.heard[c] = append(h.heard[c], strings.TrimSpace(fmt.Sprint(m.Type, " ", m.From, m.Name, m.Reason, m.Code)))
			}
		default:
			if a.Kind >= ownership.Open {
				h.runStep(a)
			}
		}
		h.running = false
	}
}

func (h *rigHub) joined(conn int64, roster []jsontext.Value, place int) {
	m := &signal.Message{}
	if err := rejoin(m, roster, place, false); err != nil {
		h.rig.t.Fatal(err)
	}
	var names []string
	for _, o := range m.Members {
		names = append(names, o.Name)
	}
	h.rosters[conn] = strings.Join(slices.Insert(names, place, "["+m.Self.Name+"]"), " ")
}

// runStep steps the room, says what it remembers and how its members are called, and hands on what it delivers.
func (h *rigHub) runStep(a ownership.Action) {
	var told []delivery[ownership.Address]
	known, err := memoryOf(&a.State.Memory)
	if err != nil {
		h.rig.t.Fatal(err)
	}
	at := a.Seat.Address()
	switch a.Kind {
	case ownership.Open:
		h.step = &room[ownership.Address]{name: h.rig.room, limit: 8}
		seats := make([]seat[ownership.Address], len(a.Seats))
		for i := range a.Seats {
			seats[i] = h.seat(&a.Seats[i])
		}
		told = h.step.open(known, seats)
	case ownership.Close:
		h.step = nil
		return
	case ownership.Adopt:
		told = h.step.adopt(known)
	case ownership.Judge:
		s := h.seat(&a.Seat)
		var v verdict
		told, v = h.step.enter(at, request{member: s.member, named: s.named, proven: true, joined: &signal.Message{Type: signal.TypeJoined, Heartbeat: 1000, Limits: &signal.Limits{}}})
		if v != admitted {
			told = []delivery[ownership.Address]{{[]ownership.Address{at}, errorFrame(signal.Errorf(signal.CodeRefused, "", "%d", v)), true}}
			break
		}
		h.run(h.room.Entered(a.Seat))
	case ownership.Readmit:
		told = h.step.readmit(h.seat(&a.Seat))
	case ownership.Remind:
		told = h.step.remind(at)
	case ownership.Leave:
		told = h.step.leave(at, signal.Reason(a.Reason))
	default:
		m, err := signal.Decode(a.Body)
		if err != nil {
			h.rig.t.Fatal(err)
		}
		if m.Type == signal.TypeRename {
			told = h.step.rename(at, m.Name)
		} else {
			told = h.step.moderate(at, &m)
		}
	}
	h.tell(told)
}

func (h *rigHub) seat(s *ownership.Seat) seat[ownership.Address] {
	made, err := seatOf(s.Address(), &s.Conn)
	if err != nil {
		h.rig.t.Fatal(err)
	}
	return made
}

func (h *rigHub) tell(told []delivery[ownership.Address]) {
	for i := range h.step.seats {
		c, err := h.step.seats[i].handed()
		if err != nil {
			h.rig.t.Fatal(err)
		}
		h.run(h.room.Changed(h.step.seats[i].conn, c.Member))
	}
	m, err := h.step.memory.handed()
	if err != nil {
		h.rig.t.Fatal(err)
	}
	h.run(h.room.Remember(m))
	for _, d := range told {
		frame, err := d.message.Encode()
		if err != nil {
			h.rig.t.Fatal(err)
		}
		h.run(h.room.Deliver(ownership.Delivery{To: d.to, Last: d.last, Body: frame}))
	}
}

// order is who sits in the room, by name.
func (h *rigHub) order() string {
	var names []string
	for _, m := range h.step.members() {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

// The machines of hubs and the rooms of hubs fit: a room that moves, to a hub that comes and from one that dies, keeps its
// order, its names, its lock and whom it has kicked, and everybody in it hears so.
func TestRoomBetweenHubs(t *testing.T) {
	g := &rig{t: t, room: "데모"}
	a := g.hub("a")
	g.rest(3)
	a.enter(1, "anna", "Anna", false)
	a.enter(2, "bert", "Bert", false)
	a.enter(3, "mallory", "Mallory", false)
	a.enter(4, "imitator", "anna (2)", false)
	if a.step == nil || a.order() != "Anna Bert Mallory anna (2)" {
		t.Fatalf("the room: %+v", a.step)
	}
	a.say(1, signal.Message{Type: signal.TypeKick, To: signal.MemberID(keyOf("mallory"))})
	a.say(2, signal.Message{Type: signal.TypeRename, Name: "Bertold"})

	b := g.hub(takesFrom(a.id, g.room)[:1])
	g.rest(6)
	if a.step != nil || b.step == nil || b.order() != "Anna Bertold anna (2)" {
		t.Fatalf("the room has not moved: %+v, %+v", a.step, b.step)
	}
	if got := a.rosters[2]; got != "Anna [Bertold] anna (2)" {
		t.Errorf("Bert hears of %q", got)
	}
	if got := a.heard[1]; !strings.HasSuffix(got[len(got)-1], "kicked") {
		t.Errorf("Anna hears %q, and not that Mallory was kicked", got)
	}
	b.enter(1, "boss", "Anna", true)
	if got := b.order(); got != "Anna (2) Bertold anna (2) Anna" {
		t.Errorf("with one whose name is reserved the room is %q", got)
	}
	a.say(1, signal.Message{Type: signal.TypeLock})

	g.hubs = g.hubs[:1] // b dies
	g.rest(12)
	if a.step == nil || a.order() != "Anna (2) Bertold anna (2)" || !a.step.locked || !a.step.awaits(signal.MemberID(keyOf("boss"))) {
		t.Fatalf("after the death of its hub the room is %+v", a.step)
	}
	for conn, want := range map[int64]string{5: "mallory", 6: "stranger"} {
		if a.enter(conn, want, want, false); !slices.Equal(a.heard[conn], []string{"error refused"}) {
			t.Errorf("%s hears %q", want, a.heard[conn])
		}
	}
	a.enter(7, "boss", "Anna", true)
	if got := a.order(); got != "Anna (2) Bertold anna (2) Anna" {
		t.Errorf("with the boss back the room is %q", got)
	}
}

// takesFrom is a hub that owns a room as soon as it hears another.
func takesFrom(other, room string) string {
	for _, digit := range "0123456789bcdef" {
		g := &rig{room: room}
		g.hub(other[:1])
		h := g.hub(string(digit))
		g.rest(4)
		if h.cluster.View().Owner(room) == h.id {
			return h.id
		}
	}
	return ""
}
