package state

import (
	"errors"
	"maps"
	"slices"
	"time"

	"noom/internal/fault"
	"noom/signal"
)

const (
	// Life is for how long a tombstone is kept, and what does not show because its writer has gone.
	Life = 10 * time.Minute
	// toldLife is for how long tombstones are told to others, so that none lives on by going round.
	toldLife = Life - time.Minute
)

// Machine is one member's copy of a room's state. The zero Machine is not usable.
type Machine struct {
	self    string // id
	session string
	clock   int64 // the highest version taken
	bytes   int   // of keys and values
	keys    map[string]*entry
	writers map[string]*writer
	peers   map[string]*peer
	ahead   bool      // a record was refused because its version was too far ahead
	busy    bool      // Tick has something to do in a moment
	due     time.Time // of the next expiry; zero: nothing expires
	out     Out
}

// entry is what is held under one key.
type entry struct {
	base *held   // what was kept or deleted last; nil: nothing was
	over []*held // what members have written since without Keep, one of each; what counts more comes first
}

// held is a record that counts.
type held struct {
	*Record
	since   time.Time // when it was deleted, or no longer showed; zero: neither
	counted bool      // in its writer's digest
}

// place is where a writer has a record: one that stays under a key, and one over it.
type place struct {
	key   string
	stays bool
}

func (r *Record) place() place { return place{r.Key, r.Keep || r.Deleted} }

// writer is what is held of one member, or said of it.
type writer struct {
	session string // in which it is in the room; empty: it is not
	met     bool   // it has been in the room
	gone    time.Time
	records map[place]*held
	live    int // records that are not deleted
	bytes   int // of them
	digest  uint64
	changed time.Time // of digest
	asked   string    // id of the peer that was asked for it
	until   time.Time // that is waited for
}

// Out is what follows from what a Machine was given.
type Out struct {
	Frames  []Outgoing // in this order
	Changes []Change
}

// Outgoing is a frame for a peer.
type Outgoing struct {
	To    string
	Frame Frame
}

// Change says that a key shows something else.
type Change struct {
	Key  string
	By   *Record // what shows now or, if nothing does, that whose coming or going is the reason
	Gone bool    // nothing shows
}

// ErrBehind is returned by Write if another record of the key has come since Prepare.
var ErrBehind = errors.New("another record of the key has come meanwhile; prepare it again")

// New returns the Machine of a member that has joined a room in that session.
func New(self, session string) *Machine {
	m := &Machine{self: self, session: session, keys: make(map[string]*entry), writers: make(map[string]*writer), peers: make(map[string]*peer)}
	m.writer(self).session = session
	return m
}

// Flush returns what has to be done since the last Flush.
func (m *Machine) Flush() Out {
	out := m.out
	m.out = Out{}
	return out
}

// Get returns the record that shows under a key, nil if none does.
func (m *Machine) Get(key string) *Record {
	e := m.keys[key]
	if e == nil {
		return nil
	}
	for _, h := range e.over {
		if m.isPresent(h.Record) {
			return h.Record
		}
	}
	if e.base != nil && !e.base.Deleted {
		return e.base.Record
	}
	return nil
}

// Shown returns all records that show, sorted by key.
func (m *Machine) Shown() (list []*Record) {
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		if r := m.Get(key); r != nil {
			list = append(list, r)
		}
	}
	return list
}

// watch returns a function that notes what has become of a key meanwhile; by is the record for which it may have.
func (m *Machine) watch(key string) (look func(by *Record)) {
	before := m.Get(key)
	return func(by *Record) {
		switch now := m.Get(key); now {
		case before:
		case nil:
			m.out.Changes = append(m.out.Changes, Change{Key: key, By: by, Gone: true})
		default:
			m.out.Changes = append(m.out.Changes, Change{Key: key, By: now})
		}
	}
}

// isPresent reports whether the writer of a record is in the room in the session of the record.
func (m *Machine) isPresent(r *Record) bool {
	w := m.writers[r.Writer]
	return w != nil && w.session == r.Session
}

func (m *Machine) writer(id string) *writer {
	w := m.writers[id]
	if w == nil {
		w = &writer{records: make(map[place]*held)}
		m.writers[id] = w
	}
	return w
}

