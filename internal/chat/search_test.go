package chat

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"noom/signal"
)

const testRoom = "데모"

// TestMembersAgree: whoever speaks, comes, goes and loses connections, and whatever a hub drops, repeats, reorders and takes
// away the signature of, no member sees a message twice or one that nobody has said, members keep the same in the end, and
// what a hub has kept from a member is shown later or counted.
func TestMembersAgree(t *testing.T) {
	seeds := uint64(600)
	if testing.Short() {
		seeds = 100
	}
	var told tally
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, seed)
			for range 150 {
				w.happen()
			}
			w.settle()
			w.check(&told)
		})
	}
	if told.history == 0 || told.missing == 0 || told.dropped == 0 || told.aside == 0 {
		t.Errorf("the search does not meet everything: %+v", told)
	}
}

type tally struct{ history, missing, dropped, aside int }

// world is a room: its hub, which may be hostile, its members, and the links between them.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	now     time.Time
	members []*member
	hostile bool
	said    []*Message // all that a hub has passed on to anyone
	genuine map[signal.Digest]bool
	dropped int
	aside   int
}

type member struct {
	w       *world
	id      string
	session string
	born    int
	in      bool
	online  bool
	keep    int
	m       *Machine
	inbox   []*Message // by hub
	missed  bool       // since its last return
	links   map[*member]*[]Frame
	kept    map[signal.Digest]bool // shown
	shown   []Shown
	lost    map[signal.Digest]bool // what a hub has kept from it
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 31)), now: time.UnixMilli(1e12), genuine: make(map[signal.Digest]bool)}
	w.hostile = seed%2 == 1
	keep := []int{3, 8, 40}[w.rng.IntN(3)]
	for i := range 2 + w.rng.IntN(3) {
		w.members = append(w.members, &member{w: w, id: fmt.Sprintf("%c%s", 'a'+i, strings.Repeat("a", idSize-1)), keep: keep})
	}
	for _, m := range w.members[:2] {
		m.enter()
	}
	return w
}

func (m *member) enter() {
	m.born++
	m.session = fmt.Sprintf("%020d%02d", m.born, m.id[0]-'a')
	m.m = New(m.id, m.session, m.keep)
	m.in, m.online = true, true
	m.links, m.kept, m.lost = make(map[*member]*[]Frame), make(map[signal.Digest]bool), make(map[signal.Digest]bool)
	m.shown, m.inbox = nil, nil
	for _, o := range m.others() {
		m.m.Joined(m.w.now, o.id, o.session)
		o.m.Joined(m.w.now, m.id, m.session)
		o.flush()
	}
	m.flush()
}

func (m *member) leave() {
	m.in = false
	for _, o := range m.others() {
		delete(o.links, m)
		o.m.Left(m.w.now, m.id)
		o.flush()
	}
}

func (m *member) others() (list []*member) {
	for _, o := range m.w.members {
		if o != m && o.in {
			list = append(list, o)
		}
	}
	return list
}

// connect makes another connection between two.
func (m *member) connect(o *member) {
	m.links[o], o.links[m] = new([]Frame), new([]Frame)
	m.m.Opened(m.w.now, o.id)
	o.m.Opened(m.w.now, m.id)
	m.flush()
	o.flush()
}

// flush carries out what a machine wants.
func (m *member) flush() {
	out := m.m.Flush()
	for _, o := range out.Frames {
		for to, queue := range m.links {
			if to.id != o.To {
				continue
			}
			f, err := Decode(o.Frame.Encode())
			if err != nil {
				m.w.t.Fatalf("%+v is no frame: %v", o.Frame, err)
			}
			for _, x := range f.Messages {
				x.digest = digestOf(x)
			}
			*queue = append(*queue, f)
		}
	}
	for _, s := range out.Shown {
		d := s.Message.digest
		if m.kept[d] {
			m.w.t.Fatalf("%s is shown %q twice", m.id, s.Message.Text)
		}
		if !m.w.genuine[d] {
			m.w.t.Fatalf("%s is shown %q, which nobody has said", m.id, s.Message.Text)
		}
		if last := m.lastOf(s.Message); last >= s.Message.Number && !s.History {
			m.w.t.Fatalf("%s is shown number %d after %d as if it were new", m.id, s.Message.Number, last)
		}
		m.kept[d] = true
		m.shown = append(m.shown, s)
	}
	if len(m.m.kept) > max(0, m.keep) || m.m.bytes > MaxBytes || !slices.IsSortedFunc(m.m.kept, (*Message).compare) {
		m.w.t.Fatalf("%s keeps %d messages of %d bytes", m.id, len(m.m.kept), m.m.bytes)
	}
}

// lastOf returns the highest number of a voice that was shown.
func (m *member) lastOf(x *Message) (last int64) {
	for _, s := range m.shown {
		if s.Message.voice() == x.voice() {
			last = max(last, s.Message.Number)
		}
	}
	return last
}

func digestOf(x *Message) signal.Digest {
	return signal.DigestOf(signal.ChatText(testRoom, x.Author, x.Session, &x.Signed, x.Text))
}

