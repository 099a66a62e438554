package hub

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"noom/internal/ownership"
	"noom/signal"
)

// This file lets the program around any hub of a cluster do something to a room: the owner of the room is asked to.

const (
	mostQuestions = 1024            // that wait for an answer, and then more are refused
	askPatience   = 5 * time.Second // until the owner of a room must be known, and have answered
	maxAsked      = 4096            // bytes in a word of a question
)

// What the owner of a room may be asked for.
const (
	askMembers = "members"
	askKick    = "kick"
	askLock    = "lock"
	askUnlock  = "unlock"
	askClose   = "close"
	askPart    = "part"
	askGuess   = "guess" // at its password; it need not exist
)

// A question is what one hub asks another, and the answer to that.
type question struct {
	Hub string `json:"hub"` // the one that says it
	N   int64  `json:"n"`   // the answer has the number of its question

	Do     string `json:"do,omitzero"` // empty: it is an answer
	Room   string `json:"room,omitzero"`
	Member string `json:"member,omitzero"` // kick: the id
	Bye    string `json:"bye,omitzero"`    // part: the frame

	Address netip.Addr `json:"address,omitzero"` // guess: from where
	Right   bool       `json:"right,omitzero"`   // guess: it was the password
	Wait    int64      `json:"wait,omitzero"`    // milliseconds for which no other is taken

	Moved   bool          `json:"moved,omitzero"` // another hub is the owner, or none yet
	Done    bool          `json:"done,omitzero"`  // there was something to do
	Members []askedMember `json:"members,omitempty"`
}

// An askedMember is what a question for members is answered with.
type askedMember struct {
	knownMember

	Identity string `json:"identity,omitzero"`
}

// questions are those that wait for an answer. It guards itself.
type questions struct {
	mu      sync.Mutex
	last    int64
	waiting map[int64]waitingQuestion
}

type waitingQuestion struct {
	of     string // the hub that was asked
	answer chan *question
}

// number returns one for a question, which it has however often it is asked.
func (q *questions) number() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	return q.last
}

// begin notes that a question is asked. ok is false if there are too many.
func (q *questions) begin(of string, n int64) (answer <-chan *question, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= mostQuestions {
		return nil, false
	}
	if q.waiting == nil {
		q.waiting = make(map[int64]waitingQuestion)
	}
	w := waitingQuestion{of, make(chan *question, 1)}
	q.waiting[n] = w
	return w.answer, true
}

func (q *questions) end(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, n)
}

// answered gives an answer to whoever waits for it.
func (q *questions) answered(a *question) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w, ok := q.waiting[a.N]; ok && w.of == a.Hub {
		delete(q.waiting, a.N)
		w.answer <- a
	}
}

// doneQuestions are the answers to questions that have changed something: one whose answer was lost is asked again, and a
// member that was kicked by it is no longer there to be kicked.
type doneQuestions struct {
	list [mostDone]doneQuestion
	next int
}

const mostDone = 256

type doneQuestion struct {
	hub    string
	n      int64
	answer *question
}

func (d *doneQuestions) find(q *question) *question {
	for i := range d.list {
		if o := &d.list[i]; o.n == q.N && o.hub == q.Hub {
			return o.answer
		}
	}
	return nil
}

func (d *doneQuestions) keep(q, answer *question) {
	d.list[d.next] = doneQuestion{q.Hub, q.N, answer}
	d.next = (d.next + 1) % mostDone
}

// ask lets the owner of a room do something, once, and waits until it has. The error is [ErrNoOwner].
func (f *fleet) ask(q question) (*question, error) {
	q.Hub, q.N = f.self, f.questions.number()
	for until := time.Now().Add(askPatience); time.Now().Before(until) && !f.silent.Load(); {
		v := f.current()
		owner := v.Owner(q.Room)
		began := time.Now()
		a := f.askOne(owner, q)
		if a != nil && !a.Moved {
			return a, nil
		}
		time.Sleep(f.config.Beat - min(f.config.Beat, time.Since(began)))
	}
	return nil, fmt.Errorf("%w: room %q", ErrNoOwner, q.Room)
}

func (f *fleet) current() *ownership.View {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	return f.view
}

// askOne asks one hub. It returns nil if that does not answer.
func (f *fleet) askOne(hub string, q question) *question {
	if hub == f.self {
		return f.answer(&q)
	}
	answer, ok := f.questions.begin(hub, q.N)
	if !ok {
		return nil
	}
	defer f.questions.end(q.N)
	if f.say(hub, &q) != nil {
		return nil
	}
	patience := time.NewTimer(2 * f.config.Beat)
	defer patience.Stop()
	select {
	case a := <-answer:
		return a
	case <-patience.C:
		return nil
	}
}

func (f *fleet) say(to string, q *question) error {
	data, err := json.Marshal(q)
	if err == nil && len(data) > ownership.MaxMessage {
		err = fmt.Errorf("hub: an answer of %d bytes, at most %d", len(data), ownership.MaxMessage)
	}
	return f.publish("ask."+to, data, err)
}

// takeQuestion takes what another hub asks, or answers.
func (f *fleet) takeQuestion(data []byte) {
	q, err := decodeQuestion(data)
	if err != nil || q.Hub == f.self {
		f.ignore(err)
		return
	}
	f.taken(q.Hub)
	if q.Do == "" {
		f.questions.answered(q)
		return
	}
	a := f.done.find(q)
	if a == nil {
		if a = f.answer(q); !a.Moved && q.Do != askMembers {
			f.done.keep(q, a)
		}
	}
	_ = f.say(q.Hub, a) // who is not answered asks again
}

