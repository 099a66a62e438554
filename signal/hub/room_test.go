package hub

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noom/signal"
)

// A view is what one connection makes of what it is told: the roster as a
// client keeps it.
type view struct {
	joined bool
	over   bool // nothing may come any more
	self   string
	roster []signal.Member // itself among them, in join order
	chats  []string
}

// A world is some rooms, their connections, and what those believe.
type world struct {
	t     *testing.T
	rooms []*room[int]
	home  map[int]*room[int] // where a connection asked to join
	views map[int]*view
	said  map[int][]string // the chats that a connection must have seen
	last  int              // the highest connection
	seed  uint64
	steps []string
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	return &world{
		t: t, seed: seed, home: map[int]*room[int]{}, views: map[int]*view{}, said: map[int][]string{},
		rooms: []*room[int]{{name: "데모", limit: 4}, {name: "demo", limit: 3}},
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	tail := w.steps[max(0, len(w.steps)-12):]
	w.t.Fatalf("seed %d, after %s:\n%s", w.seed, strings.Join(tail, "; "), fmt.Sprintf(format, args...))
}

// take lets connections of r see its deliveries.
func (w *world) take(r *room[int], deliveries []delivery[int]) {
	w.t.Helper()
	for _, d := range deliveries {
		for _, c := range d.to {
			v := w.views[c]
			switch {
			case w.home[c] != r:
				w.fail("a %s of room %q reached connection %d of another", d.message.Type, r.name, c)
			case v.over:
				w.fail("connection %d got %s after its last frame", c, d.message.Type)
			case !v.joined && d.message.Type != signal.TypeJoined:
				w.fail("connection %d got %s before joined", c, d.message.Type)
			}
			v.see(d.message)
			v.over = v.over || d.last
		}
	}
}

func (v *view) see(m *signal.Message) {
	at := slices.IndexFunc(v.roster, func(x signal.Member) bool { return x.ID == m.From })
	switch {
	case m.Type == signal.TypeJoined:
		v.joined, v.self = true, m.Self.ID
		v.roster = append(slices.Clone(m.Members), *m.Self)
	case m.Type == signal.TypeWelcome:
		if at = slices.IndexFunc(v.roster, func(x signal.Member) bool { return x.ID == m.Member.ID }); at >= 0 {
			v.roster[at] = *m.Member
		} else {
			v.roster = append(v.roster, *m.Member)
		}
	case m.Type == signal.TypeRenamed:
		v.roster[at].Name = m.Name
	case m.Type == signal.TypeBye && m.From != v.self && v.roster[at].Session == m.Session:
		v.roster = slices.Delete(v.roster, at, at+1)
	case m.Type == signal.TypeChat:
		v.chats = append(v.chats, m.From+m.ID)
	}
}

// check holds everyone's roster against the room's.
func (w *world) check() {
	w.t.Helper()
	for _, r := range w.rooms {
		truth := sorted(r.members())
		if len(truth) > r.limit {
			w.fail("room %q has %d members, its limit is %d", r.name, len(truth), r.limit)
		}
		for _, s := range r.seats {
			v := w.views[s.conn]
			if v.over || !v.joined {
				w.fail("connection %d is seated, over: %v, joined: %v", s.conn, v.over, v.joined)
			}
			if got := sorted(v.roster); !slices.EqualFunc(got, truth, sameMember) {
				w.fail("connection %d believes in\n%v, not\n%v", s.conn, got, truth)
			}
			if !slices.Equal(v.chats, w.said[s.conn]) {
				w.fail("connection %d has seen the chats %v, not %v", s.conn, v.chats, w.said[s.conn])
			}
		}
	}
}

func sorted(list []signal.Member) []signal.Member {
	return slices.SortedFunc(slices.Values(list), func(a, b signal.Member) int { return strings.Compare(a.ID, b.ID) })
}

func sameMember(a, b signal.Member) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Session == b.Session
}

// enter lets a fresh connection ask to join, as one of a few identities.
func (w *world) enter(r *room[int], id string, proven bool) verdict {
	w.t.Helper()
	w.last++
	c := w.last
	w.home[c], w.views[c] = r, &view{}
	before := r.members()
	deliveries, v := r.enter(c, request{
		member: signal.Member{ID: id, Name: "이름" + id, Session: fmt.Sprint("session", c)},
		proven: proven, joined: &signal.Message{Type: signal.TypeJoined},
	})
	known := slices.ContainsFunc(before, func(m signal.Member) bool { return m.ID == id })
	want := admitted
	switch {
	case known && !proven:
		want = contested
	case !known && len(before) == r.limit:
		want = full
	}
	if v != want {
		w.fail("%s was given verdict %d, want %d", id, v, want)
	}
	if v != admitted && len(deliveries) > 0 {
		w.fail("a join with verdict %d was heard of", v)
	}
	w.take(r, deliveries)
	if v == admitted {
		others := slices.DeleteFunc(r.members(), func(m signal.Member) bool { return m.ID == id })
		if told := w.views[c].roster; !slices.EqualFunc(told[:len(told)-1], others, sameMember) {
			w.fail("joined told %v, not %v in join order", told, others)
		}
	}
	return v
}