// say has a member say something, which the hub passes on as it likes.
func (m *member) say() {
	w := m.w
	x := m.m.Prepare(make([]byte, 32), "이름", strings.Repeat("말", 1+w.rng.IntN(1300)), w.now.UnixMilli()+w.rng.Int64N(60_000))
	x.Sign(testRoom, func(text []byte) signal.Bytes { sum := sha256.Sum256(text); return append(sum[:], sum[:]...) })
	m.m.Signed(x)
	if !m.online || w.hostile && w.rng.IntN(8) == 0 { // it never reaches anyone
		return
	}
	w.genuine[x.digest] = true
	w.said = append(w.said, x)
	stripped := w.hostile && w.rng.IntN(8) == 0
	for _, o := range m.others() {
		switch {
		case stripped:
		case !o.online:
			o.missed = true
		case w.hostile && w.rng.IntN(6) == 0:
			o.lost[x.digest] = true
			w.dropped++
		default:
			o.inbox = append(o.inbox, x)
		}
	}
	if stripped {
		w.aside++
	}
	m.m.Passed(x, !stripped)
	m.flush()
}

// happen has one thing happen.
func (w *world) happen() {
	m := w.members[w.rng.IntN(len(w.members))]
	switch n := w.rng.IntN(40); {
	case !m.in:
		if n < 8 {
			m.enter()
		}
	case n < 8:
		m.say()
	case n < 20:
		m.hear(w.hostile && w.rng.IntN(5) == 0)
	case n < 30:
		if others := m.others(); len(others) > 0 {
			m.listen(others[w.rng.IntN(len(others))])
		}
	case n < 33:
		if others := m.others(); len(others) > 0 {
			m.connect(others[w.rng.IntN(len(others))])
		}
	case n == 33:
		m.online = false
	case n == 34:
		m.back()
	case n == 35 && len(m.others()) > 1:
		m.leave()
	case n == 36 && w.hostile && len(w.said) > 0: // the hub repeats what somebody who is there has said
		x := w.said[w.rng.IntN(len(w.said))]
		if slices.ContainsFunc(m.others(), func(o *member) bool { return o.id == x.Author && o.session == x.Session }) {
			m.m.Live(w.now, x)
			m.flush()
		}
	default:
		w.pass(time.Duration(w.rng.IntN(1500)) * time.Millisecond)
	}
}

func (m *member) back() {
	if !m.online {
		m.online = true
		m.m.Missed(m.w.now)
	}
}

// hear takes the next message from the hub, or the one behind it.
func (m *member) hear(outOfTurn bool) {
	at := 0
	if outOfTurn && len(m.inbox) > 1 {
		at = 1
	}
	if len(m.inbox) <= at || !m.online {
		return
	}
	x := m.inbox[at]
	m.inbox = slices.Delete(m.inbox, at, at+1)
	if slices.ContainsFunc(m.others(), func(o *member) bool { return o.id == x.Author && o.session == x.Session }) {
		m.m.Live(m.w.now, x)
		m.flush()
	}
}

// listen takes the next frame from a link.
func (m *member) listen(from *member) {
	queue := from.links[m]
	if queue == nil || len(*queue) == 0 {
		return
	}
	f := (*queue)[0]
	*queue = (*queue)[1:]
	m.m.Receive(m.w.now, from.id, &f)
	m.flush()
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for _, m := range w.members {
		if !m.in {
			continue
		}
		if next := m.m.Next(); !next.IsZero() && !next.After(w.now) {
			m.m.Tick(w.now)
			m.flush()
		}
	}
}

// settle connects all and lets everything arrive.
func (w *world) settle() {
	for i, m := range w.members {
		if !m.in {
			continue
		}
		m.back()
		for _, o := range w.members[:i] {
			if o.in {
				m.connect(o)
			}
		}
	}
	for range 400 {
		for _, m := range w.members {
			if !m.in {
				continue
			}
			m.hear(false)
			for _, o := range m.others() {
				m.listen(o)
			}
		}
		w.pass(100 * time.Millisecond)
	}
}

// check looks at the end.
func (w *world) check(told *tally) {
	var first *member
	for _, m := range w.members {
		if !m.in {
			continue
		}
		if first == nil {
			first = m
		}
		if a, b := first.list(), m.list(); !slices.Equal(a, b) {
			w.t.Errorf("%s keeps\n%v\n%s keeps\n%v", first.id, a, m.id, b)
		}
		for _, s := range m.shown {
			told.missing += s.Missing
			if s.History {
				told.history++
			}
		}
		// What the hub has kept from m was shown all the same, let go, or counted, or nothing came behind it.
		for _, x := range w.said {
			counted := slices.ContainsFunc(m.shown, func(s Shown) bool { return s.Missing > 0 && s.Message.voice() == x.voice() })
			behind := m.lastOf(x) > x.Number
			old := m.m.floor != nil && x.compare(m.m.floor) <= 0
			if m.lost[x.digest] && !m.kept[x.digest] && behind && !counted && !old && !m.caughtUp(x) {
				w.t.Errorf("%s does not learn that number %d of %s was dropped", m.id, x.Number, x.Author)
			}
		}
		if next := m.m.Next(); !next.IsZero() {
			w.t.Errorf("%s is not at rest", m.id)
		}
		if len(m.m.voices) > len(m.m.kept)+len(w.members) || len(m.m.asked) > 0 {
			w.t.Errorf("%s remembers %d voices and %d questions", m.id, len(m.m.voices), len(m.m.asked))
		}
	}
	told.dropped += w.dropped
	told.aside += w.aside
}

// caughtUp reports whether x was said before m knew anything of its author, in that session.
func (m *member) caughtUp(x *Message) bool {
	v := m.m.voices[x.voice()]
	return v == nil || x.Number < v.first
}

func (m *member) list() (list []string) {
	for _, x := range m.m.kept {
		list = append(list, fmt.Sprintf("%d/%c%s/%d", x.Order, x.Author[0], x.Session[18:20], x.Number))
	}
	return list
}
