package state

import "time"

// This file follows who is in the room.

// Joined is called when a member has come, or has come back.
func (m *Machine) Joined(now time.Time, id, session string) {
	if id == m.self {
		return
	}
	w := m.writer(id)
	if w.session == session {
		return
	}
	m.hide(now, w)
	w.met = true
	for _, h := range w.byAge() {
		switch {
		case h.Deleted || h.Keep:
		case h.Session != session: // nothing of it comes back
			m.remove(now, h)
		default:
			h.since = time.Time{}
		}
	}
	m.appear(w, session)
	if m.peers[id] == nil {
		m.peers[id] = &peer{}
	}
	for _, p := range m.peers {
		delete(p.tried, id) // what was refused may be taken now
	}
	m.busy = true
}

// Left is called when a member is no longer in the room.
func (m *Machine) Left(now time.Time, id string) {
	w := m.writers[id]
	if w == nil || id == m.self {
		return
	}
	m.release(id)
	delete(m.peers, id)
	m.hide(now, w)
	w.gone = now
	m.tidy(id)
	m.boundAbsent(now)
	m.busy = true
}

// appear sets the session in which a writer is in the room, and notes what shows for that.
func (m *Machine) appear(w *writer, session string) {
	var looks []func()
	for _, h := range w.byAge() {
		if !h.Deleted && !h.Keep {
			look := m.watch(h.Key)
			looks = append(looks, func() { look(h.Record) })
		}
	}
	w.session = session
	for _, look := range looks {
		look()
	}
}

// hide makes what a writer has not kept no longer show.
func (m *Machine) hide(now time.Time, w *writer) {
	if w.session == "" {
		return
	}
	for _, h := range w.byAge() {
		if !h.Deleted && !h.Keep && h.since.IsZero() {
			h.since = now
			m.dueAt(h)
		}
	}
	m.appear(w, "")
}

// absent counts the writers of which something is held and that are not in the room.
func (m *Machine) absent() (n int) {
	for _, w := range m.writers {
		if w.session == "" && len(w.records) > 0 {
			n++
		}
	}
	return n
}

// stranger returns the absent writer that makes room for one that was in the room: one that was not, if there is any.
// Of several it is the first by id.
func (m *Machine) stranger() (id string) {
	for other, w := range m.writers {
		if w.session == "" && !w.met && len(w.records) > 0 && (id == "" || other < id) {
			id = other
		}
	}
	return id
}

// boundAbsent forgets writers that are not in the room if there are too many: strangers, and then who left first.
func (m *Machine) boundAbsent(now time.Time) {
	for m.absent() > MaxAbsent {
		id := m.stranger()
		if id == "" {
			for other, w := range m.writers {
				if w.session == "" && len(w.records) > 0 && (id == "" || w.gone.Before(m.writers[id].gone) || w.gone.Equal(m.writers[id].gone) && other < id) {
					id = other
				}
			}
		}
		for _, h := range m.writers[id].byAge() {
			look := m.watch(h.Key)
			m.remove(now, h)
			look(h.Record)
		}
		m.tidy(id)
	}
}

// expire forgets what has been deleted or has not shown for its time.
func (m *Machine) expire(now time.Time) {
	m.due = time.Time{}
	for id, w := range m.writers {
		for _, h := range w.records {
			switch {
			case h.since.IsZero():
			case now.Sub(h.since) >= Life:
				m.remove(now, h)
			default:
				if h.Deleted && now.Sub(h.since) >= toldLife {
					m.uncount(now, w, h)
				}
				m.dueAt(h)
			}
		}
		m.tidy(id)
	}
}

// dueAt makes Tick come when a record expires, or is no longer told.
func (m *Machine) dueAt(h *held) {
	if h.since.IsZero() {
		return
	}
	due := h.since.Add(Life)
	if h.Deleted && h.counted {
		due = h.since.Add(toldLife)
	}
	if m.due.IsZero() || due.Before(m.due) {
		m.due = due
	}
}