func (w *world) step(random *rand.Rand) {
	w.t.Helper()
	r := w.rooms[random.IntN(len(w.rooms))]
	c := 1 + random.IntN(w.last+1) // any connection there ever was, in whichever room
	id := string(rune('a' + random.IntN(6)))
	at := r.seated(c)
	note := func(format string, args ...any) { w.steps = append(w.steps, r.name+": "+fmt.Sprintf(format, args...)) }
	switch random.IntN(10) {
	case 0, 1, 2:
		proven := random.IntN(2) == 0
		note("%d enters as %s, proven %v", w.last+1, id, proven)
		w.enter(r, id, proven)
	case 3:
		note("%d leaves", c)
		deliveries := r.leave(c, signal.ReasonLost)
		w.take(r, deliveries)
		if at >= 0 {
			w.views[c].over = true
		} else if len(deliveries) > 0 {
			w.fail("the end of a connection that was no member was heard of")
		}
	case 4:
		note("%s is kicked", id)
		w.take(r, r.kick(id))
	case 5:
		note("%d is renamed", c)
		w.take(r, r.rename(c, fmt.Sprint("name", len(w.steps))))
	case 6:
		if random.IntN(8) == 0 {
			note("is closed")
			w.take(r, r.close())
		}
	case 7, 8:
		note("%d chats", c)
		text := fmt.Sprint(len(w.steps))
		if at >= 0 {
			for _, s := range r.seats {
				w.said[s.conn] = append(w.said[s.conn], r.seats[at].member.ID+text)
			}
		}
		w.take(r, r.chat(c, &signal.Message{Type: signal.TypeChat, ID: text, Text: "안녕"}, 1))
	case 9:
		note("%d sends to %s", c, id)
		w.relay(r, c, id)
	}
}

// relay sends a pair frame, which one connection must get and nobody else.
func (w *world) relay(r *room[int], c int, to string) {
	w.t.Helper()
	deliveries := r.relay(c, &signal.Message{Type: signal.TypeOffer, From: "forged", To: to, Seq: 1, Body: []byte("x")})
	from, at := r.seated(c), r.find(to)
	switch {
	case from < 0:
		if len(deliveries) > 0 {
			w.fail("a frame of somebody who is no member went out")
		}
		return
	case len(deliveries) != 1 || len(deliveries[0].to) != 1:
		w.fail("a pair frame had deliveries %v", deliveries)
	}
	d := deliveries[0]
	if at < 0 {
		if d.to[0] != c || d.message.Err() == nil || d.message.Code != signal.CodeNoSuchMember || d.last {
			w.fail("a frame to nobody was answered %+v", d)
		}
		return
	}
	if d.to[0] != r.seats[at].conn || d.message.From != r.seats[from].member.ID || string(d.message.Body) != "x" {
		w.fail("a pair frame was delivered as %+v", d)
	}
}

func TestRoomAtRandom(t *testing.T) {
	for seed := range uint64(40) {
		w := newWorld(t, seed)
		random := rand.New(rand.NewPCG(seed, 1))
		for range 300 {
			w.step(random)
			w.check()
		}
	}
}

// The same id from a new connection takes the place of the old one, whose late
// end must then remove nobody.
func TestReplaced(t *testing.T) {
	w := newWorld(t, 0)
	r := w.rooms[0]
	w.enter(r, "a", false)
	w.enter(r, "b", false)
	w.enter(r, "c", false)
	if v := w.enter(r, "a", false); v != contested {
		t.Fatalf("verdict %d, want contested", v)
	}
	if v := w.enter(r, "a", true); v != admitted {
		t.Fatalf("verdict %d, want admitted", v)
	}
	w.check()
	if !w.views[1].over {
		t.Error("the old connection was not told to end")
	}
	if got := r.leave(1, signal.ReasonLost); got != nil {
		t.Errorf("the late end of the old connection was told: %v", got)
	}
	if got := r.members(); len(got) != 3 || got[0].ID != "a" || got[0].Session != "session5" {
		t.Errorf("members: %v", got)
	}
}

// A pair frame takes along what pair frames have and nothing else.
func TestRelayLeavesForeignFieldsBehind(t *testing.T) {
	w := newWorld(t, 0)
	r := w.rooms[0]
	w.enter(r, "a", false)
	w.enter(r, "b", false)
	d := r.relay(1, &signal.Message{Type: signal.TypeAsk, To: "b", Name: "not checked", Reason: signal.ReasonKicked})
	if m := d[0].message; m.Name != "" || m.Reason != "" {
		t.Errorf("relayed %+v", m)
	}
}
