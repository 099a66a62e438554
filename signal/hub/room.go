package hub

import (
	"slices"
	"time"

	"noom/signal"
)

// A room is one room's members and the rules by which frames reach them. It is
// a pure machine: each method is an event, and what it returns is to be
// delivered, in that order, before the next event. It knows no goroutine,
// clock, lock or socket; C is what the driver calls a connection, and its zero
// value is none.
//
// Events of a connection that is not, or no longer, a member do nothing, so that a late end of a
// replaced connection removes no member.
type room[C comparable] struct {
	name  string
	limit int       // members
	seats []seat[C] // in the order in which their connections entered: a member that comes back is the last

	memory

	news []change[C] // since takeNews, reused

	out []delivery[C] // reused between events
	all []C           // reused between events
}

// A seat is a member and the connection it is reached by.
type seat[C comparable] struct {
	conn     C
	member   signal.Member
	identity string    // what the authorisation knows it by; may be empty
	named    bool      // by the authorisation: it cannot be renamed
	until    time.Time // when its authorisation ends; zero: never
	parting  parting   // of the connection
	arrival  arrival   // likewise
	once     string    // of its grant
}

// A change is a member that has come, or gone for a reason.
type change[C comparable] struct {
	seat seat[C]
	why  signal.Reason // empty: it has come
}

// A delivery is one frame for some connections, valid until the next event.
type delivery[C comparable] struct {
	to      []C
	message *signal.Message
	last    bool // the connections end after it
}

// A request to enter a room.
type request struct {
	member   signal.Member
	proven   bool // the member has shown that it holds its key
	identity string
	named    bool
	until    time.Time
	parting  parting         // of the connection
	arrival  arrival         // likewise
	once     string          // of the grant
	sends    []string        // what the member is about to publish, for the welcome
	card     *signal.Card    // its first offer, for one welcome; nil: it has made none
	joined   *signal.Message // the answer, to be completed by Self, Members, Locked and Nonce
}

// What becomes of a request.
type verdict int

const (
	admitted  verdict = iota // a member now
	contested                // the id is here on another connection: to be proven first
	full                     // the room has its most
	shut                     // the room is locked
	out                      // it was kicked
	early                    // it is to be asked again after a wait; the room itself never says so
)

// enter lets a connection in: joined to itself, welcome to the others. If its
// id is in the room already it must be proven, and then takes the place of the
// old connection; so must one that a locked room has lost and lets in again.
func (r *room[C]) enter(c C, q request) ([]delivery[C], verdict) {
	r.begin()
	if v := r.judge(&q); v != admitted {
		return nil, v
	}
	r.nameApart(&q)
	if at := r.find(q.member.ID); at >= 0 {
		old := r.seats[at]
		r.end(old.conn, goodbye(&old.member, replaces(&old.member, &q.member)))
		r.supersede(&old.member, &q.member)
		r.news = append(r.news, change[C]{old, signal.ReasonReplaced})
		r.seats = slices.Delete(r.seats, at, at+1)
	}
	r.sit(seat[C]{c, q.member, q.identity, q.named, q.until, q.parting, q.arrival, q.once})
	back := r.recall(&q.member)

	joined := q.joined
	joined.Self, joined.Locked, joined.Nonce = &q.member, r.locked, q.parting.nonce
	joined.Members = make([]signal.Member, 0, len(r.seats)-1)
	for i := range r.seats {
		if r.seats[i].conn != c {
			joined.Members = append(joined.Members, r.seats[i].member)
		}
	}
	r.tell(c, joined)
	r.welcome(c, &q)
	r.catchUp(c, back)
	return r.out, admitted
}

// replaces says why the old one of two connections ends. Which of two of one session is in use nobody can know: a member
// that got no answer by one hub has dialled the next, and the first may speak last. The one in use comes back, which
// replaced would forbid.
func replaces(old, fresh *signal.Member) signal.Reason {
	if old.Session == fresh.Session {
		return signal.ReasonRestart
	}
	return signal.ReasonReplaced
}

// welcome informs the others of a newcomer. The card is an offer and can have one answer, so the first of them gets it.
func (r *room[C]) welcome(c C, q *request) {
	welcome := &signal.Message{Type: signal.TypeWelcome, Member: &q.member}
	if q.member.May(signal.RightPublish) {
		welcome.Sends = q.sends
	}
	if first := r.seats[0].conn; q.card != nil && first != c {
		carded := *welcome
		carded.Card = q.card
		r.tell(first, &carded)
		r.tellExcept(welcome, c, first)
		return
	}
	r.tellOthers(c, welcome)
}

// judge says what would become of a request.
func (r *room[C]) judge(q *request) verdict {
	at := r.find(q.member.ID)
	known := at >= 0 || r.awaits(q.member.ID)
	switch {
	case r.bars(q):
		return out
	case known && !q.proven:
		return contested
	case r.locked && !known:
		return shut
	case at < 0 && len(r.seats) >= r.limit:
		return full
	default:
		return admitted
	}
}

