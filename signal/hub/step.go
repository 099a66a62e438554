package hub

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"noom/internal/ownership"
	"noom/signal"
)

// This file is a room of a cluster at its owner: the room step, and what becomes of what it says.

func (p *shared) actAsOwner(a *ownership.Action) {
	at := a.Seat.Address()
	switch {
	case a.Kind == ownership.Open:
		p.open(a)
	case p.step == nil: // there is none before Open, and none behind Close
	case a.Kind == ownership.Close:
		p.close()
	case a.Kind == ownership.Adopt:
		_ = p.tell(p.step.adopt(p.remembered(&a.State)))
	case a.Kind == ownership.Judge:
		p.judge(a)
	case a.Kind == ownership.Readmit:
		if s, ok := p.seat(&a.Seat); ok {
			_ = p.tell(p.step.readmit(p.known(s))) // so does a welcome
		}
	case a.Kind == ownership.Remind:
		_ = p.deliver(p.step.remind(at)) // a bye always fits
	case a.Kind == ownership.Step:
		p.hear(at, a.Body)
	case a.Reason == string(signal.ReasonExpired):
		_ = p.tell(p.step.expire(at)) // a bye always fits
	default:
		_ = p.tell(p.step.leave(at, signal.Reason(a.Reason))) // a bye always fits
	}
}

func (p *shared) open(a *ownership.Action) {
	p.step = &room[ownership.Address]{name: p.name, limit: p.fleet.hub.config.Limits.Members}
	p.seated = 0
	seats := make([]seat[ownership.Address], 0, len(a.Seats))
	for i := range a.Seats {
		if s, ok := p.seat(&a.Seats[i]); ok {
			seats = append(seats, p.known(s))
		}
	}
	_ = p.tell(p.step.open(p.remembered(&a.State), seats))
}

// close gives the room up. For [Hub.Events] it is over here, and another hub opens it.
func (p *shared) close() {
	p.step.close(signal.ReasonRestart, 0)
	p.account()
	p.step = nil
	p.disown()
	p.alarm.set(time.Time{}, nil)
}

// disown lets other hubs list the room.
func (p *shared) disown() {
	p.fleet.hub.mu.Lock()
	defer p.fleet.hub.mu.Unlock()
	p.owned = false
	p.fleet.ownedChanges++
}

// seat is the seat of a member that another hub may have handed over. One that cannot be read ends.
func (p *shared) seat(s *ownership.Seat) (seat[ownership.Address], bool) {
	made, err := seatOf(s.Address(), &s.Conn)
	if err != nil {
		p.fleet.ignore(err)
		p.refuse(s.Address(), signal.Errorf(signal.CodeFailed, "", "the hub cannot read what another says of this member"))
		return made, false
	}
	return made, true
}

func (p *shared) remembered(s *ownership.State) memory {
	m, err := memoryOf(&s.Memory)
	if err != nil {
		p.fleet.ignore(err)
	}
	return m
}

// known lets what a member came in with admit no other here, where it has come with its room.
func (p *shared) known(s seat[ownership.Address]) seat[ownership.Address] {
	_ = p.fleet.hub.onces.bind(once{p.name, s.once}, s.member.ID, s.until, time.Now()) // it is in already
	return s
}

// refuse ends a connection with an error.
func (p *shared) refuse(at ownership.Address, e *signal.Error) {
	frame, err := errorFrame(e).Encode()
	if err != nil { // an application's text that is too long
		frame, _ = errorFrame(signal.Errorf(e.Code, e.About, "")).Encode()
	}
	p.run(p.machine.Deliver(ownership.Delivery{To: []ownership.Address{at}, Last: true, Body: frame}))
}

// judge lets a connection in, or not.
func (p *shared) judge(a *ownership.Action) {
	var e entering
	err := json.Unmarshal(a.Body, &e)
	if err != nil {
		p.fleet.ignore(err)
		p.refuse(a.Seat.Address(), signal.Errorf(signal.CodeFailed, signal.TypeJoin, "the hub cannot read what another says of this join"))
		return
	}
	s, ok := p.seat(&a.Seat)
	if !ok {
		return
	}
	h := p.fleet.hub
	q := request{
		member: s.member, proven: e.Proven, identity: s.identity, named: s.named, until: s.until, parting: s.parting, arrival: s.arrival, once: s.once,
		sends: e.Sends, card: wholeCard(e.Card), joined: &signal.Message{Type: signal.TypeJoined, Heartbeat: h.config.Heartbeat.Milliseconds(), Limits: &h.config.Limits},
	}
	if p.step.judge(&q) == admitted && !p.isDue(&q, s.conn, e.Counted) {
		return
	}
	told, v := p.step.enter(s.conn, q)
	switch refusal := refusalFor(v, p.step.limit); {
	case refusal != nil:
		p.refuse(s.conn, refusal)
	case v == contested:
		p.putOff(s.conn, 0)
	default:
		p.admit(&a.Seat, told)
	}
}

