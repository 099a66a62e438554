package hub

import (
	"slices"
	"time"

	"noom/signal"
)

// This file is the part of a room that knows its lost members. A member that has lost the hub may
// still be connected to the others, so it can be kicked, and its authorisation can end; the hub
// informs the remaining members. Like the rest of a room it is a pure machine.

// An absence is a member that is gone: it lost the hub, or it left and has an
// identity by which a kick that comes too late can still keep it out.
type absence struct {
	member   signal.Member
	identity string
	named    bool
	until    time.Time // when its authorisation ends; zero: never
	parting  parting   // of its last connection
	lost     bool      // without a word: its connections to the others may live
	awaited  bool      // lost since the room was locked: it is let in again
	ended    int       // how many ends there had been by then
}

// An ending is that of a member in a session, with its number. A member that had lost the hub then,
// and comes back, may still be connected to it.
type ending struct {
	bye *signal.Message
	n   int
}

// note remembers an end: as many as absences, and those by force longest.
func (r *room[C]) note(bye *signal.Message) {
	if len(r.ends) >= 2*r.limit {
		r.forgetEnd()
	}
	r.ended++
	r.ends = append(r.ends, ending{bye, r.ended})
}

func (r *room[C]) forgetEnd() {
	at := max(0, slices.IndexFunc(r.ends, func(e ending) bool { return e.bye.Reason == signal.ReasonLeft }))
	r.ends = slices.Delete(r.ends, at, at+1)
}

// kicked is the bye of a member that was kicked, in that session if it is not empty; nil if none is remembered.
func (r *room[C]) kicked(id, session string) *signal.Message {
	for _, e := range slices.Backward(r.ends) {
		if e.bye.From == id && e.bye.Reason == signal.ReasonKicked && (session == "" || session == e.bye.Session) {
			return e.bye
		}
	}
	return nil
}

// supersede notes that a session of a member is over because there is a newer one.
func (r *room[C]) supersede(old, fresh *signal.Member) {
	if old.Session != fresh.Session {
		r.note(goodbye(old, signal.ReasonLeft))
	}
}

// recall forgets the absence of a member that is back, and returns how many ends it knows of; all,
// if it has not been here before.
func (r *room[C]) recall(m *signal.Member) (known int) {
	known = r.ended
	for at := r.missed(m.ID); at >= 0; at = r.missed(m.ID) {
		if a := &r.absent[at]; a.lost {
			known = a.ended
			r.supersede(&a.member, m)
		}
		r.absent = slices.Delete(r.absent, at, at+1)
	}
	return known
}

// catchUp sends a member that is back the ends of others that it has missed.
func (r *room[C]) catchUp(c C, known int) {
	seat := r.seated(c)
	for _, e := range r.ends {
		if e.n > known && r.over(e, seat) {
			r.tell(c, e.bye)
		}
	}
}

// over reports whether a member did not come back after its end, as the one in that seat is to know; negative: any.
func (r *room[C]) over(e ending, seat int) bool {
	at := r.find(e.bye.From)
	return at < 0 || r.seats[at].member.Session != e.bye.Session && at != seat
}

// remember notes a member that has gone. A room remembers twice as many as it has places, the most
// important ones longest.
func (r *room[C]) remember(s *seat[C], why signal.Reason) {
	lost := why == signal.ReasonLost
	if !lost && s.identity == "" {
		return
	}
	if len(r.absent) >= 2*r.limit {
		r.forgetOne()
	}
	r.absent = append(r.absent, absence{s.member, s.identity, s.named, s.until, s.parting, lost, lost && r.locked, r.ended})
}

// forgetOne makes room for another absence. The end of a member that could otherwise no longer be
// sent away in time comes at once.
func (r *room[C]) forgetOne() {
	at := 0
	for i := range r.absent {
		if r.absent[i].weight() < r.absent[at].weight() {
			at = i
		}
	}
	if r.absent[at].weight() > 1 {
		r.dismiss(at, signal.ReasonExpired)
		return
	}
	r.absent = slices.Delete(r.absent, at, at+1)
}

