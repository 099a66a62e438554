package chat

import (
	"slices"
	"time"

	"noom/signal"
)

// Refuse makes the Machine drop a message, and not ask for it again.
func (m *Machine) Refuse(x *Message) {
	m.seen.add(x.digest)
	delete(m.asked, x.digest)
}

// Live takes a message in the turn of its author's messages: what the hub brings of a member that is in the room.
func (m *Machine) Live(now time.Time, x *Message) {
	if m.seen.has(x.digest) {
		return
	}
	m.take(now, x, false)
	if m.since == 0 {
		m.since = x.Order
	}
}

// Told takes a message that the hub has kept for those who come later.
func (m *Machine) Told(now time.Time, x *Message) {
	if m.keep > 0 {
		m.take(now, x, true)
	}
}

// take takes a message that has not been seen. history: its author may have said others since.
func (m *Machine) take(now time.Time, x *Message, history bool) {
	if m.seen.has(x.digest) || x.Author == m.self && x.Session == m.session {
		return
	}
	m.seen.add(x.digest)
	v := m.voice(x.voice())
	v.signs = true
	missing, late, ok := v.count(x.Number, func() bool { return m.keeps(x.voice(), x.Number) })
	history = history || late
	if !ok || history && m.floor != nil && x.compare(m.floor) <= 0 {
		m.tidy(x.voice())
		return
	}
	if !history && m.lacks(x) {
		missing++
		m.absent = append(m.absent, signal.Digest(x.After))
		m.absent = m.absent[max(0, len(m.absent)-maxAbsent):]
	}
	if missing > 0 && !history { // of history the others know no more
		m.repair(now)
	}
	m.order = max(m.order, x.Order)
	if m.last == nil || x.compare(m.last) > 0 {
		m.last = x
	}
	if m.store(x) || !history {
		m.out.Shown = append(m.out.Shown, Shown{x, history, missing})
	}
}

// lacks reports whether the author of x had seen a message that we should have.
func (m *Machine) lacks(x *Message) bool {
	return len(x.After) > 0 && m.since > 0 && x.Order-1 > m.since && !m.seen.has(signal.Digest(x.After))
}

// count takes a number of a voice. It returns how many before it are missing, whether it comes late, and whether it can be.
func (v *voice) count(n int64, used func() bool) (missing int, late, ok bool) {
	switch at := slices.Index(v.holes, n); {
	case v.first == 0:
		v.first, v.top = n, n
	case n > v.top:
		missing = int(min(n-v.top-1, 1<<30))
		for hole := max(v.top+1, n-maxHoles); hole < n; hole++ {
			v.holes = append(v.holes, hole)
		}
		v.holes = v.holes[max(0, len(v.holes)-maxHoles):]
		v.top = n
	case at >= 0:
		v.holes = slices.Delete(v.holes, at, at+1)
		late = true
	default:
		return 0, true, n < v.first && !used()
	}
	return missing, late, true
}

// store keeps a message, and reports whether it is kept.
func (m *Machine) store(x *Message) bool {
	if m.keep <= 0 || m.floor != nil && x.compare(m.floor) <= 0 {
		return false
	}
	at, _ := slices.BinarySearchFunc(m.kept, x, (*Message).compare)
	m.kept = slices.Insert(m.kept, at, x)
	m.bytes += len(x.Text)
	for len(m.kept) > m.keep || m.bytes > MaxBytes {
		m.floor = m.kept[0]
		m.bytes -= len(m.floor.Text)
		m.kept = slices.Delete(m.kept, 0, 1)
		m.tidy(m.floor.voice())
	}
	return m.floor == nil || x.compare(m.floor) > 0
}

func (m *Machine) keeps(k voiceKey, number int64) bool {
	return slices.ContainsFunc(m.kept, func(x *Message) bool { return x.Number == number && x.voice() == k })
}

func (m *Machine) voice(k voiceKey) *voice {
	v := m.voices[k]
	if v == nil {
		v = &voice{}
		m.voices[k] = v
	}
	return v
}

// tidy forgets a voice that is not in the room if nothing that it has said is kept.
func (m *Machine) tidy(k voiceKey) {
	p := m.peers[k.id]
	if p != nil && p.session == k.session || slices.ContainsFunc(m.kept, func(x *Message) bool { return x.voice() == k }) {
		return
	}
	delete(m.voices, k)
}
