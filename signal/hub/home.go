package hub

import (
	"sync"
	"time"

	"noom/signal"
)

// A home is a place in this hub: the pure machine, the lock behind which it is
// stepped, and the way from its deliveries to the outboxes. A frame reaches
// them on the goroutine that read it, without a hop through another.
type home struct {
	hub *Hub

	mu    sync.Mutex
	room  room[*conn]
	joins bucket // by everybody
	gone  bool   // the last member left and the hub has forgotten this home

	alarm overdueClock

	listing
}

func newHome(h *Hub, name string) *home {
	return &home{hub: h, room: room[*conn]{name: name, limit: h.config.Limits.Members}, listing: listing{name: name}}
}

func (p *home) enter(c *conn, q request) (_ answer, open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return answer{}, false
	}
	if p.room.judge(&q) == admitted {
		a := p.queue(c, &q)
		if a.verdict == admitted && a.refusal == nil {
			a.refusal = p.hub.bindOnce(p.room.name, &q)
		}
		if a.verdict != admitted || a.refusal != nil {
			_ = p.settle(nil) // it may have been opened for c
			return a, true
		}
	}
	deliveries, v := p.room.enter(c, q)
	refusal := refusalFor(v, p.room.limit)
	if refusal == nil {
		if refusal = p.settle(deliveries); refusal != nil {
			p.drop(c)
		} else if len(p.room.seats) == 1 {
			p.recite(c)
		}
	}
	return answer{verdict: v, refusal: refusal}, true
}

// recite tells a member that is alone in the room what was said there last.
func (p *home) recite(c *conn) {
	for _, m := range p.hub.histories.of(p.room.name) {
		_ = p.deliver([]delivery[*conn]{{to: []*conn{c}, message: m}}) // it has been encoded
	}
}

// refusalFor is what a verdict says to the member, nil if that is not refused.
func refusalFor(v verdict, limit int) *signal.Error {
	switch v {
	case full:
		return signal.Errorf(signal.CodeRoomFull, signal.TypeJoin, "the room has %d members, its most", limit)
	case shut:
		return signal.Errorf(signal.CodeLocked, signal.TypeJoin, "the room is locked")
	case out:
		return signal.Errorf(signal.CodeKicked, signal.TypeJoin, "this member was removed from the room")
	case admitted, contested, early:
	}
	return nil
}

// queue counts a join once, and lets it wait if there were too many of late.
func (p *home) queue(c *conn, q *request) answer {
	if c.counted {
		return answer{}
	}
	a := p.hub.paceJoin(&p.joins, p.room.name, q, p.room.returns(&q.member))
	c.counted = a.verdict == early
	return a
}

// bindOnce lets what admits one member admit no other.
func (h *Hub) bindOnce(room string, q *request) *signal.Error {
	return h.onces.bind(once{room, q.once}, q.member.ID, q.until, time.Now())
}

// paceJoin counts a join to a room, whose joins by everybody are given. back says that the member was lost just now.
func (h *Hub) paceJoin(joins *bucket, room string, q *request, back bool) answer {
	now, most := time.Now(), h.config.JoinTimeout
	wait, ok := h.gate.take(membership{room, q.member.ID}, q.arrival.address, back, now, most)
	if ok && !back {
		var longer time.Duration
		longer, ok = joins.take(joinsPerRoom(h.config.Limits.Members), 1, now, most)
		wait = max(wait, longer)
	}
	switch {
	case !ok:
		return answer{refusal: tooEarly(wait)}
	case wait > 0:
		return answer{verdict: early, wait: wait}
	default:
		return answer{}
	}
}

func (p *home) relay(c *conn, m signal.Message) *signal.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deliver(p.room.relay(c, &m))
}

func (p *home) chat(c *conn, m signal.Message, at int64) *signal.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	deliveries := p.room.chat(c, &m, at)
	if from := p.room.seated(c); from >= 0 && p.room.seats[from].member.May(signal.RightChat) {
		p.hub.histories.add(p.room.name, &p.room.seats[from].member, &m)
	}
	return p.deliver(c.said(deliveries))
}