// Prepare returns the next record of this member, to be signed and given to Write.
func (m *Machine) Prepare(publicKey signal.PublicKey, key string, value []byte, keep, deleted bool) (*Record, error) {
	r := &Record{
		Writer: m.self, PublicKey: publicKey, Session: m.session, Version: m.clock + 1,
		Keep: keep, Deleted: deleted, Key: key, Value: append([]byte{}, value...),
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if !m.fits(r) {
		return nil, fault.StateFull
	}
	return r, nil
}

// Write takes a record that this member has prepared and signed, and sends it to the others.
func (m *Machine) Write(now time.Time, r *Record) error {
	switch {
	case !m.counts(r):
		return ErrBehind
	case !m.fits(r):
		return fault.StateFull
	}
	h := m.put(now, r)
	for _, id := range m.talking() {
		m.send(id, Frame{Type: Written, Records: []*Record{m.aged(now, h)}})
	}
	return nil
}

// Useful reports whether a record whose signature is good would be taken, whatever its version. It is worth asking before
// the signature is checked.
func (m *Machine) Useful(r *Record) bool {
	switch {
	case r.Writer == m.self && r.Session == m.session: // we have it, or know better
	case !r.Deleted && !r.Keep && !m.isPresent(r):
	case r.Deleted && r.Age >= Life:
	default:
		_, lasts := m.beyond(r)
		return lasts && m.counts(r) && m.hasRoom(r)
	}
	return false
}

// beyond returns what a record of another member pushes out of its writer's bounds: the newest have precedence, so that all
// members that get the same records hold the same ones, whatever was signed. lasts is false if that is the record itself.
func (m *Machine) beyond(r *Record) (out []*held, lasts bool) {
	w := m.writers[r.Writer]
	if w == nil || r.Deleted {
		return nil, true
	}
	live, bytes := 0, 0
	fits := func(r *Record) bool {
		if live == MaxKeys || bytes+r.size() > MaxBytes {
			return false
		}
		live, bytes = live+1, bytes+r.size()
		return true
	}
	own := w.records[r.place()]
	pending := true
	for _, h := range slices.Backward(w.byAge()) {
		if h.Deleted || h == own {
			continue
		}
		if pending && r.compare(h.Record) > 0 {
			if pending = false; !fits(r) {
				return nil, false
			}
		}
		if !fits(h.Record) {
			out = append(out, h)
		}
	}
	return out, !pending || fits(r)
}

// counts reports whether nothing that is held replaces a record.
func (m *Machine) counts(r *Record) bool {
	e := m.keys[r.Key]
	if e == nil {
		return true
	}
	if e.base != nil && r.compare(e.base.Record) <= 0 {
		return false
	}
	w := m.writers[r.Writer]
	own := w != nil && w.records[r.place()] != nil
	return !own || r.compare(w.records[r.place()].Record) > 0
}

// isTooFar reports whether a version is too far ahead.
func (m *Machine) isTooFar(r *Record) bool { return r.Version > max(m.clock, m.roomClock())+MaxLead }

// take takes a record of another member, or of ourselves in a former session.
func (m *Machine) take(now time.Time, r *Record) {
	switch {
	case !m.Useful(r):
	case m.isTooFar(r):
		m.ahead = true
	default:
		out, _ := m.beyond(r)
		for _, h := range out {
			look := m.watch(h.Key)
			m.remove(now, h)
			look(h.Record)
		}
		m.put(now, r)
	}
}

// fits reports whether a record of ours is within all bounds.
func (m *Machine) fits(r *Record) bool {
	out, lasts := m.beyond(r)
	return lasts && len(out) == 0 && m.hasRoom(r)
}

// hasRoom reports whether a record is within the bounds that hold for all writers, and for tombstones, which make room for
// newer ones.
func (m *Machine) hasRoom(r *Record) bool {
	w := m.writers[r.Writer]
	if isNew := w == nil || w.session == "" && len(w.records) == 0; isNew && m.absent() >= MaxAbsent {
		if w == nil || !w.met || m.stranger() == "" {
			return false
		}
	}
	if r.Deleted {
		oldest := m.oldestTombstone(w)
		return oldest == nil || r.compare(oldest.Record) > 0
	}
	total := m.bytes + r.size()
	if w != nil {
		if h := w.records[r.place()]; h != nil && !h.Deleted {
			total -= h.size()
		}
	}
	return total <= MaxTotal
}

// oldestTombstone returns the one that makes room for the next; nil: there is room.
func (m *Machine) oldestTombstone(w *writer) (oldest *held) {
	if w == nil || len(w.records)-w.live < MaxTombstones {
		return nil
	}
	for _, h := range w.records {
		if h.Deleted && (oldest == nil || h.compare(oldest.Record) < 0) {
			oldest = h
		}
	}
	return oldest
}

// put takes a record that counts, in the place of what it replaces.
func (m *Machine) put(now time.Time, r *Record) *held {
	look := m.watch(r.Key)
	w, e, at := m.writer(r.Writer), m.keys[r.Key], r.place()
	if e == nil {
		e = new(entry)
		m.keys[r.Key] = e
	}
	replaced := e.below(r)
	h := &held{Record: r}
	if at.stays {
		e.base = h
	} else {
		i, _ := slices.BinarySearchFunc(e.over, r, func(o *held, r *Record) int { return r.compare(o.Record) })
		e.over = slices.Insert(e.over, i, h)
	}
	for _, old := range replaced {
		m.forget(now, old)
	}
	if r.Deleted {
		h.since = now.Add(-r.Age)
		if oldest := m.oldestTombstone(w); oldest != nil {
			m.remove(now, oldest)
		}
	}
	m.count(now, w, h)
	look(r)
	for _, old := range replaced {
		m.tidy(old.Writer)
	}
	if w.session == "" {
		m.boundAbsent(now)
	}
	return h
}

// below takes out of an entry what a record replaces: all before it if it stays, else what its writer has over the rest.
func (e *entry) below(r *Record) (replaced []*held) {
	at := r.place()
	if at.stays && e.base != nil {
		replaced = append(replaced, e.base)
	}
	e.over = slices.DeleteFunc(e.over, func(h *held) bool {
		goes := at.stays && h.compare(r) < 0 || !at.stays && h.Writer == r.Writer
		if goes {
			replaced = append(replaced, h)
		}
		return goes
	})
	return replaced
}

// count enters a record in the sums.
func (m *Machine) count(now time.Time, w *writer, h *held) {
	w.records[h.place()] = h
	if !h.Deleted {
		w.live++
		w.bytes += h.size()
		m.bytes += h.size()
	}
	if !h.Deleted || h.Age < toldLife {
		h.counted = true
		w.digest ^= h.digest()
	}
	m.dueAt(h)
	w.changed, m.busy = now, true
	m.clock = max(m.clock, h.Version)
}

// remove takes a record out.
func (m *Machine) remove(now time.Time, h *held) {
	e := m.keys[h.Key]
	if e.base == h {
		e.base = nil
	}
	e.over = slices.DeleteFunc(e.over, func(o *held) bool { return o == h })
	if e.base == nil && len(e.over) == 0 {
		delete(m.keys, h.Key)
	}
	m.forget(now, h)
}

// forget takes a record that is in no entry out of the sums.
func (m *Machine) forget(now time.Time, h *held) {
	w := m.writers[h.Writer]
	delete(w.records, h.place())
	if !h.Deleted {
		w.live--
		w.bytes -= h.size()
		m.bytes -= h.size()
	}
	m.uncount(now, w, h)
}

// tidy forgets a writer if nothing is held of it.
func (m *Machine) tidy(id string) {
	if w := m.writers[id]; w != nil && len(w.records) == 0 && w.session == "" && w.asked == "" {
		delete(m.writers, id)
	}
}

// uncount takes a record out of its writer's digest.
func (m *Machine) uncount(now time.Time, w *writer, h *held) {
	if h.counted {
		h.counted = false
		w.digest ^= h.digest()
		w.changed, m.busy = now, true
	}
}

// byAge returns what is held of a writer, sorted by version.
func (w *writer) byAge() []*held {
	return slices.SortedFunc(maps.Values(w.records), func(a, b *held) int { return a.compare(b.Record) })
}
