package hub

import (
	"slices"

	"noom/signal"
)

// This file is the part of a room that knows the members' rights over others: like the rest of it,
// a pure machine.

// maxBarred is how many of those that were kicked a room remembers.
const maxBarred = 256

// A barredMember member was kicked and does not come back while the room is open.
type barredMember struct {
	id       string
	identity string // what the authorisation knows it by; may be empty
	unseen   bool   // the hub never saw it; it is forgotten before those it did
}

// moderate acts on a kick, lock, unlock, mute or close that c brought.
func (r *room[C]) moderate(c C, m *signal.Message) []delivery[C] {
	r.begin()
	at := r.seated(c)
	if at < 0 {
		return nil
	}
	by := r.seats[at].member
	if !by.May(rightsNeeded[m.Type]) {
		return r.forbid(c, m.Type)
	}
	switch m.Type {
	case signal.TypeKick:
		return r.kickBy(c, m)
	case signal.TypeLock, signal.TypeUnlock:
		return r.lockBy(c, by.ID, m.Type == signal.TypeLock)
	case signal.TypeMute:
		return r.muteBy(c, by.ID, m)
	case signal.TypeClose:
		return r.close(signal.ReasonClosed, 0)
	default:
		return nil
	}
}

// rightsNeeded says which right a request takes.
var rightsNeeded = map[signal.Type]signal.Right{
	signal.TypeKick:   signal.RightKick,
	signal.TypeLock:   signal.RightLock,
	signal.TypeUnlock: signal.RightLock,
	signal.TypeMute:   signal.RightMute,
	signal.TypeClose:  signal.RightClose,
}

// forbid answers c that it may not do that.
func (r *room[C]) forbid(c C, about signal.Type) []delivery[C] {
	r.tell(c, errorFrame(signal.Errorf(signal.CodeForbidden, about, "this member may not do that here")))
	return r.out
}

func (r *room[C]) noSuchMember(c C, about signal.Type, id string) []delivery[C] {
	r.tell(c, errorFrame(signal.Errorf(signal.CodeNoSuchMember, about, "no member of this room is %s", id)))
	return r.out
}

// kickBy removes a member that is here, is lost, or has just left; also one that only the members
// still know, after a restart of the hub for example: the request then says in which session. One that comes again, from a
// member that has not seen the answer, is confirmed to that member.
func (r *room[C]) kickBy(c C, m *signal.Message) []delivery[C] {
	done := r.kicked(m.To, m.Session)
	switch {
	case r.expelByID(m.To):
	case done != nil:
		r.tell(c, done)
	case m.Session != "":
		r.bar(barredMember{id: m.To, unseen: true})
		bye := goodbye(&signal.Member{ID: m.To, Session: m.Session}, signal.ReasonKicked)
		r.note(bye)
		r.tellAll(bye)
	default:
		return r.noSuchMember(c, signal.TypeKick, m.To)
	}
	return r.out
}

// lockBy informs everyone; where nothing changes, it only confirms.
func (r *room[C]) lockBy(c C, by string, locked bool) []delivery[C] {
	notice := lockNotice(by, locked)
	if r.locked == locked {
		r.tell(c, notice)
		return r.out
	}
	r.setLock(locked)
	r.tellAll(notice)
	return r.out
}

// muteBy passes the wish on to the one it is for, and back as a confirmation.
func (r *room[C]) muteBy(c C, by string, m *signal.Message) []delivery[C] {
	at := r.find(m.To)
	if at < 0 {
		return r.noSuchMember(c, signal.TypeMute, m.To)
	}
	wish := &signal.Message{Type: signal.TypeMute, From: by, To: m.To, Name: m.Name}
	if r.seats[at].conn != c {
		r.tell(r.seats[at].conn, wish)
	}
	r.tell(c, wish)
	return r.out
}

// lock locks or unlocks the room in the name of the hub's owner.
func (r *room[C]) lock(locked bool) []delivery[C] {
	r.begin()
	if r.locked == locked {
		return nil
	}
	r.setLock(locked)
	r.tellAll(lockNotice("", locked))
	return r.out
}

func (r *room[C]) setLock(locked bool) {
	r.locked = locked
	for i := range r.absent {
		r.absent[i].awaited = false
	}
}

func lockNotice(by string, locked bool) *signal.Message {
	if locked {
		return &signal.Message{Type: signal.TypeLocked, From: by}
	}
	return &signal.Message{Type: signal.TypeUnlocked, From: by}
}

// kick removes a member by its id and informs everyone, it included. It is nil if the room knows no
// such member.
func (r *room[C]) kick(id string) []delivery[C] {
	r.begin()
	if !r.expelByID(id) {
		return nil
	}
	return r.out
}

// expire removes a connection's member, whose authorisation has ended.
func (r *room[C]) expire(c C) []delivery[C] {
	r.begin()
	at := r.seated(c)
	if at < 0 {
		return nil
	}
	r.expel(at, signal.ReasonExpired)
	return r.out
}

// expelByID kicks a member that is here, or is gone and remembered. With it go those
// of its identity whose connection to the hub is lost: they could not come back.
func (r *room[C]) expelByID(id string) bool {
	b := barredMember{id: id}
	if at := r.find(id); at >= 0 {
		b.identity = r.seats[at].identity
		r.expel(at, signal.ReasonKicked)
	} else if at := r.missed(id); at >= 0 {
		b.identity = r.absent[at].identity
		r.dismiss(at, signal.ReasonKicked)
	} else {
		return false
	}
	r.bar(b)
	for at := len(r.absent) - 1; at >= 0 && b.identity != ""; at-- {
		if a := &r.absent[at]; a.identity == b.identity && a.lost {
			r.dismiss(at, signal.ReasonKicked)
		}
	}
	return true
}

// expel removes the member in a seat and informs everyone why, it included.
func (r *room[C]) expel(at int, why signal.Reason) {
	out := r.seats[at]
	bye := goodbye(&out.member, why)
	r.seats = slices.Delete(r.seats, at, at+1)
	r.news = append(r.news, change[C]{out, why})
	r.note(bye)
	r.end(out.conn, bye)
	r.tellAll(bye)
}

// bar keeps a member out.
func (r *room[C]) bar(b barredMember) {
	if at := slices.IndexFunc(r.barred, func(o barredMember) bool { return o.id == b.id && o.identity == b.identity }); at >= 0 {
		r.barred[at].unseen = r.barred[at].unseen && b.unseen
		return
	}
	if len(r.barred) >= maxBarred {
		at := max(0, slices.IndexFunc(r.barred, func(b barredMember) bool { return b.unseen }))
		r.barred = slices.Delete(r.barred, at, at+1)
	}
	r.barred = append(r.barred, b)
}

// bars reports whether a newcomer was kicked before.
func (r *room[C]) bars(q *request) bool {
	return slices.ContainsFunc(r.barred, func(b barredMember) bool {
		return b.id == q.member.ID || b.identity != "" && b.identity == q.identity
	})
}