func (p *home) rename(c *conn, name string) *signal.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deliver(c.said(p.room.rename(c, name)))
}

func (p *home) moderate(c *conn, m signal.Message) *signal.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	refusal := p.settle(c.said(p.room.moderate(c, &m)))
	if m.Type == signal.TypeClose && len(p.room.seats) == 0 {
		p.hub.histories.forget(p.room.name)
	}
	return refusal
}

func (p *home) leave(c *conn, why signal.Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.settle(p.room.leave(c, why)) // a bye always fits
}

func (p *home) expire(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.settle(p.room.expire(c)) // a bye always fits
}

// expireAbsent removes members whose authorisation has ended after they had lost the hub.
func (p *home) expireAbsent() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alarm.due = time.Time{}
	_ = p.settle(p.room.overdue(time.Now())) // a bye always fits
}

// setClock sees to it that expireAbsent is called in time.
func (p *home) setClock() {
	due := p.room.nextOverdue()
	if p.gone {
		due = time.Time{}
	}
	p.alarm.set(due, p.expireAbsent)
}

// An overdueClock calls expireAbsent of a place when there is something to do.
type overdueClock struct {
	timer *time.Timer // nil until it is needed
	due   time.Time   // zero: there is nothing to do
}

func (o *overdueClock) set(due time.Time, expireAbsent func()) {
	switch {
	case due.Equal(o.due):
		return
	case due.IsZero():
		o.timer.Stop()
	case o.timer == nil:
		o.timer = time.AfterFunc(time.Until(due), expireAbsent)
	default:
		o.timer.Reset(time.Until(due))
	}
	o.due = due
}

func (p *home) lock(locked bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.deliver(p.room.lock(locked)) // a notice always fits
}

func (p *home) kick(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	deliveries := p.room.kick(id)
	_ = p.settle(deliveries) // a bye always fits
	return deliveries != nil
}

func (p *home) closeRoom() { p.end(signal.ReasonClosed, 0) }

// dismiss ends the room, because all its members are connected to this hub.
func (p *home) dismiss(retry time.Duration) { p.end(signal.ReasonRestart, retry) }

func (p *home) end(why signal.Reason, retry time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.settle(p.room.close(why, retry.Milliseconds())) // a bye always fits
	if why == signal.ReasonClosed {
		p.hub.histories.forget(p.room.name)
	}
}

func (p *home) members() []MemberInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.room.infos()
}

// settle reports the number of members to the hub, which forgets an empty home, and only then
// delivers: a member that has read a bye finds [Hub.Rooms] without it.
func (p *home) settle(deliveries []delivery[*conn]) (tooBig *signal.Error) {
	p.gone = counted(p.hub, p, &p.listing, &p.room)
	p.setClock()
	return p.deliver(deliveries)
}

// deliver puts each frame, encoded once, into the outboxes it is for. A member whose outbox is full
// is cut and leaves the room in the same step. The error says that a frame grew above the limit and
// was not delivered.
func (p *home) deliver(deliveries []delivery[*conn]) (tooBig *signal.Error) {
	var slow []*conn
	for _, d := range deliveries {
		frame, err := d.message.Encode()
		if err != nil {
			tooBig = signal.Errorf(signal.CodeTooBig, d.message.Type, "with what the hub adds: %v", err)
			continue
		}
		for _, c := range d.to {
			if d.last {
				c.finish(d.message, endedBy(d.message))
			} else if !c.outbox.push(d.message, len(frame)) {
				slow = append(slow, c)
			}
		}
	}
	clear(deliveries) // their messages belong to the outboxes now
	for _, c := range slow {
		c.tooSlow()
		p.drop(c)
	}
	return tooBig
}

// drop removes c as lost.
func (p *home) drop(c *conn) { _ = p.settle(p.room.leave(c, signal.ReasonLost)) } // a bye always fits

// endedBy says why a member whose last frame is m is out.
func endedBy(m *signal.Message) error {
	if e := m.Err(); e != nil {
		return e
	}
	return &ByeError{m.Reason}
}
