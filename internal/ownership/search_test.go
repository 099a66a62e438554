package ownership

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"noom/internal/longtest"
)

// wholeWithin is how many beats after everything is well again there is one room with all its members.
const wholeWithin = 5

// play lets things happen, then heals everything and checks the room.
func (w *world) play() {
	for range 25 {
		w.happen()
		w.ticks(w.IntN(4))
	}
	if w.partial {
		w.tornAndWhole()
	}
	for i, h := range w.hubs {
		for h.stopped > 0 {
			h.goOn()
		}
		if h.draining > 0 {
			w.kill(i)
		}
		if !w.hubs[i].alive {
			w.start(i)
		}
	}
	w.ticks(deadAfter + 2) // until the dead are known to be dead
	clear(w.cut)
	w.well = true
	w.say("all is well again")
	for beat := 1; beat <= 60; beat++ {
		w.quiet = beat > 56 // those who are refused no longer ask
		w.ticks(1)
		switch {
		case w.whole() != "":
			w.healed = 0
		case w.healed == 0:
			w.healed = beat
		}
		if beat == 20 { // pings find what is half-open
			w.findHalfOpen()
		}
	}
	w.check()
}

// happen lets one thing happen.
func (w *world) happen() {
	if n := w.IntN(15); n <= 4 || n == 11 || n == 14 {
		w.happenToHubs(n)
	} else {
		w.happenToMembers(n)
	}
}

func (w *world) happenToHubs(n int) {
	switch n {
	case 0:
		if i := w.IntN(len(w.hubs)); w.deaths && w.others(i) > 0 && w.hubs[i].alive {
			w.kill(i)
		}
	case 1:
		if i := w.IntN(len(w.hubs)); !w.hubs[i].alive {
			w.start(i)
		}
	case 2:
		if w.cuts {
			w.cutOff(w.IntN(len(w.hubs)), w.IntN(len(w.hubs)), w.IntN(3) == 0)
		}
	case 3, 4:
		for i := range len(w.hubs) * len(w.hubs) {
			if key := [2]int{i / len(w.hubs), i % len(w.hubs)}; w.cut[key] {
				delete(w.cut, key)
				delete(w.cut, [2]int{key[1], key[0]})
				w.say("healed %v", key)
				break
			}
		}
	case 14:
		if w.stops {
			w.hubs[w.IntN(len(w.hubs))].stop(1 + w.IntN(16))
		}
	case 11:
		if i := w.IntN(len(w.hubs)); w.deaths && w.others(i) > 0 && w.hubs[i].alive && w.hubs[i].draining == 0 {
			w.say("%v drains", w.hubs[i])
			w.hubs[i].draining = 1
			w.hubs[i].cluster.Drain()
			w.hubs[i].viewed()
		}
	}
}

func (w *world) happenToMembers(n int) {
	moderator := w.members[0]
	switch n {
	case 5, 6:
		w.chat(w.members[w.IntN(len(w.members))])
	case 7:
		if moderator.in && !w.lockSet {
			w.lockSet = true
			moderator.hub.hear(moderator.conn, "lock")
		}
	case 8:
		if len(w.members) < 7 {
			w.arrive()
		}
	case 9:
		if m := w.members[w.IntN(len(w.members))]; m.in {
			w.say("%s has lost its socket, and its hub does not know", m.id)
			m.leave(w.IntN(2))
		}
	case 10:
		if moderator.in && w.lockSet && w.IntN(2) == 0 {
			moderator.hub.hear(moderator.conn, "unlock")
		}
	case 12:
		if out := w.members[1+w.IntN(len(w.members)-1)]; moderator.in && len(w.kicks) == 0 {
			moderator.hub.hear(moderator.conn, "kick "+out.id)
		}
	case 13:
		if m := w.members[1+w.IntN(len(w.members)-1)]; m.conn != 0 {
			w.say("%s leaves, and comes back", m.id)
			conn := m.conn
			m.leave(3)
			m.locked = false
			m.hub.lose(conn, "left")
		}
	}
}

// others counts the hubs beside i that a member can dial.
func (w *world) others(i int) int {
	n := 0
	for k, h := range w.hubs {
		if k != i && h.alive && h.draining == 0 {
			n++
		}
	}
	return n
}

