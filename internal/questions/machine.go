package questions

import (
	"maps"
	"slices"
	"strings"
)

// Bounds of what is open at a time, in each direction.
const (
	MaxOpen  = 64      // questions
	MaxBytes = 4 << 20 // in them; and in the answers that wait to be sent

	maxEnding = 2 * MaxOpen // questions of theirs whose end has yet to be sent
)

// Machine has the questions between us and one other member, in both directions. The zero value is ready.
type Machine struct {
	closed bool // the other member is gone
	sealed bool // we leave

	// Our questions.
	ours   map[ID]*ours
	asked  ID       // the last
	begun  ID       // the last of which a piece was given
	bytes  int      // in all of ours
	answer *arrival // that has come in part

	// Their questions.
	theirs   map[ID]*theirs
	last     ID       // that has begun
	held     int      // bytes in those that have come, in part or whole, and have no end yet
	question *arrival // that has come in part
	waiting  int      // bytes in answers that wait to be sent

	urgent []*piece   // what ends questions; sent before what waits
	queue  []*message // questions and answers, the first of which may have been sent in part
}

// ours is a question of ours until its end has come.
type ours struct {
	size   int
	wanted bool
}

// theirs is a question of theirs until its end was sent.
type theirs struct {
	size     int
	topic    string
	state    state
	unwanted bool // and the application, which has it, knows that
}

// state is how far a question of theirs has come.
type state uint8

const (
	coming   state = iota
	handled        // by the application
	answered       // the answer waits to be sent, or has been in part
	refused        // the refusal waits to be sent
)

// arrival is a question or an answer that has come in part.
type arrival struct {
	id   ID
	size int
	data []byte
}

// message is a question or an answer that has yet to be sent.
type message struct {
	first piece // without the bytes
	more  byte  // the kind of the others
	data  []byte
	sent  int
	begun bool
}

// ActionKind says what the driver has to do.
type ActionKind uint8

// The kinds of actions.
const (
	Ended    ActionKind = iota // our question has got its answer, or a refusal
	Lost                       // our question gets no end, because one of us is gone
	Asked                      // their question has come; Answer or Refuse ends it
	Unwanted                   // their question is no longer wanted; Answer or Refuse still has to be called
)

// Action is what the driver has to do.
type Action struct {
	Kind    ActionKind
	ID      ID
	Topic   string   // of Asked
	Data    []byte   // of Asked, and of Ended if there is an answer
	Refusal *Refusal // of Ended, if there is no answer
}

// Place reports whether a question of that many bytes may be asked now.
func (m *Machine) Place(size int) bool {
	return !m.closed && !m.sealed && len(m.ours) < MaxOpen && m.bytes+size <= MaxBytes
}

// Ask asks a question, for which Place has to be true. The machine keeps data, which must not change.
func (m *Machine) Ask(topic string, data []byte) ID {
	if m.ours == nil {
		m.ours = make(map[ID]*ours)
	}
	m.asked++
	id := m.asked
	m.ours[id] = &ours{size: len(data), wanted: true}
	m.bytes += len(data)
	first := piece{kind: kindQuestion, id: id, size: uint32(len(data)), topic: topic}
	m.queue = append(m.queue, &message{first: first, more: kindQuestionMore, data: data})
	return id
}

// Cancel ends our interest in a question of ours: no action follows. If it has an end already, nothing happens.
func (m *Machine) Cancel(id ID) {
	q := m.ours[id]
	if q == nil || !q.wanted {
		return
	}
	q.wanted = false
	m.unqueue(kindQuestion, id)
	if id > m.begun {
		m.forgetOurs(id)
		return
	}
	m.urgent = append(m.urgent, &piece{kind: kindUnwanted, id: id})
}

// Answer ends a question of theirs that the application has. The machine keeps data, which must not change. If too much
// waits, or data is too big, it is a refusal that says so.
func (m *Machine) Answer(id ID, data []byte) {
	q := m.theirs[id]
	switch {
	case q == nil || q.state != handled:
	case q.unwanted:
		m.refuse(id, cancelled)
	case len(data) > MaxSize:
		m.refuse(id, Refusal{CodeTooBig, "the answer is too big"})
	case m.waiting+len(data) > MaxBytes:
		m.refuse(id, Refusal{CodeBusy, "too many answers wait to be sent"})
	default:
		m.release(q)
		q.state = answered
		m.waiting += len(data)
		first := piece{kind: kindAnswer, id: id, size: uint32(len(data))}
		m.queue = append(m.queue, &message{first: first, more: kindAnswerMore, data: data})
	}
}

// Refuse ends a question of theirs that the application has. A code that is none becomes CodeFailed, and a text that is
// too long is cut.
func (m *Machine) Refuse(id ID, r Refusal) {
	q := m.theirs[id]
	switch {
	case q == nil || q.state != handled:
	case q.unwanted:
		m.refuse(id, cancelled)
	default:
		if !IsCode(r.Code) {
			r.Code = CodeFailed
		}
		r.Text = strings.ToValidUTF8(r.Text[:min(len(r.Text), MaxText)], "")
		m.refuse(id, r)
	}
}

var cancelled = Refusal{CodeCancelled, "the question is no longer wanted, or the member that was asked leaves"}

// Seal ends all questions of ours, and lets nobody ask another one, because we leave. What the application has of theirs
// it can still answer.
func (m *Machine) Seal() []Action {
	m.sealed = true
	return m.loseOurs()
}

// Close ends all questions in both directions, and lets nobody ask another one, until Open, because the other member is
// gone.
func (m *Machine) Close() []Action {
	m.closed = true
	actions := m.loseOurs()
	for _, id := range slices.Sorted(maps.Keys(m.theirs)) {
		actions = append(actions, m.unwant(id)...)
	}
	return actions
}

// Open takes back Close, because the other member is back. What has no end yet gets it now.
func (m *Machine) Open() { m.closed = false }

// Answering reports whether an end of a question of theirs has yet to be sent, which the application has given.
func (m *Machine) Answering() bool {
	for _, q := range m.theirs {
		if q.state == answered || q.state == refused {
			return true
		}
	}
	return false
}

func (m *Machine) loseOurs() (actions []Action) {
	for _, id := range slices.Sorted(maps.Keys(m.ours)) {
		if m.ours[id].wanted {
			m.Cancel(id)
			actions = append(actions, Action{Kind: Lost, ID: id})
		}
	}
	return actions
}

// forgetOurs frees the place of a question of ours.
func (m *Machine) forgetOurs(id ID) {
	m.bytes -= m.ours[id].size
	delete(m.ours, id)
}

// release forgets the bytes of a question of theirs.
func (m *Machine) release(q *theirs) {
	m.held -= q.size
	q.size = 0
}

// refuse ends a question of theirs, in whatever state.
func (m *Machine) refuse(id ID, r Refusal) {
	q := m.theirs[id]
	m.release(q)
	q.state = refused
	m.urgent = append(m.urgent, &piece{kind: kindRefusal, id: id, code: r.Code, rest: []byte(r.Text)})
}

// unqueue drops what has not been sent of a question or an answer.
func (m *Machine) unqueue(kind byte, id ID) {
	m.queue = slices.DeleteFunc(m.queue, func(w *message) bool { return w.first.kind == kind && w.first.id == id })
}
