package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"noom/signal"
)

// A scene is a room in which a test lets members come and go, each once.
type scene struct {
	t    *testing.T
	room room[int]
	last int
	told []string // what was delivered by the last event, as "to: type name reason"
}

func newScene(t *testing.T, limit int) *scene {
	return &scene{t: t, room: room[int]{name: "데모", limit: limit}}
}

func (s *scene) see(deliveries []delivery[int]) {
	s.told = nil
	for _, d := range deliveries {
		for _, c := range d.to {
			m := d.message
			s.told = append(s.told, strings.TrimSpace(fmt.Sprintf("%d: %s %s%s %s%s", c, m.Type, m.From, m.Session, m.Reason, m.Code)))
		}
	}
}

// expect checks the frames of the last event.
func (s *scene) expect(want ...string) {
	s.t.Helper()
	if !slices.Equal(s.told, want) {
		s.t.Errorf("told %q, want %q", s.told, want)
	}
}

// enter brings a member in and returns the connection.
func (s *scene) enter(id string, q request) int {
	s.t.Helper()
	c, v := s.try(id, q)
	if v != admitted {
		s.t.Fatalf("%s: verdict %d, want admitted", id, v)
	}
	return c
}

func (s *scene) try(id string, q request) (int, verdict) {
	s.last++
	q.member.ID, q.member.Session = id, fmt.Sprint("/", s.last)
	q.proven, q.joined = true, &signal.Message{Type: signal.TypeJoined}
	deliveries, v := s.room.enter(s.last, q)
	s.see(deliveries)
	return s.last, v
}

func (s *scene) leave(c int, why signal.Reason) { s.see(s.room.leave(c, why)) }

func (s *scene) ask(c int, m signal.Message) { s.see(s.room.moderate(c, &m)) }

var moderator = request{member: signal.Member{Rights: signal.AllRights()}}

// A member that has cut its line to the hub is kicked like any other, and does not come back.
func TestKickOfWhoIsLost(t *testing.T) {
	s := newScene(t, 8)
	host := s.enter("host", moderator)
	m := s.enter("m", request{identity: "계정"})
	s.leave(m, signal.ReasonLost)
	s.ask(host, signal.Message{Type: signal.TypeKick, To: "m"})
	s.expect("1: bye m/2 kicked")
	for _, id := range []string{"m", "m with another key"} {
		if _, v := s.try(id, request{identity: "계정"}); v != out {
			t.Errorf("%s: verdict %d, want out", id, v)
		}
	}
}

// A kick that is sent again, because its sender may not have seen the answer, is confirmed to the sender alone. One in
// another session is a new one, as long as members may know the member in that.
func TestKickAgain(t *testing.T) {
	s := newScene(t, 8)
	host := s.enter("host", moderator)
	s.enter("b", request{})
	s.enter("m", request{})
	kick := signal.Message{Type: signal.TypeKick, To: "m"}
	s.ask(host, kick)
	s.expect("3: bye m/3 kicked", "1: bye m/3 kicked", "2: bye m/3 kicked")
	s.ask(host, kick)
	s.expect("1: bye m/3 kicked")
	kick.Session = "/3"
	s.ask(host, kick)
	s.expect("1: bye m/3 kicked")
	kick.Session = "/9"
	s.ask(host, kick)
	s.expect("1: bye m/9 kicked", "2: bye m/9 kicked")
	if len(s.room.barred) != 1 || s.room.barred[0].unseen {
		t.Errorf("barred are %+v for kicks of one who was here", s.room.barred)
	}
	s.leave(s.enter("left", request{}), signal.ReasonLeft)
	s.ask(host, signal.Message{Type: signal.TypeKick, To: "left"})
	s.expect("1: error  no_such_member")
}

// A member kicked under one key is out under those too that it has lost.
func TestKickOfAnIdentity(t *testing.T) {
	s := newScene(t, 8)
	s.enter("host", moderator)
	s.leave(s.enter("m1", request{identity: "계정"}), signal.ReasonLost)
	s.leave(s.enter("other", request{identity: "남"}), signal.ReasonLost)
	s.enter("m2", request{identity: "계정"})
	s.see(s.room.kick("m2"))
	s.expect("4: bye m2/4 kicked", "1: bye m2/4 kicked", "1: bye m1/2 kicked")
}

// A kick that comes just after the member has left still keeps its identity out.
func TestKickOfWhoLeft(t *testing.T) {
	s := newScene(t, 8)
	s.enter("host", moderator)
	s.leave(s.enter("m", request{identity: "계정"}), signal.ReasonLeft)
	s.see(s.room.kick("m"))
	s.expect("1: bye m/2 kicked")
	if _, v := s.try("m with another key", request{identity: "계정"}); v != out {
		t.Errorf("verdict %d, want out", v)
	}
}

// After a restart the hub does not know to which others the members are still connected. A
// moderator's client names the session, and that is enough.
func TestKickOfWhomOnlyMembersKnow(t *testing.T) {
	s := newScene(t, 8)
	host := s.enter("host", moderator)
	s.enter("b", request{})
	s.ask(host, signal.Message{Type: signal.TypeKick, To: "ghost"})
	s.expect("1: error  no_such_member")
	s.ask(host, signal.Message{Type: signal.TypeKick, To: "ghost", Session: "/9"})
	s.expect("1: bye ghost/9 kicked", "2: bye ghost/9 kicked")
	if _, v := s.try("ghost", request{}); v != out {
		t.Errorf("verdict %d, want out", v)
	}
	// Members that were never seen do not push kicked ones out of memory.
	s.enter("m", request{identity: "계정"})
	s.see(s.room.kick("m"))
	for i := range 2 * maxBarred {
		s.ask(host, signal.Message{Type: signal.TypeKick, To: fmt.Sprint("ghost", i), Session: "/9"})
	}
	if _, v := s.try("m", request{}); v != out || len(s.room.barred) != maxBarred {
		t.Errorf("verdict %d, want out; %d are barred", v, len(s.room.barred))
	}
}

