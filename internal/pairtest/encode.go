package pairtest

import (
	"noom/internal/exchange"
	"noom/internal/recovery"
)

// This file writes a state down as bytes, so that two states that go on alike
// are written alike. Counters only ever matter by their differences: so each
// is written as its distance from the one at the end that counts up. What only
// ticks look at is left out, for the model sends again at any time.

// base is where an end's counters stand.
type base struct {
	acked   int64
	offers  int64
	gen     int8
	version int16
}

type encoder struct {
	to    []byte
	w     *World
	bases [2]base
	epoch exchange.Epoch // to which the bases apply
	known bool           // both ends know each other's sessions
}

func (w *World) encode(to []byte) []byte {
	a, b := &w.ends[0], &w.ends[1]
	e := encoder{to: to, w: w, known: a.link.session == b.session && b.link.session == a.session}
	if e.known && w.epoch(0) == w.epoch(1) {
		e.epoch = w.epoch(0)
	}
	for i := range w.ends {
		l := &w.ends[i].link
		if e.known {
			e.bases[i].version = l.tableVersion
		}
		if e.epoch.Number > 0 {
			e.bases[i].acked, e.bases[i].offers, e.bases[i].gen = w.x[i].Acked(), l.turn.State().Local, l.conn.generation
		}
	}
	e.bits(w.cut)
	e.bytes(w.sees[0], w.sees[1])
	for i := range w.ends {
		e.member(i)
		e.link(i)
		e.exchange(i)
		e.frames(i, w.hub[i])
		e.frames(i, w.inBand[i])
	}
	return e.to
}

func (e *encoder) bits(bits ...bool) {
	var b byte
	for k, bit := range bits {
		if bit {
			b |= 1 << k
		}
	}
	e.to = append(e.to, b)
}

func (e *encoder) bytes(bytes ...int8) {
	for _, b := range bytes {
		e.to = append(e.to, byte(b))
	}
}

func (e *encoder) member(i int) {
	m := &e.w.ends[i]
	e.bits(m.here, m.online)
	e.bytes(m.session, m.lives, m.tracks, m.mutes)
	e.bytes(m.used[:]...)
	e.bytes(m.carded)
	e.card(m.card)
	e.card(m.link.card)
	e.bytes(int8(len(m.notices)))
	for _, n := range m.notices {
		e.bytes(int8(n.kind), n.session, n.behind)
		e.card(n.card)
	}
}

func (e *encoder) card(c card) {
	e.bits(c.made)
	e.bytes(c.tracks, c.mutes)
}

func (e *encoder) link(i int) {
	l := &e.w.ends[i].link
	c := &l.conn
	t := l.turn.State()
	e.bits(l.known, l.tableDirty, c.open(), c.started, c.asked, c.stuck, c.deaf)
	e.bits(t.Turn, t.Asked, t.Need, t.Restart, t.Open)
	own, other := e.bases[i], e.bases[1-i]
	e.recovery(&l.recovery)
	e.bytes(int8(len(l.old)))
	for _, o := range l.old {
		e.epochOf(o.epoch)
		e.bits(o.deaf)
		if !l.recovery.Up(o.number) {
			e.bits(o.started)
			e.name(o.local, own.gen)
			e.name(o.remote, other.gen)
		}
	}
	e.bytes(l.session, l.waiting, l.heardMutes, l.heardTracks,
		int8(t.Local-own.offers), int8(t.Remote-other.offers),
		int8(c.signaling), c.generation-own.gen, c.offered, c.agreed, c.received,
		int8(l.tableVersion-own.version), int8(l.heardVersion-other.version))
	e.name(c.local, own.gen)
	e.name(c.remote, other.gen)
	e.name(c.outstanding, int8(own.offers))
	e.bytes(int8(len(c.pending)))
	for _, n := range c.pending {
		e.name(n, own.gen)
	}
	e.bytes(int8(len(l.inbox)))
	for k := range l.inbox {
		e.message(&l.inbox[k], 1-i)
	}
	for _, said := range l.said {
		e.to = append(append(e.to, byte(len(said))), said...)
	}
}