func decodeQuestion(data []byte) (*question, error) {
	if len(data) > ownership.MaxMessage {
		return nil, fmt.Errorf("hub: a question of %d bytes, at most %d", len(data), ownership.MaxMessage)
	}
	var q question
	if err := json.Unmarshal(data, &q); err != nil {
		return nil, fmt.Errorf("hub: no question of a hub: %w", err)
	}
	if !ownership.ValidID(q.Hub) || q.N < 1 || max(len(q.Room), len(q.Member), len(q.Bye)) > maxAsked || len(q.Members) > mostMembers {
		return nil, fmt.Errorf("hub: a question of %.40q with a number or a word out of bounds", q.Hub)
	}
	return &q, nil
}

// answer does what is asked, if this hub is the owner.
func (f *fleet) answer(q *question) *question {
	a := &question{Hub: f.self, N: q.N}
	v, p := f.current(), f.place(q.Room)
	switch {
	case v.Owner(q.Room) != f.self:
		a.Moved = true
	case q.Do == askGuess:
		if wait := f.guesses.count(q.Room, q.Address, q.Right, time.Now()); wait > 0 {
			a.Wait = max(1, wait.Milliseconds())
		}
	case p == nil:
		a.Moved = !v.Settled() // else nobody knows of such a room
	default:
		a.Moved = true
		p.do(func() {
			if p.step != nil && p.machine.Owns() {
				a.Moved = false
				p.answer(q, a)
			}
		})
	}
	return a
}

// answer does what is asked; the lock is held.
func (p *shared) answer(q, a *question) {
	a.Done = len(p.step.seats) > 0
	var told []delivery[ownership.Address]
	switch q.Do {
	case askMembers:
		for i := range p.step.seats {
			s := &p.step.seats[i]
			a.Members = append(a.Members, askedMember{s.known(), s.identity})
		}
		return
	case askKick:
		told = p.step.kick(q.Member)
		a.Done = told != nil
	case askLock, askUnlock:
		if a.Done {
			told = p.step.lock(q.Do == askLock)
		}
	case askClose:
		told = p.step.close(signal.ReasonClosed, 0)
	case askPart:
		a.Done = p.partBy(q.Bye)
		return
	default:
		a.Done = false // of a later version
		return
	}
	_ = p.tell(told) // a bye always fits
}

// partBy is [home.part] at the owner; the lock is held.
func (p *shared) partBy(frame string) bool {
	m, err := signal.Decode([]byte(frame))
	if err != nil || m.Type != signal.TypeBye {
		return false
	}
	at, of, key := p.step.parting(m.From, m.Session)
	if key == nil || !ed25519.Verify(ed25519.PublicKey(key), signal.ByeText(of.endpoint, m.Room, m.Session, of.nonce), m.Signature) {
		return false
	}
	if at == (ownership.Address{}) {
		return p.partFrom(m.From, &of)
	}
	time.AfterFunc(partingTime, func() { p.do(func() { p.partFrom(m.From, &of) }) })
	return true
}

// partFrom ends a member's last connection, if it is still that one. It reports whether it was.
func (p *shared) partFrom(id string, of *parting) bool {
	if p.step == nil {
		return false
	}
	at, told, ok := p.step.part(id, of)
	if ok && at != (ownership.Address{}) {
		frame, err := goodbye(&signal.Member{ID: id}, signal.ReasonLeft).Encode()
		if err == nil {
			p.run(p.machine.Deliver(ownership.Delivery{To: []ownership.Address{at}, Last: true, Body: frame}))
		}
	}
	if ok {
		_ = p.tell(told) // a bye always fits
	}
	return ok
}

// What the program around this hub does to a room, wherever that is.

func (f *fleet) members(room string) []MemberInfo {
	a, err := f.ask(question{Do: askMembers, Room: room})
	if err != nil {
		f.hub.logbook.write("owner", slog.LevelWarn, "the members of a room are not known", slog.Any("err", err))
		return nil
	}
	var list []MemberInfo
	for i := range a.Members {
		m := &a.Members[i]
		list = append(list, MemberInfo{Member: m.Member, Identity: m.Identity, Address: m.Address, Since: m.Since.time()})
	}
	return list
}

// guess counts a password for a room. ok is false if the hub that has it does not answer.
func (f *fleet) guess(room string, from netip.Addr, right bool) (wait time.Duration, ok bool) {
	a, err := f.ask(question{Do: askGuess, Room: room, Address: from, Right: right})
	if err != nil {
		return 0, false
	}
	return time.Duration(a.Wait) * time.Millisecond, true
}

func (f *fleet) part(bye *signal.Message) bool {
	frame, err := bye.Encode()
	if err != nil {
		return false
	}
	a, err := f.ask(question{Do: askPart, Room: bye.Room, Bye: string(frame)})
	return err == nil && a.Done
}

// A shared is asked through its fleet, because its owner may be elsewhere. What follows is that for those who have the place.

func (p *shared) members() []MemberInfo         { return p.fleet.members(p.name) }
func (p *shared) part(bye *signal.Message) bool { return p.fleet.part(bye) }
func (p *shared) kick(id string) bool           { return p.done(question{Do: askKick, Member: id}) }
func (p *shared) closeRoom()                    { p.done(question{Do: askClose}) }

func (p *shared) lock(locked bool) {
	if locked {
		p.done(question{Do: askLock})
	} else {
		p.done(question{Do: askUnlock})
	}
}

func (p *shared) done(q question) bool {
	q.Room = p.name
	a, err := p.fleet.ask(q)
	return err == nil && a.Done
}