func (w *world) cutOff(a, b int, oneWay bool) {
	for _, key := range [][2]int{{a, b}, {b, a}} {
		if a != b && !w.cut[key] {
			w.cut[key] = true
			w.flying[key] = nil
			w.say("cut %v", key)
		}
		if oneWay {
			return
		}
	}
}

func (w *world) chat(m *member) {
	if !m.in {
		return
	}
	id := fmt.Sprintf("c%d", len(w.chats))
	w.chats = append(w.chats, &chat{id: id})
	m.waiting = append(m.waiting, id)
	m.hub.hear(m.conn, "chat "+id)
}

func (w *world) findHalfOpen() {
	for _, h := range w.hubs {
		for _, conn := range h.sorted() {
			if s := h.conns[conn]; s != nil && !s.live() {
				h.lose(conn, ReasonLost)
			}
		}
	}
}

// tornAndWhole cuts one link for good: those that hear most have one owner still.
func (w *world) tornAndWhole() {
	clear(w.cut)
	for i, h := range w.hubs {
		if !h.alive || h.draining > 0 {
			if h.alive {
				w.kill(i)
			}
			w.start(i)
		}
	}
	w.ticks(8)
	a := w.IntN(len(w.hubs))
	w.cutOff(a, (a+1+w.IntN(len(w.hubs)-1))%len(w.hubs), false)
	w.ticks(24)
	if why := w.whole(); why != "" {
		w.fail("one link is cut, and %s", why)
	}
}

// whole says why there is not one room with everybody in it who is connected.
func (w *world) whole() string {
	var owner *hub
	for _, h := range w.hubs {
		switch {
		case h.room == nil || h.room.owned == nil:
		case h.room.owned.gathering:
			return fmt.Sprintf("%v still gathers", h)
		case len(h.step.seats) == 0 && len(h.room.owned.edges) == 0: // a room that is over
		case owner != nil:
			return fmt.Sprintf("%v and %v own the room", owner, h)
		default:
			owner = h
		}
	}
	for _, m := range w.members {
		if m.in && (owner == nil || owner.step.seated(Address{m.hub.id, m.conn}) < 0) {
			return fmt.Sprintf("%s is not in the room at %v", m.id, owner)
		}
	}
	return ""
}

// check checks the room at rest.
func (w *world) check() {
	if why := w.whole(); why != "" {
		w.fail("at rest %s", why)
		return
	}
	if w.healed > wholeWithin {
		w.fail("whole only after %d beats", w.healed)
	}
	var in []string
	var rest Memory
	for _, h := range w.hubs {
		w.checkHub(h)
		if h.step != nil && len(h.step.seats) > 0 {
			for _, s := range h.step.seats {
				if m := w.member(s.ID); !m.in || m.conn != s.Conn.Conn || m.hub.id != s.Hub {
					w.fail("%v seats the ghost %s at %.4s", h, s.ID, s.Hub)
				}
				in = append(in, s.ID)
			}
			rest = h.step.memory
		}
	}
	slices.Sort(in)
	for _, m := range w.members {
		w.checkMember(m, in, &rest)
	}
}

// checkHub checks that a hub remembers what it needs and nothing else.
func (w *world) checkHub(h *hub) {
	r := h.room
	if r == nil {
		return
	}
	if len(h.conns) == 0 && r.owned == nil {
		w.fail("%v remembers a room in which it has no part", h)
	}
	if r.owned != nil && !slices.IsSortedFunc(r.owned.seats, func(a, b Seat) int {
		if a.before(&b) {
			return -1
		}
		return 1
	}) {
		w.fail("%v seats not in the order of entry", h)
	}
	if slices.ContainsFunc(h.held, func(s spoken) bool { return h.conns[s.conn] != nil }) {
		w.fail("%v still does not read %v", h, h.held)
	}
}