// An authorisation ends for a lost member as for a present one, once.
func TestExpiryOfWhoIsLost(t *testing.T) {
	s := newScene(t, 8)
	noon := time.Unix(43200, 0)
	s.enter("host", moderator)
	late := s.enter("late", request{until: noon.Add(time.Hour)})
	soon := s.enter("soon", request{until: noon})
	left := s.enter("left", request{until: noon, identity: "계정"})
	s.leave(late, signal.ReasonLost)
	s.leave(soon, signal.ReasonLost)
	s.leave(left, signal.ReasonLeft)
	if next := s.room.nextOverdue(); !next.Equal(noon) {
		t.Errorf("next at %v, want noon", next)
	}
	s.see(s.room.overdue(noon.Add(-1)))
	s.expect()
	s.see(s.room.overdue(noon))
	s.expect("1: bye soon/3 expired")
	s.see(s.room.overdue(noon))
	s.expect()
	s.enter("late", request{until: noon.Add(2 * time.Hour)}) // it is back, with a new token
	if next := s.room.nextOverdue(); !next.IsZero() {
		t.Errorf("next at %v, want never", next)
	}
}

// However many are lost, a room remembers twice its places, and above all those that a locked room
// awaits. A member whose end it could no longer announce is sent away at once.
func TestAbsencesAreBounded(t *testing.T) {
	s := newScene(t, 4)
	s.enter("host", moderator)
	ghost := s.enter("ghost", request{})
	guest := s.enter("guest", request{until: time.Unix(1<<40, 0)})
	s.leave(guest, signal.ReasonLost)
	s.see(s.room.lock(true))
	s.leave(ghost, signal.ReasonLost)
	s.room.locked = false // so that strangers come while it is awaited
	for i := range 50 {
		s.leave(s.enter(fmt.Sprint("x", i), request{}), signal.ReasonLost)
		if len(s.room.absent) > 8 {
			t.Fatalf("%d are remembered", len(s.room.absent))
		}
	}
	if s.room.missed("guest") < 0 || !s.room.awaits("ghost") {
		t.Errorf("those that matter were forgotten: %v", s.room.absent)
	}
	for i := range 7 {
		s.leave(s.enter(fmt.Sprint("y", i), request{until: time.Unix(1<<40, 0)}), signal.ReasonLost)
	}
	s.expect("1: bye guest/3 expired", "1: bye y6/60 lost")
}

// A lock admits a lost member, a kick does not.
func TestLockAndKickOfWhoIsLost(t *testing.T) {
	s := newScene(t, 4)
	s.enter("host", moderator)
	a, b := s.enter("a", request{}), s.enter("b", request{})
	s.see(s.room.lock(true))
	s.leave(a, signal.ReasonLost)
	s.leave(b, signal.ReasonLost)
	s.see(s.room.kick("a"))
	if _, v := s.try("a", request{}); v != out {
		t.Errorf("a: verdict %d, want out", v)
	}
	s.enter("b", request{})
}

// A member that has lost the hub misses who is sent away meanwhile, and may still be connected to
// that member. It learns it when it is back, once.
func TestEndsMissed(t *testing.T) {
	s := newScene(t, 8)
	s.enter("host", moderator)
	a := s.enter("a", request{})
	s.leave(s.enter("before", request{}), signal.ReasonLeft)
	s.enter("kicked", request{})
	left := s.enter("left", request{})
	s.enter("reborn", request{})
	s.leave(s.enter("lost", request{until: time.Unix(5, 0)}), signal.ReasonLost)
	s.leave(a, signal.ReasonLost)
	s.see(s.room.kick("kicked"))
	s.leave(left, signal.ReasonLeft)
	s.see(s.room.overdue(time.Unix(5, 0)))
	s.enter("reborn", request{})
	s.enter("a", request{})
	s.expect("9: joined", "1: welcome", "8: welcome",
		"9: bye kicked/4 kicked", "9: bye left/5 left", "9: bye lost/7 expired", "9: bye reborn/6 left")
	s.leave(9, signal.ReasonLost)
	s.enter("a", request{})
	s.expect("10: joined", "1: welcome", "8: welcome")
	s.enter("stranger", request{})
	s.expect("11: joined", "1: welcome", "8: welcome", "10: welcome")
}

// As many ends are remembered as absences; those by leaving are forgotten first.
func TestEndsAreBounded(t *testing.T) {
	s := newScene(t, 4)
	s.enter("host", moderator)
	a := s.enter("a", request{})
	s.enter("m", request{})
	s.leave(a, signal.ReasonLost)
	s.see(s.room.kick("m"))
	for i := range 100 {
		s.leave(s.enter(fmt.Sprint("x", i), request{}), signal.ReasonLeft)
	}
	if len(s.room.ends) != 8 {
		t.Errorf("%d are remembered", len(s.room.ends))
	}
	s.enter("a", request{})
	if len(s.told) != 1+1+7 || s.told[2] != "104: bye m/3 kicked" {
		t.Errorf("told %q", s.told)
	}
}
