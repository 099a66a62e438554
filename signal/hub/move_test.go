package hub

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"noom/internal/ownership"
	"noom/signal"
)

// carry is a memory as it comes to another hub.
func carry(t *testing.T, m *memory) ownership.Memory {
	t.Helper()
	o, err := m.handed()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var copied ownership.Memory
	if err = json.Unmarshal(data, &copied); err != nil {
		t.Fatal(err)
	}
	return copied
}

func taken(t *testing.T, o ownership.Memory) memory {
	t.Helper()
	m, err := memoryOf(&o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// carrySeat is a seat as it comes to another hub.
func carrySeat(t *testing.T, s *seat[int]) seat[int] {
	t.Helper()
	c, err := s.handed()
	if err != nil {
		t.Fatal(err)
	}
	moved, err := seatOf(s.conn, &c)
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// joinedAgain is what a connection hears of a room that has moved.
func joinedAgain(t *testing.T, r *room[int], c int) *signal.Message {
	t.Helper()
	roster := make([]jsontext.Value, len(r.seats))
	for i := range r.seats {
		handed, err := r.seats[i].handed()
		if err != nil {
			t.Fatal(err)
		}
		roster[i] = handed.Member
	}
	m := &signal.Message{Type: signal.TypeJoined}
	if err := rejoin(m, roster, r.seated(c), r.locked); err != nil {
		t.Fatal(err)
	}
	return m
}

// move lets another hub own a room. Those on the last seats are connected to a hub that attaches late. If there are none
// the room is the same as before, to the last detail.
func (w *world) move(r *room[int], late int) {
	w.t.Helper()
	var seats []seat[int]
	for i := range r.seats {
		seats = append(seats, carrySeat(w.t, &r.seats[i]))
	}
	o := carry(w.t, &r.memory)
	late = min(late, len(seats))
	onTime := seats[:len(seats)-late]
	if r.locked {
		for i := range late {
			s := &seats[len(onTime)+i]
			o.Away = append(o.Away, person(&s.member, s.identity))
		}
	}
	fresh := &room[int]{name: r.name, limit: r.limit}
	at := slices.Index(w.rooms, r)
	w.rooms[at], w.rules[fresh] = fresh, w.rules[r]
	for c, home := range w.home {
		if home == r {
			w.home[c] = fresh
		}
	}
	told := fresh.open(taken(w.t, o), slices.Clone(onTime))
	for _, s := range onTime {
		w.views[s.conn].see(joinedAgain(w.t, fresh, s.conn))
	}
	w.take(fresh, told)
	if late == 0 && (!sameMemory(&fresh.memory, &r.memory) || !slices.EqualFunc(fresh.seats, r.seats, sameSeat)) {
		w.fail("the room has become\n%+v\n%+v, not\n%+v\n%+v", fresh.memory, fresh.seats, r.memory, r.seats)
	}
	for _, s := range seats[len(onTime):] {
		told = fresh.readmit(s)
		w.views[s.conn].see(joinedAgain(w.t, fresh, s.conn))
		w.take(fresh, told)
	}
	if len(seats) > 0 && fresh.seats[len(seats)-1].conn != seats[len(seats)-1].conn {
		w.fail("who came late does not sit last: %v", fresh.members())
	}
}

func sameSeat(a, b seat[int]) bool {
	same := a.until.Equal(b.until)
	a.until, b.until = time.Time{}, time.Time{}
	return same && reflect.DeepEqual(a, b)
}

func sameMemory(a, b *memory) bool {
	return a.locked == b.locked && a.ended == b.ended && slices.Equal(a.barred, b.barred) &&
		slices.EqualFunc(a.absent, b.absent, func(x, y absence) bool {
			same := x.until.Equal(y.until)
			x.until, y.until = time.Time{}, time.Time{}
			return same && reflect.DeepEqual(x, y)
		}) &&
		slices.EqualFunc(a.ends, b.ends, func(x, y ending) bool { return reflect.DeepEqual(x, y) })
}

// moved lets the scene's room go on at another hub, with those connections alone.
func (s *scene) moved(m memory, conns ...int) {
	s.t.Helper()
	var seats []seat[int]
	for _, c := range conns {
		seats = append(seats, carrySeat(s.t, &s.room.seats[s.room.seated(c)]))
	}
	s.room = room[int]{name: s.room.name, limit: s.room.limit}
	s.see(s.room.open(m, seats))
}

// Another hub knows whatever this one did of members that are gone.
func TestMovedRoomRemembers(t *testing.T) {
	s := newScene(t, 8)
	host := s.enter("host", moderator)
	lost := s.enter("lost", request{identity: "계정", until: time.Unix(60, 5), parting: parting{"hub:8080", signal.Bytes("nonce")}})
	boss := s.enter("boss", request{member: signal.Member{Name: "Boss"}, named: true})
	back := s.enter("back", request{})
	s.enter("out", request{identity: "밖"})
	s.leave(s.enter("left", request{identity: "남"}), signal.ReasonLeft)
	s.leave(back, signal.ReasonLost)
	s.see(s.room.kick("out"))
	s.ask(host, signal.Message{Type: signal.TypeKick, To: "ghost", Session: "/9"})
	s.leave(lost, signal.ReasonLost)
	s.leave(boss, signal.ReasonLost)
	was := s.room.memory
	s.moved(taken(t, carry(t, &was)), host)
	s.expect("1: bye left/6 left", "1: bye out/5 kicked", "1: bye ghost/9 kicked")
	if !sameMemory(&s.room.memory, &was) {
		t.Errorf("it knows\n%+v, not\n%+v", s.room.memory, was)
	}
	s.enter("back", request{})
	s.expect("7: joined", "1: welcome", "7: bye out/5 kicked", "7: bye ghost/9 kicked")
	s.enter("imitator", request{member: signal.Member{Name: "boss"}})
	if got := s.room.members()[2].Name; got != "boss (2)" {
		t.Errorf("who takes a name that is reserved is called %q", got)
	}
	if _, v := s.try("out with another key", request{identity: "밖"}); v != out {
		t.Errorf("verdict %d on who was kicked, want out", v)
	}
	of := parting{"hub:8080", signal.Bytes("nonce")}
	if _, _, ok := s.room.part("lost", &of); !ok {
		t.Error("a bye for the last connection is not taken")
	}
}

// A locked room of which a hub knows the roster alone admits those who were in it, and no strangers.
func TestMovedRoomAwaits(t *testing.T) {
	s := newScene(t, 2)
	s.moved(taken(t, ownership.Memory{Locked: true, Away: []ownership.Person{{ID: "a", Session: "/1", Identity: "계정"}, {ID: "b"}}}))
	if _, _, key := s.room.parting("a", "/1"); key != nil {
		t.Errorf("a bye could be signed with the key %v", key)
	}
	if _, v := s.try("stranger", request{}); v != shut {
		t.Errorf("verdict %d on a stranger, want shut", v)
	}
	if v := s.room.judge(&request{member: signal.Member{ID: "a"}}); v != contested {
		t.Errorf("verdict %d on an unproven member, want contested", v)
	}
	s.enter("a", request{})
	s.see(s.room.kick("b"))
	if _, v := s.try("b", request{}); v != out {
		t.Errorf("verdict %d on who was kicked while away, want out", v)
	}
}

// Who was let in before is not refused for the limit; newcomers are. It sits last, and learns who has gone meanwhile.
func TestReadmitted(t *testing.T) {
	s := newScene(t, 2)
	a, b := s.enter("a", request{}), s.enter("b", request{named: true})
	late := carrySeat(t, &s.room.seats[0])
	s.leave(a, signal.ReasonLost)
	s.enter("c", request{})
	s.see(s.room.kick("c"))
	s.enter("d", request{})
	s.see(s.room.readmit(late))
	s.expect("2: welcome", "4: welcome", "1: bye c/3 kicked")
	if got := s.room.members(); len(got) != 3 || got[2].ID != "a" || s.room.missed("a") >= 0 {
		t.Errorf("members %v, absent %v", got, s.room.absent)
	}
	if _, v := s.try("e", request{}); v != full {
		t.Errorf("verdict %d on a newcomer, want full", v)
	}
	s.see(s.room.remind(b))
	s.expect("2: bye c/3 kicked")
	s.see(s.room.remind(99))
	s.expect()
	m := joinedAgain(t, &s.room, 4)
	if m.Self.ID != "d" || m.Place != 2 || len(m.Members) != 2 || m.Members[0].ID != "b" || m.Members[1].ID != "a" {
		t.Errorf("d hears %+v", m)
	}
	for _, place := range []int{-1, 0} {
		if err := rejoin(m, nil, place, false); err == nil {
			t.Errorf("place %d in an empty roster is one", place)
		}
	}
}

// The name that the authorisation gave one member is not that of another which was at another hub.
func TestNamesFromOtherHubs(t *testing.T) {
	boss := seat[int]{conn: 1, member: signal.Member{ID: "boss", Name: "Boss"}, named: true}
	imitator := seat[int]{conn: 2, member: signal.Member{ID: "imitator", Name: "bοss"}} // with an omicron
	for name, bring := range map[string]func(r *room[int]) []delivery[int]{
		"opened":              func(r *room[int]) []delivery[int] { return r.open(memory{}, []seat[int]{imitator, boss}) },
		"imitator comes late": func(r *room[int]) []delivery[int] { r.open(memory{}, []seat[int]{boss}); return r.readmit(imitator) },
		"boss comes late":     func(r *room[int]) []delivery[int] { r.open(memory{}, []seat[int]{imitator}); return r.readmit(boss) },
	} {
		r := &room[int]{name: "데모", limit: 4}
		told := bring(r)
		at := slices.IndexFunc(told, func(d delivery[int]) bool { return d.message.Type == signal.TypeRenamed })
		if at < 0 || told[at].message.From != "imitator" || len(told[at].to) != 2 {
			t.Fatalf("%s: nobody is renamed, or not everybody learns of it: %+v", name, told)
		}
		if got := r.seats[r.find("imitator")].member.Name; got != "bοss (2)" || got != told[at].message.Name {
			t.Errorf("%s: the imitator is called %q", name, got)
		}
		if got := r.seats[r.find("boss")].member.Name; got != "Boss" {
			t.Errorf("%s: the boss is called %q", name, got)
		}
	}
}

// Two halves of a room that were torn apart know what either did.
func TestAdopted(t *testing.T) {
	s := newScene(t, 8)
	s.enter("host", moderator)
	gone, b := s.enter("gone", request{}), s.enter("b", request{})
	s.enter("early", request{})
	s.see(s.room.kick("early"))
	s.leave(gone, signal.ReasonLost)
	other := newScene(t, 8)
	other.moved(taken(t, carry(t, &s.room.memory)))
	host := other.enter("there", moderator)
	other.enter("kicked", request{})
	other.enter("away", request{})
	other.see(other.room.kick("kicked"))
	other.ask(host, signal.Message{Type: signal.TypeLock})
	other.leave(3, signal.ReasonLost)

	mine, theirs := carry(t, &s.room.memory), carry(t, &other.room.memory)
	mine.Locked, mine.Away, mine.Barred, mine.Rest = true, theirs.Away, theirs.Barred, append(mine.Rest, theirs.Rest...)
	s.see(s.room.adopt(taken(t, mine)))
	s.expect("1: locked", "3: locked", "1: bye kicked/2 kicked", "3: bye kicked/2 kicked")
	s.see(s.room.adopt(taken(t, carry(t, &s.room.memory))))
	s.expect()
	if n := len(s.room.ends); n != 2 {
		t.Errorf("%d ends are remembered, of which both halves know one", n)
	}
	s.leave(b, signal.ReasonLeft)
	s.enter("away", request{})
	s.expect("5: joined", "1: welcome", "5: bye early/4 kicked", "5: bye kicked/2 kicked", "5: bye b/3 left")
	if s.room.missed("gone") < 0 {
		t.Errorf("who was lost here is forgotten: %v", s.room.absent)
	}
	s.see(s.room.adopt(taken(t, ownership.Memory{}))) // the room has ended
	s.expect("1: unlocked", "5: unlocked")
	if !sameMemory(&s.room.memory, &memory{}) {
		t.Errorf("a room that has ended remembers %+v", s.room.memory)
	}
}

// Whoever sits here was not lost, whatever another hub believes.
func TestAdoptedIsHere(t *testing.T) {
	s := newScene(t, 4)
	s.enter("a", request{})
	m := taken(t, ownership.Memory{Locked: true, Away: []ownership.Person{{ID: "a", Session: "/1"}, {ID: "b"}}})
	m.ends = []ending{{goodbye(&signal.Member{ID: "a", Session: "/1"}, signal.ReasonLeft), 1}}
	s.see(s.room.adopt(m))
	s.expect("1: locked")
	if s.room.missed("a") >= 0 || !s.room.awaits("b") {
		t.Errorf("absent are %v", s.room.absent)
	}
	other := newScene(t, 4)
	other.enter("x", request{})
	memory := taken(t, ownership.Memory{Locked: true, Away: []ownership.Person{{ID: "x"}}})
	if other.moved(memory, 1); other.room.missed("x") >= 0 {
		t.Errorf("absent are %v", other.room.absent)
	}
}

// A hub that has fewer places remembers as much as it may, the most important longest.
func TestMovedMemoryIsBounded(t *testing.T) {
	s := newScene(t, 20)
	host := s.enter("host", moderator)
	s.enter("kicked", request{})
	for i := range 30 {
		s.leave(s.enter(fmt.Sprint("x", i), request{identity: "계정"}), signal.ReasonLeft)
	}
	s.see(s.room.kick("kicked"))
	awaited := s.enter("awaited", request{})
	s.see(s.room.lock(true))
	s.leave(awaited, signal.ReasonLost)
	m := taken(t, carry(t, &s.room.memory))
	s.room.limit = 4
	s.moved(m, host)
	if len(s.room.absent) != 8 || len(s.room.ends) != 8 || !s.room.awaits("awaited") || s.room.kicked("kicked", "") == nil {
		t.Errorf("it remembers %+v", s.room.memory)
	}
}

// The fullest memory there can be fits into a message between hubs, and ownership carries all of it.
func TestFullestMemoryFits(t *testing.T) {
	longest := strings.Repeat(`"`, signal.MaxName) // two bytes each in JSON
	r := room[int]{name: "데모", limit: mostMembers}
	r.memory.locked = true
	for i := range 2 * mostMembers {
		key := signal.PublicKey(make([]byte, 32))
		key[0], key[1] = byte(i), byte(i>>8)
		member := signal.Member{ID: signal.MemberID(key), Name: longest, PublicKey: key, Session: signal.NewSession(), Rights: signal.AllRights()}
		r.absent = append(r.absent, absence{
			member: member, identity: strings.Repeat("계", 100), named: true, until: time.Unix(1<<40, 1), lost: true, awaited: true,
			parting: parting{strings.Repeat("h", 260), make(signal.Bytes, 32)}, ended: 1 << 30,
		})
		r.note(goodbye(&member, signal.ReasonKicked))
		r.bar(barredMember{id: member.ID})
	}
	o := carry(t, &r.memory)
	hub := ownership.Message{
		Type: ownership.TypeAttach, Hub: strings.Repeat("0", 32), Room: r.name, N: 1, State: &ownership.State{Lineage: []string{"a"}, Memory: o},
	}
	data, err := hub.Encode()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, %d of them for ownership to carry", len(data), len(o.Rest[0]))
}

// What another hub says and nobody can read costs no lock and no kick.
func TestUnreadableFromOtherHubs(t *testing.T) {
	o := ownership.Memory{Locked: true, Barred: []ownership.Person{{ID: "a"}}, Rest: []jsontext.Value{[]byte(`7`)}}
	m, err := memoryOf(&o)
	if err == nil || !m.locked || len(m.barred) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	for name, member := range map[string]string{
		"no JSON":     `{`,
		"another id":  `{"id":"b","name":"","key":"","session":""}`,
		"a short key": `{"id":"a","name":"","key":"AAAA","session":""}`,
	} {
		if _, err := seatOf(1, &ownership.Conn{Person: ownership.Person{ID: "a"}, Member: []byte(member)}); err == nil {
			t.Errorf("%s: it has a seat", name)
		}
	}
	if err := rejoin(&signal.Message{}, []jsontext.Value{[]byte(`7`)}, 0, false); err == nil {
		t.Error("a roster that cannot be read is one")
	}
	short := ownership.Memory{Rest: []jsontext.Value{[]byte(`{"absent":[{"id":"a","name":"","key":"AAAA","session":"/1","lost":true}]}`)}}
	m = taken(t, short)
	if len(m.absent) != 1 || m.absent[0].member.PublicKey != nil {
		t.Errorf("absent are %+v", m.absent)
	}
}