func (w *world) checkMember(m *member, in []string, rest *Memory) {
	barred := m.kicked && slices.ContainsFunc(rest.Barred, func(p Person) bool { return p.ID == m.id })
	switch kick := w.kicks[m.id]; {
	case kick != nil && kick.on && m.in:
		w.fail("%s was kicked and is back", m.id)
	case barred, m.in:
	case len(in) >= w.limit:
	case !rest.Locked:
		w.fail("%s is not in the room, and that is not locked", m.id)
	case m.locked && w.lock.on && !w.torn():
		w.fail("%s was in the room when it was locked, and is not let back in", m.id)
	}
	if !m.in {
		return
	}
	if roster := slices.Sorted(slices.Values(append(slices.Clone(m.roster), m.id))); !slices.Equal(roster, in) {
		w.fail("%s sees %v, in the room are %v", m.id, roster, in)
	}
	for _, id := range in {
		if id != m.id && !m.links[id] {
			w.fail("neither %s nor %s has begun a connection", m.id, id)
		}
	}
	if len(m.waiting) > 0 {
		w.fail("chats %v of %s were never confirmed", m.waiting, m.id)
	}
	for _, c := range w.chats {
		switch got := m.got[c.id]; {
		case m.inSince >= c.said:
		case got == 0 && c.on:
			w.fail("%s, in the room since %d, never got chat %s, said at %d", m.id, m.inSince, c.id, c.said)
		case got > c.says:
			w.fail("%s got chat %s, said %d times, %d times", m.id, c.id, c.says, got)
		}
	}
}

// played is one seed, from the beginning to the end.
func played(seed uint64, weather weather) *world {
	weather.codec = seed%16 == 0
	w := newWorld(seed, weather)
	w.play()
	return w
}

// search plays seeds of a weather. It returns how many went wrong, with the course of the first, and the slowest
// recovery.
func search(weather weather, seeds int, all bool) (bad int, course string, slowest int) {
	for s := uint64(1); s <= uint64(seeds) && (all || bad == 0); s++ {
		w := played(s, weather)
		slowest = max(slowest, w.healed)
		if len(w.faults) == 0 {
			continue
		}
		if bad++; bad == 1 {
			weather.traced = true
			course = fmt.Sprintf("seed %d: %s\n%s", s, strings.Join(w.faults, "; "), strings.Join(played(s, weather).lines, "\n"))
			weather.traced = false
		}
	}
	return bad, course, slowest
}

// weathers are all that is searched.
var weathers = map[string]weather{
	"fair":     {hubs: 3},
	"deaths":   {hubs: 3, deaths: true},
	"cuts":     {hubs: 3, cuts: true},
	"loss":     {hubs: 3, loss: true},
	"stops":    {hubs: 3, stops: true},
	"one link": {hubs: 3, cuts: true, deaths: true, partial: true},
	"all":      {hubs: 3, deaths: true, cuts: true, loss: true, stops: true},
	"five":     {hubs: 5, deaths: true, cuts: true, loss: true, stops: true},
}

// needs says in which weather a world without a rule goes wrong.
var needs = []struct {
	rule    rule
	weather string
}{
	{ruleBarrier, "deaths"},
	{ruleDegree, "one link"},
	{ruleMarks, "loss"},
	{ruleAway, "deaths"},
	{ruleBarred, "deaths"},
	{ruleChats, "deaths"},
	{ruleRestart, "cuts"},
	{ruleForget, "deaths"},
	{ruleLimit, "cuts"},
}

// A rule that could be left out would not be one.
func TestEachRuleIsNeeded(t *testing.T) {
	for _, n := range needs {
		broken := weathers[n.weather]
		broken.broken = n.rule
		bad, course, _ := search(broken, 300, longtest.Asked())
		if bad == 0 {
			t.Errorf("rule %d is broken, and nothing goes wrong in %q", n.rule, n.weather)
			continue
		}
		first, _, _ := strings.Cut(course, "\n")
		t.Logf("rule %d broken: %d seeds of %q go wrong; %s", n.rule, bad, n.weather, first)
	}
}

func TestSearch(t *testing.T) {
	seeds := 40
	if longtest.Asked() {
		seeds = 3000
	}
	for name, weather := range weathers {
		t.Run(name, func(t *testing.T) {
			bad, course, slowest := search(weather, seeds, true)
			if bad > 0 {
				t.Errorf("%d of %d seeds; %s", bad, seeds, course)
			}
			t.Logf("%d seeds, whole within %d beats", seeds, slowest)
		})
	}
}