// reasonLeaving is that of a member whose page goes away, and with it the connections to the others. It is lost, because
// the page may be back: some browsers close a WebSocket for less. But there is no word of it to wait for.
const reasonLeaving signal.Reason = "leaving"

// leave removes a connection's member and informs the others why.
func (r *room[C]) leave(c C, why signal.Reason) []delivery[C] {
	leaving := why == reasonLeaving
	if leaving {
		why = signal.ReasonLost
	}
	r.begin()
	at := r.seated(c)
	if at < 0 {
		return nil
	}
	gone := r.seats[at]
	r.seats = slices.Delete(r.seats, at, at+1)
	r.news = append(r.news, change[C]{gone, why})
	r.remember(&gone, why)
	bye := goodbye(&gone.member, why)
	bye.Leaving = leaving
	if why != signal.ReasonLost {
		r.note(bye)
	}
	r.tellAll(bye)
	return r.out
}

// relay carries a pair frame to the member it names, stamped with its sender.
// Fields that pair frames do not have are left behind.
func (r *room[C]) relay(c C, m *signal.Message) []delivery[C] {
	r.begin()
	from := r.seated(c)
	if from < 0 {
		return nil
	}
	to := r.find(m.To)
	if to < 0 {
		return r.noSuchMember(c, m.Type, m.To)
	}
	r.tell(r.seats[to].conn, &signal.Message{
		Type: m.Type, From: r.seats[from].member.ID, To: m.To,
		Sessions: m.Sessions, Epoch: m.Epoch, Seq: m.Seq, Ack: m.Ack,
		Signature: m.Signature, Body: m.Body,
	})
	return r.out
}

// chat says something to everyone, the sender included; at is the hub's clock
// in milliseconds since 1970.
func (r *room[C]) chat(c C, m *signal.Message, at int64) []delivery[C] {
	r.begin()
	from := r.seated(c)
	switch {
	case from < 0:
		return nil
	case !r.seats[from].member.May(signal.RightChat):
		return r.forbid(c, m.Type)
	}
	r.tellAll(&signal.Message{Type: signal.TypeChat, From: r.seats[from].member.ID, ID: m.ID, Text: m.Text, At: at, Signed: m.Signed})
	return r.out
}

// rename changes a nickname and informs everyone, its bearer included.
func (r *room[C]) rename(c C, name string) []delivery[C] {
	r.begin()
	at := r.seated(c)
	switch {
	case at < 0:
		return nil
	case r.seats[at].named, r.ownedName(name, r.seats[at].member.ID):
		return r.forbid(c, signal.TypeRename)
	}
	member := &r.seats[at].member
	member.Name = name
	r.tellAll(&signal.Message{Type: signal.TypeRenamed, From: member.ID, Name: name})
	return r.out
}

// close removes everyone and sends each its own bye, with the reason and after how many
// milliseconds to come back. Nothing is sent about the others: the room is over for all.
func (r *room[C]) close(why signal.Reason, retry int64) []delivery[C] {
	r.begin()
	for i := range r.seats {
		bye := goodbye(&r.seats[i].member, why)
		bye.Retry = retry
		r.end(r.seats[i].conn, bye)
		r.news = append(r.news, change[C]{r.seats[i], why})
	}
	r.seats = nil
	return r.out
}

func (r *room[C]) find(id string) int {
	return slices.IndexFunc(r.seats, func(s seat[C]) bool { return s.member.ID == id })
}

func (r *room[C]) seated(c C) int {
	return slices.IndexFunc(r.seats, func(s seat[C]) bool { return s.conn == c })
}

// takeNews returns the changes since the last call, valid until the next event.
func (r *room[C]) takeNews() []change[C] {
	news := r.news
	r.news = r.news[:0]
	return news
}

// begin forgets the deliveries of the event before.
func (r *room[C]) begin() {
	clear(r.out)
	r.out, r.all = r.out[:0], r.all[:0]
}

func (r *room[C]) tell(c C, m *signal.Message) { r.post(m, false, append(r.all, c)) }
func (r *room[C]) end(c C, m *signal.Message)  { r.post(m, true, append(r.all, c)) }

func (r *room[C]) tellAll(m *signal.Message) {
	var nobody C
	r.tellOthers(nobody, m)
}

func (r *room[C]) tellOthers(c C, m *signal.Message) { r.tellExcept(m, c, c) }

func (r *room[C]) tellExcept(m *signal.Message, a, b C) {
	all := r.all
	for i := range r.seats {
		if c := r.seats[i].conn; c != a && c != b {
			all = append(all, c)
		}
	}
	r.post(m, false, all)
}

// post adds a delivery to those connections that all has beyond r.all.
func (r *room[C]) post(m *signal.Message, last bool, all []C) {
	if to := all[len(r.all):len(all):len(all)]; len(to) > 0 {
		r.out = append(r.out, delivery[C]{to, m, last})
	}
	r.all = all
}

func goodbye(m *signal.Member, why signal.Reason) *signal.Message {
	return &signal.Message{Type: signal.TypeBye, From: m.ID, Session: m.Session, Reason: why}
}

func errorFrame(e *signal.Error) *signal.Message {
	m := signal.ErrorMessage(e)
	return &m
}