// weight says how much is lost if a is forgotten.
func (a *absence) weight() int {
	switch {
	case a.awaited:
		return 3
	case a.lost && !a.until.IsZero():
		return 2
	case a.lost:
		return 1
	default:
		return 0
	}
}

// missed is where the absence of an id is; negative: it is not.
func (r *room[C]) missed(id string) int {
	return slices.IndexFunc(r.absent, func(a absence) bool { return a.member.ID == id })
}

// awaits reports whether a locked room lets a member in again that it has lost.
func (r *room[C]) awaits(id string) bool {
	at := r.missed(id)
	return at >= 0 && r.absent[at].awaited
}

// returns reports whether a member is the one that was lost, in the same session.
func (r *room[C]) returns(m *signal.Member) bool {
	at := r.missed(m.ID)
	return at >= 0 && r.absent[at].lost && r.absent[at].member.Session == m.Session
}

// dismiss forgets an absence and announces that it is for good.
func (r *room[C]) dismiss(at int, why signal.Reason) {
	bye := goodbye(&r.absent[at].member, why)
	r.absent = slices.Delete(r.absent, at, at+1)
	r.note(bye)
	r.tellAll(bye)
}

// overdue ends the absences whose authorisation has ended.
func (r *room[C]) overdue(now time.Time) []delivery[C] {
	r.begin()
	for at := len(r.absent) - 1; at >= 0; at-- {
		if a := &r.absent[at]; a.expires() && !now.Before(a.until) {
			r.dismiss(at, signal.ReasonExpired)
		}
	}
	return r.out
}

// nextOverdue is when overdue has something to do next; zero: never.
func (r *room[C]) nextOverdue() time.Time {
	var next time.Time
	for i := range r.absent {
		if a := &r.absent[i]; a.expires() && (next.IsZero() || a.until.Before(next)) {
			next = a.until
		}
	}
	return next
}

func (a *absence) expires() bool { return a.lost && !a.until.IsZero() }

// A parting is what a bye that is posted must be signed for: one connection of a member. Immutable.
type parting struct {
	endpoint string // as the member dialled it
	nonce    signal.Bytes
}

// is reports whether both are of the same connection.
func (p *parting) is(other *parting) bool { return string(p.nonce) == string(other.nonce) }

// parting is what a bye of a member in that session has to be signed for: of one that is here, on that connection,
// or has been lost.
func (r *room[C]) parting(id, session string) (c C, _ parting, _ signal.PublicKey) {
	if at := r.find(id); at >= 0 && r.seats[at].member.Session == session {
		return r.seats[at].conn, r.seats[at].parting, r.seats[at].member.PublicKey
	}
	if at := r.missed(id); at >= 0 && r.absent[at].lost && r.absent[at].member.Session == session {
		return c, r.absent[at].parting, r.absent[at].member.PublicKey
	}
	return c, parting{}, nil
}

// part lets a member leave whose last connection is that one, whether it has been lost or not, and returns the
// connection that is still there. ok is false if there is no such member.
func (r *room[C]) part(id string, of *parting) (c C, _ []delivery[C], ok bool) {
	if at := r.find(id); at >= 0 && r.seats[at].parting.is(of) {
		c = r.seats[at].conn
		return c, r.leave(c, signal.ReasonLeft), true
	}
	r.begin()
	at := r.missed(id)
	if at < 0 || !r.absent[at].lost || !r.absent[at].parting.is(of) {
		return c, nil, false
	}
	gone := r.absent[at]
	bye := goodbye(&gone.member, signal.ReasonLeft)
	r.absent = slices.Delete(r.absent, at, at+1)
	if gone.identity != "" { // a kick may still come
		gone.lost, gone.awaited = false, false
		r.absent = append(r.absent, gone)
	}
	r.note(bye)
	r.tellAll(bye)
	return c, r.out, true
}
