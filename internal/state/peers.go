package state

import (
	"maps"
	"slices"
	"time"
)

// This file compares what we hold with what others do.

const (
	pace      = time.Second     // between two of our haves
	patience  = 5 * time.Second // with a peer that we have asked
	calm      = 3 * time.Second // after which what differs is not just on its way
	maxKnown  = 2048            // writers of which a peer may say what it holds
	batchSize = MaxFrame - 64   // bytes of records in a frame
)

// peer is another member in the room.
type peer struct {
	open   bool  // there is, or was, a connection
	talks  bool  // it has sent a frame over it
	clock  int64 // in its latest have
	known  map[string]said
	told   map[string]uint64    // what we have said, by writer
	tried  map[string][2]uint64 // asked for a writer in vain: its digest and ours
	asking string               // the writer that it was asked for
}

// said is what a peer has said that it holds of a writer.
type said struct {
	digest uint64
	at     time.Time
}

// Opened is called when there is another connection to a peer: what was on its way is lost.
func (m *Machine) Opened(id string) {
	p := m.peers[id]
	if p == nil {
		return
	}
	m.release(id)
	*p = peer{open: true, known: make(map[string]said), told: make(map[string]uint64), tried: make(map[string][2]uint64)}
	m.tell(id, true)
}

// Lost is called when a frame for a peer was dropped because too much waits for it.
func (m *Machine) Lost(id string) {
	if p := m.peers[id]; p != nil {
		clear(p.told)
		m.busy = true
	}
}

// Receive takes a frame of a peer, with the records whose signatures are good.
func (m *Machine) Receive(now time.Time, from string, f *Frame) {
	p := m.peers[from]
	if p == nil || !p.open {
		return
	}
	if !p.talks { // what was written since it was connected was not sent to it
		p.talks = true
		m.tell(from, false)
	}
	for _, r := range f.Records {
		m.take(now, r)
	}
	switch f.Type {
	case Have:
		m.takeHave(now, p, from, f)
	case Want:
		m.answer(now, from, f.Writer)
	case Answer:
		m.answered(now, p, from, f)
	case Written:
	}
}

func (m *Machine) takeHave(now time.Time, p *peer, from string, f *Frame) {
	limit := m.roomClock()
	p.clock = f.Clock
	for _, h := range f.Haves {
		if _, has := p.known[h.Writer]; has || len(p.known) < maxKnown {
			p.known[h.Writer] = said{h.Digest, now}
		}
	}
	if m.ahead && m.roomClock() > limit { // what was refused may be taken now
		m.ahead = false
		for _, other := range m.peers {
			clear(other.tried)
		}
	}
	m.busy = true
	m.ask(now, from)
}

// roomClock returns the upper median of the clocks that peers have.
func (m *Machine) roomClock() int64 {
	var clocks []int64
	for _, p := range m.peers {
		if p.open && p.clock > 0 {
			clocks = append(clocks, p.clock)
		}
	}
	if len(clocks) == 0 {
		return 0
	}
	slices.Sort(clocks)
	return clocks[len(clocks)/2]
}

// answer sends a peer all records of a writer.
func (m *Machine) answer(now time.Time, to, id string) {
	f := Frame{Type: Answer, Writer: id}
	if w := m.writers[id]; w != nil {
		size := 0
		for _, h := range w.byAge() {
			if !h.counted {
				continue
			}
			if size += recordSize + len(h.Key) + len(h.Value); size > batchSize {
				m.send(to, f)
				f.Records, size = nil, recordSize+len(h.Key)+len(h.Value)
			}
			f.Records = append(f.Records, m.aged(now, h))
		}
	}
	f.Last = true
	m.send(to, f)
}

// aged returns a record with its age.
func (m *Machine) aged(now time.Time, h *held) *Record {
	if !h.Deleted {
		return h.Record
	}
	r := *h.Record
	r.Age = now.Sub(h.since).Truncate(time.Millisecond)
	return &r
}

// answered notes that a peer has answered.
func (m *Machine) answered(now time.Time, p *peer, from string, f *Frame) {
	if p.asking != f.Writer {
		return // it is late
	}
	if !f.Last {
		m.writer(f.Writer).until = now.Add(patience)
		return
	}
	m.release(from)
	m.tryNot(p, f.Writer)
	m.ask(now, m.talking()...)
}

