package chat

import (
	"slices"
	"time"

	"noom/signal"
)

// What the members tell each other.

// Receive takes a frame of a member.
func (m *Machine) Receive(now time.Time, from string, f *Frame) {
	p := m.peers[from]
	if p == nil || !p.open {
		return
	}
	switch f.Type {
	case Have:
		m.takeHave(now, from, p, f)
	case Want:
		m.answer(from, f.Digests)
	case Messages:
		for _, x := range f.Messages {
			if q, asked := m.asked[x.digest]; asked && q.peer == from {
				delete(m.asked, x.digest)
				m.take(now, x, true)
			} else if x.Author == from && x.Session == p.session {
				m.Live(now, x)
			}
		}
	}
	m.ask(now)
}

func (m *Machine) takeHave(now time.Time, from string, p *peer, f *Frame) {
	m.voice(voiceKey{from, p.session}).signs = true
	p.talks, p.has, p.passed, p.ready = true, f.Digests, f.Passed, now.Add(settling)
	if f.Reply {
		m.tell(from, false)
	}
}

// settle makes a Have count, if it is time.
func (m *Machine) settle(now time.Time, id string, p *peer) (ready bool) {
	if p.ready.IsZero() || now.Before(p.ready) {
		return p.ready.IsZero()
	}
	p.ready = time.Time{}
	if v := m.voice(voiceKey{id, p.session}); v.first == 0 {
		v.first, v.top = p.passed+1, p.passed
	}
	return true
}

// answer sends what a member wants, in order.
func (m *Machine) answer(to string, wanted []signal.Digest) {
	want := make(map[signal.Digest]bool)
	for _, d := range wanted {
		want[d] = true
	}
	list := slices.DeleteFunc(slices.Clone(m.kept), func(x *Message) bool { return !want[x.digest] })
	for batch := range slices.Chunk(list, maxFrame/mostSize) {
		m.send(to, Frame{Type: Messages, Messages: batch})
	}
}

func (m *Machine) send(to string, f Frame) { m.out.Frames = append(m.out.Frames, Outgoing{to, f}) }

// tell tells a member what we keep.
func (m *Machine) tell(to string, reply bool) {
	f := Frame{Type: Have, Reply: reply, Passed: m.passed}
	for _, x := range m.kept {
		f.Digests = append(f.Digests, x.digest)
	}
	m.send(to, f)
}

// ask asks for what others keep and we have not seen, each message of one member.
func (m *Machine) ask(now time.Time) {
	for _, id := range m.opened {
		p := m.peers[id]
		if !m.settle(now, id, p) || m.keep <= 0 {
			continue
		}
		p.has = slices.DeleteFunc(p.has, m.seen.has)
		var want []signal.Digest
		for _, d := range p.has {
			if _, asked := m.asked[d]; !asked {
				m.asked[d] = question{id, now.Add(patience)}
				want = append(want, d)
			}
		}
		if len(want) > 0 {
			m.send(id, Frame{Type: Want, Digests: want})
		}
	}
}

// Tick does what is due.
func (m *Machine) Tick(now time.Time) {
	for d, q := range m.asked {
		if !now.Before(q.until) {
			delete(m.asked, d)
			p := m.peers[q.peer] // has not answered, so it is not asked for this again
			p.has = slices.DeleteFunc(p.has, func(o signal.Digest) bool { return o == d })
		}
	}
	m.ask(now)
	if m.repairAt.IsZero() || now.Before(m.repairAt) {
		return
	}
	lacking := m.outage || slices.ContainsFunc(m.absent, func(d signal.Digest) bool { return !m.seen.has(d) })
	for _, v := range m.voices {
		lacking = lacking || len(v.holes) > 0
	}
	m.repairAt, m.absent, m.outage = time.Time{}, nil, false
	if !lacking || m.keep <= 0 {
		return
	}
	m.repaired = now
	for _, id := range m.opened {
		if m.peers[id].talks {
			m.tell(id, true)
		}
	}
}

// Next returns when Tick is due; zero: it is not.
func (m *Machine) Next() time.Time {
	next := m.repairAt
	for _, id := range m.opened {
		if ready := m.peers[id].ready; !ready.IsZero() && (next.IsZero() || ready.Before(next)) {
			next = ready
		}
	}
	for _, q := range m.asked {
		if next.IsZero() || q.until.Before(next) {
			next = q.until
		}
	}
	return next
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
