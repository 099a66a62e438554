package hub

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"noom/signal"
)

// A view is what one connection makes of its frames: the roster as a client keeps it.
type view struct {
	joined bool
	over   bool // nothing more may come
	self   string
	locked bool
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
	rules map[*room[int]]*rules
	last  int // the highest connection
	seed  uint64
	steps []string
}

func (r *room[C]) members() []signal.Member {
	list := make([]signal.Member, len(r.seats))
	for i := range r.seats {
		list[i] = r.seats[i].member
	}
	return list
}

// The rules that a room must keep, in order of what was done to it.
type rules struct {
	locked bool
	lost   map[string]bool // since it was locked
	absent map[string]bool // lost at all
	last   map[string]int  // the connection of those that are absent
	kicked map[string]bool
}

// A chooser says what happens next: a random source, or a fuzzer's bytes.
type chooser interface{ IntN(n int) int }

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{
		t: t, seed: seed, home: map[int]*room[int]{}, views: map[int]*view{}, said: map[int][]string{},
		rooms: make([]*room[int], 2), rules: map[*room[int]]*rules{},
	}
	w.open(0, "데모", 4)
	w.open(1, "demo", 3)
	return w
}

func (w *world) open(i int, name string, limit int) {
	w.rooms[i] = &room[int]{name: name, limit: limit}
	w.rules[w.rooms[i]] = &rules{lost: map[string]bool{}, absent: map[string]bool{}, last: map[string]int{}, kicked: map[string]bool{}}
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
		v.joined, v.self, v.locked = true, m.Self.ID, m.Locked
		v.roster = append(slices.Clone(m.Members), *m.Self)
	case m.Type == signal.TypeWelcome:
		if at = slices.IndexFunc(v.roster, func(x signal.Member) bool { return x.ID == m.Member.ID }); at >= 0 {
			v.roster[at] = *m.Member
		} else {
			v.roster = append(v.roster, *m.Member)
		}
	case m.Type == signal.TypeLocked || m.Type == signal.TypeUnlocked:
		v.locked = m.Type == signal.TypeLocked
	case m.Type == signal.TypeRenamed:
		v.roster[at].Name = m.Name
	case m.Type == signal.TypeBye && m.From != v.self && at >= 0 && v.roster[at].Session == m.Session:
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
			if v.locked != w.rules[r].locked {
				w.fail("connection %d believes that the room is locked: %v", s.conn, v.locked)
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
	return w.enterWith(r, id, proven, nil)
}

func (w *world) enterWith(r *room[int], id string, proven bool, rights signal.Rights) verdict {
	w.t.Helper()
	rules := w.rules[r]
	w.last++
	c := w.last
	w.home[c], w.views[c] = r, &view{}
	before := r.members()
	var until time.Time
	if w.temporary(id) {
		until = w.hour(1)
	}
	deliveries, v := r.enter(c, request{
		member: signal.Member{ID: id, Name: "이름" + id, Session: fmt.Sprint("session", c), Rights: rights},
		proven: proven, joined: &signal.Message{Type: signal.TypeJoined}, until: until, parting: w.parting(c),
	})
	known := slices.ContainsFunc(before, func(m signal.Member) bool { return m.ID == id })
	want := admitted
	switch {
	case rules.kicked[id]:
		want = out
	case (known || rules.lost[id]) && !proven:
		want = contested
	case !known && rules.locked && !rules.lost[id]:
		want = shut
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
		w.forget(r, id)
		others := slices.DeleteFunc(r.members(), func(m signal.Member) bool { return m.ID == id })
		if told := w.views[c].roster; !slices.EqualFunc(told[:len(told)-1], others, sameMember) {
			w.fail("joined told %v, not %v in join order", told, others)
		}
		if last := r.members()[len(others)]; last.ID != id {
			w.fail("%s has entered, and %s is behind it", id, last.ID)
		}
	}
	return v
}

// step lets something happen, and forgets a room that it leaves empty, as the
// hub does.
func (w *world) step(random chooser) {
	w.t.Helper()
	i := random.IntN(len(w.rooms))
	w.stepIn(w.rooms[i], random)
	if old := w.rooms[i]; len(old.seats) == 0 {
		w.open(i, old.name, old.limit)
	}
}

func (w *world) stepIn(r *room[int], random chooser) {
	w.t.Helper()
	c := 1 + random.IntN(w.last+1) // any connection there ever was, in whichever room
	id := string(rune('a' + random.IntN(6)))
	at := r.seated(c)
	note := func(format string, args ...any) { w.steps = append(w.steps, r.name+": "+fmt.Sprintf(format, args...)) }
	switch random.IntN(15) {
	case 14:
		late := random.IntN(4)
		note("moves to another hub, the last %d come late", late)
		w.move(r, late)
	case 13:
		note("%d posts a bye as %s", c, id)
		w.part(r, c, id)
	case 0, 1, 2:
		proven := random.IntN(2) == 0
		rights := [...]signal.Rights{nil, {}, signal.AllRights()}[random.IntN(3)]
		note("%d enters as %s, proven %v, with %v", w.last+1, id, proven, rights)
		w.enterWith(r, id, proven, rights)
	case 3:
		why := [...]signal.Reason{signal.ReasonLost, signal.ReasonLeft}[random.IntN(2)]
		note("%d is gone: %s", c, why)
		if at >= 0 && why == signal.ReasonLost {
			gone := r.seats[at].member.ID
			w.rules[r].absent[gone], w.rules[r].lost[gone], w.rules[r].last[gone] = true, r.locked, c
		}
		deliveries := r.leave(c, why)
		w.take(r, deliveries)
		if at >= 0 {
			w.views[c].over = true
		} else if len(deliveries) > 0 {
			w.fail("the end of a connection that was no member was heard of")
		}
	case 4:
		if random.IntN(4) == 0 {
			note("%s is kicked", id)
			there := r.find(id) >= 0 || w.rules[r].absent[id]
			w.rules[r].kicked[id] = w.rules[r].kicked[id] || there
			deliveries := r.kick(id)
			if (len(deliveries) > 0) != there {
				w.fail("a kick was delivered as %+v", deliveries)
			}
			w.take(r, deliveries)
			w.forget(r, id)
			return
		}
		if random.IntN(2) == 0 {
			note("%d has its time over", c)
			w.take(r, r.expire(c))
			return
		}
		note("the time of who is lost is over")
		w.take(r, r.overdue(w.hour(1)))
		for id := range w.rules[r].absent {
			if w.temporary(id) {
				w.forget(r, id)
			}
		}
	case 5:
		note("%d is renamed", c)
		w.take(r, r.rename(c, fmt.Sprint("name", len(w.steps))))
	case 6:
		if random.IntN(8) == 0 {
			note("is closed")
			w.take(r, r.close(signal.ReasonClosed, 0))
		}
	case 7, 8:
		note("%d chats", c)
		text := fmt.Sprint(len(w.steps))
		if at >= 0 && r.seats[at].member.May(signal.RightChat) {
			for _, s := range r.seats {
				w.said[s.conn] = append(w.said[s.conn], r.seats[at].member.ID+text)
			}
		}
		w.take(r, r.chat(c, &signal.Message{Type: signal.TypeChat, ID: text, Text: "안녕"}, 1))
	case 9:
		note("%d sends to %s", c, id)
		w.relay(r, c, id)
	default:
		w.moderate(r, c, id, random)
	}
}

// parting is what a connection's bye is signed for.
func (w *world) parting(c int) parting { return parting{nonce: signal.Bytes(fmt.Sprint(c))} }

// part posts a bye that is signed for a connection: it counts if that is the member's, or was when it was lost.
func (w *world) part(r *room[int], c int, id string) {
	w.t.Helper()
	at := r.find(id)
	here, was := at >= 0 && r.seats[at].conn == c, w.rules[r].last[id] == c
	of := w.parting(c)
	conn, deliveries, ok := r.part(id, &of)
	if ok != (here || was) || here != (conn == c) {
		w.fail("a posted bye: %v, %v", conn, ok)
	}
	if here {
		w.views[c].over = true
	}
	if ok {
		w.forget(r, id)
	}
	w.take(r, deliveries)
}

// forget notes that a member is gone for good.
func (w *world) forget(r *room[int], id string) {
	delete(w.rules[r].absent, id)
	delete(w.rules[r].lost, id)
	delete(w.rules[r].last, id)
}

// temporary reports whether a member's authorisation ends in hour 1.
func (w *world) temporary(id string) bool { return id < "c" }

func (w *world) hour(n int64) time.Time { return time.Unix(n*3600, 0) }

// moderate asks for something that takes a right: done with it, refused
// without.
func (w *world) moderate(r *room[int], c int, id string, random chooser) {
	w.t.Helper()
	all := []signal.Type{signal.TypeKick, signal.TypeLock, signal.TypeLock, signal.TypeUnlock, signal.TypeUnlock, signal.TypeMute, signal.TypeClose}
	what := all[random.IntN(len(all))]
	w.steps = append(w.steps, fmt.Sprintf("%s: %d asks for a %s of %s", r.name, c, what, id))
	at, there, before := r.seated(c), r.find(id) >= 0, len(r.seats)
	may := at >= 0 && r.seats[at].member.May(rightsNeeded[what])
	rules := w.rules[r]
	again := what == signal.TypeKick && rules.kicked[id] && r.kicked(id, "") != nil
	deliveries := r.moderate(c, &signal.Message{Type: what, To: id, Name: "카메라"})
	w.take(r, deliveries)
	aimed := what == signal.TypeKick || what == signal.TypeMute
	seated := there
	there = there || what == signal.TypeKick && rules.absent[id]
	switch {
	case at < 0:
		if len(deliveries) > 0 {
			w.fail("a request of a connection that is no member was answered")
		}
	case may && again && !there:
		if len(deliveries) != 1 || !slices.Equal(deliveries[0].to, []int{c}) || deliveries[0].message.From != id {
			w.fail("a kick that came again was answered %+v", deliveries)
		}
	case !may || aimed && !there:
		code := signal.CodeForbidden
		if may {
			code = signal.CodeNoSuchMember
		}
		if len(deliveries) != 1 || !slices.Equal(deliveries[0].to, []int{c}) || deliveries[0].message.Code != code {
			w.fail("a %s was answered %+v, want %s", what, deliveries, code)
		}
	case what == signal.TypeKick:
		rules.kicked[id] = true
		w.forget(r, id)
		if seated {
			before--
		}
		if len(r.seats) != before {
			w.fail("%d members after a kick, want %d", len(r.seats), before)
		}
		if bye := deliveries[len(deliveries)-1]; bye.message.From != id || bye.message.Reason != signal.ReasonKicked || len(bye.to) != len(r.seats) && len(r.seats) > 0 {
			w.fail("a kick was delivered as %+v", deliveries)
		}
	case what == signal.TypeClose:
		if len(r.seats) > 0 {
			w.fail("%d members after a close", len(r.seats))
		}
	case what == signal.TypeLock || what == signal.TypeUnlock:
		if locks := what == signal.TypeLock; rules.locked != locks {
			rules.locked = locks
			clear(rules.lost)
		}
	case what == signal.TypeMute:
		if got := deliveries[0].message; got.To != id || got.Name != "카메라" || !slices.Contains(deliveries[0].to, r.seats[r.find(id)].conn) {
			w.fail("a mute was delivered as %+v", deliveries)
		}
	}
}

// relay sends a pair frame, which one connection must get and no other.
func (w *world) relay(r *room[int], c int, to string) {
	w.t.Helper()
	deliveries := r.relay(c, &signal.Message{Type: signal.TypeOffer, From: "forged", To: to, Seq: 1, Body: []byte("x")})
	from, at := r.seated(c), r.find(to)
	switch {
	case from < 0:
		if len(deliveries) > 0 {
			w.fail("a frame of a connection that is no member went out")
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

// The same id from a new connection takes the place of the old one, whose late end must then remove
// no member.
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
		t.Error("the old connection got no bye")
	}
	if got := r.leave(1, signal.ReasonLost); got != nil {
		t.Errorf("the late end of the old connection was told: %v", got)
	}
	if got := r.members(); len(got) != 3 || got[2].ID != "a" || got[2].Session != "session5" {
		t.Errorf("members: %v", got)
	}
}

// Whoever comes back goes to the end of the order, whether the hub had noticed its absence or not: it expects all that are
// there, and they have got a welcome for it. So of each two the one before the other has had the welcome.
func TestReturnGoesToTheEnd(t *testing.T) {
	w := newWorld(t, 0)
	r := w.rooms[0]
	for _, id := range []string{"a", "b", "c", "d"} {
		w.enter(r, id, false)
	}
	order := func() (ids string) {
		for _, m := range r.members() {
			ids += m.ID
		}
		return ids
	}
	w.enter(r, "b", true) // on a second connection
	if got := order(); got != "acdb" {
		t.Errorf("after the return of b the order is %s", got)
	}
	w.take(r, r.leave(1, signal.ReasonLost))
	w.views[1].over = true
	w.enter(r, "a", true)
	if got := order(); got != "cdba" {
		t.Errorf("after the return of a the order is %s", got)
	}
	w.check()
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

// The fullest room there can be still fits into one frame: the longest names and every right, with
// as many ICE servers as there may be; and so does the fullest with accounts.
func TestFullestJoinedFits(t *testing.T) {
	longest := strings.Repeat(`"`, signal.MaxName) // two bytes each in JSON
	servers := []signal.ICEServer{{URLs: []string{"turn:" + strings.Repeat("x", mostICEServer-len(`{"urls":["turn:"]}`))}}}
	for members, account := range map[int]string{mostMembers: "", mostAccounts: strings.Repeat("<", signal.MaxAccount)} {
		config := (&Config{Limits: signal.Limits{Members: members, Rate: signal.MaxNumber, Burst: signal.MaxNumber}}).withDefaults()
		r := room[int]{name: longest, limit: members}
		for i := range members {
			key := signal.PublicKey(make([]byte, ed25519.PublicKeySize))
			key[0] = byte(i)
			member := signal.Member{
				ID: signal.MemberID(key), Name: longest, PublicKey: key, Session: signal.NewSession(), Rights: signal.AllRights(), Account: account,
			}
			if err := member.Verify(); err != nil {
				t.Fatal(err)
			}
			deliveries, _ := r.enter(i+1, request{
				member: member,
				joined: &signal.Message{
					Type: signal.TypeJoined, ICEServers: servers, Lifetime: signal.MaxNumber, Heartbeat: 3_600_000, Limits: &config.Limits, Locked: true,
				},
			})
			if i < members-1 {
				continue
			}
			frame, err := deliveries[0].message.Encode()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes", len(frame))
		}
	}
}