// isDue reports whether a connection that the room would admit may enter now, and tells it why if not.
func (p *shared) isDue(q *request, at ownership.Address, counted bool) bool {
	h, a := p.fleet.hub, answer{}
	if !counted {
		a = h.paceJoin(&p.joins, p.name, q, p.step.returns(&q.member))
	}
	if a.verdict == admitted && a.refusal == nil {
		a.refusal = h.bindOnce(p.name, q)
	}
	switch {
	case a.refusal != nil:
		p.refuse(at, a.refusal)
	case a.verdict == early:
		p.putOff(at, a.wait)
	default:
		return true
	}
	return false
}

// putOff lets a connection ask again, with a proof or after a wait.
func (p *shared) putOff(at ownership.Address, wait time.Duration) {
	d := deferral{}
	if wait > 0 {
		d.Wait = max(1, wait.Milliseconds())
	}
	body, err := json.Marshal(d)
	if err != nil {
		panic(err) // a number
	}
	p.run(p.machine.Undecided(at, body))
}

// admit says that the room step has let a connection in.
func (p *shared) admit(s *ownership.Seat, told []delivery[ownership.Address]) {
	entered, at := *s, s.Address()
	if known, err := p.step.seats[p.step.seated(at)].handed(); err == nil {
		entered.Member = known.Member // it may have another name
	}
	p.run(p.machine.Entered(entered))
	if refusal := p.tell(told); refusal != nil {
		p.cutOff(at, refusal)
	}
}

// hear takes a frame of a member, which its hub has checked.
func (p *shared) hear(at ownership.Address, frame []byte) {
	m, err := p.decode(frame)
	var refusal *signal.Error
	switch {
	case err != nil:
		p.fleet.ignore(err)
	case m.Pair():
		refusal = p.deliver(p.step.relay(at, &m))
	case m.Type == signal.TypeChat:
		refusal = p.deliver(p.step.chat(at, &m, time.Now().UnixMilli()))
	case m.Type == signal.TypeRename:
		refusal = p.tell(p.step.rename(at, strings.Clone(m.Name))) // it is part of a frame, which is its reader's
	case rightsNeeded[m.Type] != "":
		m.To, m.Session, m.Name = strings.Clone(m.To), strings.Clone(m.Session), strings.Clone(m.Name)
		refusal = p.tell(p.step.moderate(at, &m))
	}
	if refusal != nil {
		p.cutOff(at, refusal)
	}
}

// cutOff ends a member's connection with an error.
func (p *shared) cutOff(at ownership.Address, e *signal.Error) {
	p.refuse(at, e)
	_ = p.tell(p.step.leave(at, signal.ReasonLost)) // a bye always fits
}

// tell follows an event of the room step that may have changed who is there or what it knows: all of that is said first, so
// that nobody learns of a lock of which the hubs have no copy.
func (p *shared) tell(told []delivery[ownership.Address]) (tooBig *signal.Error) {
	before := p.seated
	for i := range p.step.seats {
		s := &p.step.seats[i]
		if c, err := s.handed(); err == nil {
			p.run(p.machine.Changed(s.conn, c.Member))
		}
	}
	if before > 0 && len(p.step.seats) == 0 && p.machine.Ends() {
		p.step.memory = memory{}
		p.run(p.machine.Finish())
	} else {
		p.remember()
	}
	p.account()
	tooBig = p.deliver(told)
	p.remember() // who has had a last frame is in the list until then
	return tooBig
}

// remember gives the hubs of the members a copy of what the room step remembers.
func (p *shared) remember() {
	m, err := p.step.memory.handed()
	if err != nil {
		p.fleet.note("memory", "what a room remembers cannot be handed over", err)
	}
	p.run(p.machine.Remember(m))
}

// account tells the hub how many members there are and what has happened, and sets the alarm.
func (p *shared) account() {
	h, n := p.fleet.hub, len(p.step.seats)
	h.mu.Lock()
	announce(h, p.step, p.seated)
	h.recount(&p.listing, n)
	if !p.owned || n != p.seated {
		p.owned = true
		p.fleet.ownedChanges++
	}
	h.mu.Unlock()
	p.seated, p.shown = n, n
	p.alarm.set(p.step.nextOverdue(), p.expireAbsent)
}

// expireAbsent removes members whose authorisation has ended after they had lost their hub.
func (p *shared) expireAbsent() {
	p.do(func() {
		p.alarm.due = time.Time{}
		if p.step != nil {
			_ = p.tell(p.step.overdue(time.Now())) // a bye always fits
		}
	})
}

// deliver sends each frame, encoded once, to the hubs of those it is for. The error says that a frame grew above the limit
// and was not delivered.
func (p *shared) deliver(told []delivery[ownership.Address]) (tooBig *signal.Error) {
	for _, d := range told {
		frame, err := d.message.Encode()
		if err != nil {
			tooBig = signal.Errorf(signal.CodeTooBig, d.message.Type, "with what the hub adds: %v", err)
			continue
		}
		p.knows(frame, d.message)
		chat := ""
		if d.message.Type == signal.TypeChat {
			chat = d.message.From + "/" + d.message.ID
		}
		p.run(p.machine.Deliver(ownership.Delivery{To: d.to, Last: d.last, Chat: chat, Body: frame}))
	}
	return tooBig
}