// tryNot notes that a peer need not be asked for a writer until something changes.
func (m *Machine) tryNot(p *peer, id string) {
	p.tried[id] = [2]uint64{p.known[id].digest, m.digest(id)}
}

// release no longer waits for a peer.
func (m *Machine) release(id string) {
	p := m.peers[id]
	if p == nil || p.asking == "" {
		return
	}
	if w := m.writers[p.asking]; w != nil {
		w.asked = ""
		m.tidy(p.asking)
	}
	p.asking, m.busy = "", true
}

func (m *Machine) digest(id string) uint64 {
	if w := m.writers[id]; w != nil {
		return w.digest
	}
	return 0
}

// ask asks each of those peers for what we lack of it, unless it is being asked.
func (m *Machine) ask(now time.Time, peers ...string) {
	for _, id := range peers {
		p := m.peers[id]
		if p.asking != "" {
			continue
		}
		if m.lacks(now, id, id) { // it knows best about itself
			m.want(now, id, id)
			continue
		}
		for _, about := range slices.Sorted(maps.Keys(p.known)) {
			if m.lacks(now, id, about) {
				m.want(now, id, about)
				break
			}
		}
	}
}

// lacks reports whether a peer is to be asked for a writer now.
func (m *Machine) lacks(now time.Time, id, about string) bool {
	p := m.peers[id]
	known, has := p.known[about]
	ours := m.digest(about)
	if !has || known.digest == ours {
		return false
	}
	if tried, was := p.tried[about]; was && tried == [2]uint64{known.digest, ours} {
		return false
	}
	w := m.writers[about]
	if w != nil && w.asked != "" {
		return false
	}
	if about != id && m.reaches(about) {
		since := known.at
		if w != nil && w.changed.After(since) {
			since = w.changed
		}
		if now.Sub(since) < calm {
			m.busy = true
			return false
		}
	}
	return true
}

// reaches reports whether what a member writes comes to us at once.
func (m *Machine) reaches(id string) bool {
	p := m.peers[id]
	return id == m.self || p != nil && p.open && p.talks
}

func (m *Machine) want(now time.Time, id, about string) {
	w := m.writer(about)
	w.asked, w.until, m.peers[id].asking, m.busy = id, now.Add(patience), about, true
	m.send(id, Frame{Type: Want, Writer: about})
}

// Tick does what is due. It is called when Next says so.
func (m *Machine) Tick(now time.Time) {
	m.busy = false
	m.expire(now)
	for _, id := range slices.Sorted(maps.Keys(m.peers)) {
		p := m.peers[id]
		if about := p.asking; about != "" && !now.Before(m.writers[about].until) {
			m.tryNot(p, about)
			m.release(id)
		}
		m.busy = m.busy || p.asking != ""
	}
	for _, id := range m.talking() {
		m.tell(id, false)
	}
	m.ask(now, m.talking()...)
}

// Next returns when Tick is due; zero: it is not.
func (m *Machine) Next(now time.Time) time.Time {
	if due := now.Add(pace); m.busy && (m.due.IsZero() || due.Before(m.due)) {
		return due
	}
	return m.due
}

// tell says to a peer what we hold: all, or what is not as we have said.
func (m *Machine) tell(id string, all bool) {
	p := m.peers[id]
	f := Frame{Type: Have, Clock: m.clock}
	for _, about := range slices.Sorted(maps.Keys(m.writers)) {
		ours := m.writers[about].digest
		if ours != 0 && ours != p.told[about] && len(f.Haves) < maxHaves {
			p.told[about] = ours
			f.Haves = append(f.Haves, Holding{about, ours})
		}
	}
	for _, about := range slices.Sorted(maps.Keys(p.told)) {
		if m.digest(about) == 0 && len(f.Haves) < maxHaves {
			delete(p.told, about)
			f.Haves = append(f.Haves, Holding{about, 0})
		}
	}
	if all || len(f.Haves) > 0 {
		m.send(id, f)
	}
}

// talking returns the peers that take part, sorted.
func (m *Machine) talking() (ids []string) {
	for _, id := range slices.Sorted(maps.Keys(m.peers)) {
		if p := m.peers[id]; p.open && p.talks {
			ids = append(ids, id)
		}
	}
	return ids
}

func (m *Machine) send(to string, f Frame) { m.out.Frames = append(m.out.Frames, Outgoing{to, f}) }