// recovery writes what decides how the machine goes on. Numbers of connections only tell
// them apart, and what only decides how long a pause is, or whose turn it is to build, nothing here looks at.
func (e *encoder) recovery(m *recovery.Machine) {
	s := m.State()
	e.bits(s.Broken, s.WasUp, s.Lost, s.Left, s.Asleep, s.Over, s.Asked, s.Unproven)
	e.bits(s.EverUp)
	e.bytes(int8(s.Peer), int8(s.Restarts), int8(s.Allowed), int8(s.Looks))
	for _, c := range []recovery.Conn{s.Current, s.Old[0], s.Old[1]} {
		e.bits(c.Number != 0, c.Control, c.Data)
		e.bytes(int8(c.Path))
	}
	for t, armed := range s.Armed {
		if armed && recovery.Timer(t) != recovery.Calm {
			e.bytes(int8(t))
		}
	}
	e.bytes(-1)
}

// name writes n, counted from where its counter stands in the common epoch.
func (e *encoder) name(n name, from int8) {
	if e.epoch.Number > 0 && int64(n.epoch) == e.epoch.Number && e.epoch.By == letter(int(n.by)) {
		n.n -= from
	}
	e.bytes(n.session, n.life, n.epoch, n.by, n.n)
}

// message writes one that end i sent.
func (e *encoder) message(m *exchange.Message, i int) {
	e.to = append(e.to, m.Type[0], m.Type[1])
	e.bits(m.HubOnly)
	if len(m.Body) == 0 {
		return
	}
	b := decode(m.Body)
	offerer := i
	if m.Type == answer {
		offerer = 1 - i
	}
	e.name(b.offer, int8(e.bases[offerer].offers))
	e.name(b.ufrag, e.bases[i].gen)
	e.name(b.found, e.bases[i].gen)
	// An honest end's wire id is the offer's own number; a rogue's too.
	e.bytes(int8(b.version-e.bases[i].version), b.mutes, b.tracks)
}

func (e *encoder) exchange(i int) {
	x := e.w.x[i]
	if x == nil {
		e.bits(false)
		return
	}
	s := x.State()
	e.bits(true, s.Owed > 0)
	e.epochOf(s.Epoch)
	e.bytes(int8(s.Acked-e.bases[i].acked), int8(s.Sent), int8(s.Got-e.bases[1-i].acked), int8(len(s.Queue)), int8(len(s.Early)))
	for k := range s.Queue {
		o := &s.Queue[k]
		e.bits(o.Due, o.Tries > 0)
		e.message(&o.Message, i)
	}
	for k := range s.Early {
		o := &s.Early[k]
		e.bytes(int8(o.Seq - e.bases[1-i].acked))
		e.message(&o.Message, 1-i)
	}
}

func (e *encoder) epochOf(n exchange.Epoch) {
	e.bytes(int8(n.Number), int8(len(n.By)))
	e.to = append(e.to, n.By...)
}

// frames writes those on their way to end i.
func (e *encoder) frames(i int, frames []frame) {
	e.bytes(int8(len(frames)))
	for k := range frames {
		f := &frames[k]
		e.bytes(f.from, f.to)
		e.epochOf(f.Epoch)
		e.epochOf(f.via)
		e.bits(f.stale)
		if f.stale {
			continue
		}
		seq, ack := f.Seq, f.Ack
		if e.known && f.to == e.w.ends[i].session && f.from == e.w.ends[i].link.session && f.Epoch == e.epoch {
			x := e.w.x[i]
			ack = max(0, ack-x.Acked()) // an old one says nothing
			if seq > 0 && seq <= x.Got() {
				e.bytes(-1, int8(ack)) // nor does a frame that has been here
				continue
			}
			if seq > 0 {
				seq -= e.bases[1-i].acked
			}
		}
		e.bytes(int8(seq), int8(ack))
		if f.Type != "" {
			e.message(&f.Message, 1-i)
		}
	}
}
