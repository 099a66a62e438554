package noom

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"noom/internal/chat"
	"noom/internal/data"
	"noom/internal/mailbox"
	"noom/signal"
)

// maxChats is how many ids of chat messages that are not signed are remembered, and how many of ours that the hub has not
// passed on.
const maxChats = 256

var (
	errNotSigned = errors.New("its sender signs what it says")
	errSignature = errors.New("not signed by its sender")
)

// talk is a room's chat. The machine decides what counts and what is missing; the hub and links carry what is said. The
// room's loop owns it and calls all of it but came.
type talk struct {
	room    *room
	machine *chat.Machine
	shown   chatLog // of members that do not sign
	ours    []ourChat

	timer mailbox.Timer
	due   time.Time // of timer
}

// ourChat is a message of ours that the hub has not passed on.
type ourChat struct {
	id      string
	message *chat.Message
}

func newTalk(r *room) *talk {
	return &talk{room: r, machine: chat.New(r.self.ID, r.self.Session, r.cfg.History)}
}

// sign signs a message of ours, which goes to the hub now.
func (t *talk) sign(m *signal.Message) {
	x := t.machine.Prepare(t.room.self.PublicKey, t.room.Self().Name, m.Text, time.Now().UnixMilli())
	x.Sign(t.room.name, t.room.cfg.Identity.sign)
	t.machine.Signed(x)
	m.Signed = &x.Signed
	m.Stamp("") // forgets how it is encoded
	t.ours = append(t.ours, ourChat{m.ID, x})
	t.ours = t.ours[max(0, len(t.ours)-maxChats):]
}

// passed notes that the hub has passed on what may be a message of ours.
func (t *talk) passed(m *signal.Message) {
	at := slices.IndexFunc(t.ours, func(o ourChat) bool { return o.id == m.ID })
	if at < 0 {
		return
	}
	x := t.ours[at].message
	t.ours = slices.Delete(t.ours, at, at+1)
	whole := m.Signed != nil && bytes.Equal(m.Signed.Signature, x.Signature) && m.Text == x.Text
	t.change(func(time.Time) { t.machine.Passed(x, whole) }, nil, 0)
}

// heard takes what the hub says that p has said.
func (t *talk) heard(p *peer, m *signal.Message) {
	member := p.Member()
	if m.Signed == nil {
		if t.machine.Signs(member.ID, member.Session) {
			t.room.roster.reportLie("chat without a signature dropped", errNotSigned)
		} else if t.shown.isNew(m.From + m.ID) {
			t.room.events.add(ChatReceived{From: member, Text: m.Text, At: time.UnixMilli(m.At)})
		}
		return
	}
	x := &chat.Message{Author: member.ID, PublicKey: member.PublicKey, Session: member.Session, Text: strings.Clone(m.Text), Signed: *m.Signed}
	x.Name = strings.Clone(x.Name)
	if !x.Verify(t.room.name) {
		t.room.roster.reportLie("chat with a wrong signature dropped", errSignature)
		return
	}
	t.change(func(now time.Time) { t.machine.Live(now, x) }, x, m.At)
}

// told takes what the hub says was said in the room before we came.
func (t *talk) told(m *signal.Message) {
	x := &chat.Message{Author: m.From, PublicKey: m.Key, Session: m.Session, Text: m.Text, Signed: *m.Signed}
	if !x.Verify(t.room.name) {
		t.room.roster.reportLie("chat with a wrong signature dropped", errSignature)
	} else if !t.refused(x) {
		t.change(func(now time.Time) { t.machine.Told(now, x) }, nil, 0)
	}
}

func (t *talk) joined(m Member) {
	t.change(func(now time.Time) { t.machine.Joined(now, m.ID, m.Session) }, nil, 0)
}

func (t *talk) left(m Member) {
	t.change(func(now time.Time) { t.machine.Left(now, m.ID) }, nil, 0)
}

// opened is called when there is another connection to p.
func (t *talk) opened(p *peer) {
	if t.room.roster.has(p) {
		t.change(func(now time.Time) { t.machine.Opened(now, p.member.ID) }, nil, 0)
	}
}

// missed is called when the hub is back.
func (t *talk) missed() { t.change(t.machine.Missed, nil, 0) }

// came takes a frame from p. The loop of p's link calls it, and checks the signatures, which takes long.
func (t *talk) came(p *peer, b []byte) {
	f, err := chat.Decode(b)
	if err != nil {
		t.room.trace.note(p.member, "frame of chat dropped", "error", err)
		return
	}
	cost := 1 + len(f.Messages) + len(f.Digests)/16
	if f.Type == chat.Want {
		cost += stateWantCost
	}
	if !p.admitAside(len(b), cost) {
		return
	}
	f.Messages = slices.DeleteFunc(f.Messages, func(x *chat.Message) bool { return !x.Verify(t.room.name) })
	p.postAside(len(b), func() {
		f.Messages = slices.DeleteFunc(f.Messages, t.refused)
		t.change(func(now time.Time) { t.machine.Receive(now, p.member.ID, &f) }, nil, 0)
	})
}

// refused reports whether a message that comes over a link is of somebody who may not say it.
func (t *talk) refused(x *chat.Message) bool {
	r := t.room.roster
	p := r.byID[x.Author]
	refused := p != nil && !p.Member().May(RightChat)
	if p == nil && x.Author != t.room.self.ID && r.verify != nil {
		refused = r.verify(t.author(x)) != nil
	}
	if refused {
		t.machine.Refuse(x)
	}
	return refused
}

// author returns who has said something.
func (t *talk) author(x *chat.Message) Member {
	if self := t.room.Self(); x.Author == self.ID && x.Session == self.Session {
		return self
	}
	if p := t.room.roster.byID[x.Author]; p != nil && p.member.Session == x.Session {
		return p.Member()
	}
	m := Member{ID: x.Author, Name: x.Name, PublicKey: x.PublicKey, Session: x.Session}
	if signal.CheckName(m.Name) != nil {
		m.Name = ""
	}
	return m
}

// change changes the machine, and does what follows from it. byHub, if not nil, is what the hub has passed on at that time.
func (t *talk) change(what func(now time.Time), byHub *chat.Message, at int64) {
	now := time.Now()
	what(now)
	out := t.machine.Flush()
	for _, o := range out.Frames {
		if p := t.room.roster.byID[o.To]; p != nil {
			p.link.SendAside(data.AsideChat, o.Frame.Encode(), o.Frame.Type == chat.Messages) // what is lost is asked for again
		}
	}
	for _, s := range out.Shown {
		e := ChatReceived{
			From: t.author(s.Message), Text: s.Message.Text, Sent: time.UnixMilli(s.Message.Sent), Signed: true,
			History: s.History, Missing: s.Missing,
		}
		if e.At = e.Sent; s.Message == byHub {
			e.At = time.UnixMilli(at)
		}
		t.room.events.add(e)
	}
	t.wait(now, t.machine.Next())
}

// wait makes the loop look again when the machine is due.
func (t *talk) wait(now, next time.Time) {
	switch {
	case next.IsZero():
		t.timer.Stop()
	case !t.timer.Pending() || next.Before(t.due):
		t.due = next
		t.timer.Set(t.room.mail, next.Sub(now), func() { t.change(t.machine.Tick, nil, 0) })
	}
}

// chatLog remembers chat messages, so that one that is sent again is shown once.
type chatLog []string

// isNew remembers a chat message, and reports whether it is new.
func (c *chatLog) isNew(key string) bool {
	if slices.Contains(*c, key) {
		return false
	}
	if *c = append(*c, key); len(*c) > maxChats {
		*c = (*c)[1:]
	}
	return true
}
