package chat

import (
	"slices"
	"time"

	"noom/signal"
)

// Bounds of what a Machine keeps.
const (
	DefaultKeep = 100     // messages
	MaxKeep     = 1000    // messages, if its owner wants more
	MaxBytes    = 262_144 // of their texts

	maxSeen   = 4096 // digests of messages that were taken or refused
	maxHoles  = 64   // missing numbers of a voice
	maxAbsent = 64   // missing messages that others have seen
)

const (
	patience    = 5 * time.Second        // with a member that was asked for messages
	settling    = 250 * time.Millisecond // before a Have counts: what it names may be on its way from the hub
	repairDelay = time.Second            // before others are asked about what is missing: it may just be late
	repairEvery = 5 * time.Second
)

// Machine is what one member knows of a room's signed chat.
type Machine struct {
	self, session string
	keep          int

	number int64    // of our last message
	passed int64    // the highest of ours that the hub has passed on
	order  int64    // the highest that was taken or signed
	since  int64    // the order of the first message that came by hub; 0: none has
	last   *Message // of others, the highest

	kept  []*Message // in order
	bytes int        // of their texts
	floor *Message   // the highest that was let go; nil: none

	seen   digests         // taken or refused, and our own
	absent []signal.Digest // named by others when they had not come here
	outage bool            // something may be missing that nobody has named
	voices map[voiceKey]*voice
	peers  map[string]*peer // who is in the room
	opened []string         // those of them to whom there is a connection, the oldest first
	asked  map[signal.Digest]question

	repairAt time.Time // zero: nothing is to be repaired
	repaired time.Time // when it was done last

	out Output
}

type voiceKey struct{ id, session string }

// voice is a member in one session.
type voice struct {
	signs bool  // it has said so, or signed something
	first int64 // from this number on its messages should all come; 0: nothing is known of it
	top   int64 // the highest number that was taken
	holes []int64
}

// peer is another member that is in the room.
type peer struct {
	session string
	open    bool
	talks   bool            // it has sent a Have on this connection
	has     []signal.Digest // what it keeps and we have not seen
	passed  int64           // of its Have
	ready   time.Time       // when its Have counts; zero: it does
}

// question is a message that was asked for.
type question struct {
	peer  string
	until time.Time
}

// Output is what has to be done.
type Output struct {
	Frames []Outgoing
	Shown  []Shown
}

// Outgoing is a frame for a peer.
type Outgoing struct {
	To    string
	Frame Frame
}

// Shown is a message for the application.
type Shown struct {
	Message *Message
	History bool // it was said before what came by hub
	Missing int  // messages which its author had said or seen before, and which have not come
}

// New returns the Machine of a member that keeps so many messages.
func New(self, session string, keep int) *Machine {
	return &Machine{
		self: self, session: session, keep: min(keep, MaxKeep), seen: newDigests(maxSeen),
		voices: make(map[voiceKey]*voice), peers: make(map[string]*peer), asked: make(map[signal.Digest]question),
	}
}

// Flush returns what has to be done since the last Flush.
func (m *Machine) Flush() Output {
	out := m.out
	m.out = Output{}
	return out
}

// Signs reports whether what a member says in a session counts only if it is signed.
func (m *Machine) Signs(id, session string) bool {
	v := m.voices[voiceKey{id, session}]
	return v != nil && v.signs
}

// Our own messages.

// Prepare returns our next message, which is to be signed and then given to Signed.
func (m *Machine) Prepare(key signal.PublicKey, name, text string, sent int64) *Message {
	m.number++
	m.order = min(m.order+1, signal.MaxTime)
	x := &Message{Author: m.self, PublicKey: key, Session: m.session, Text: text}
	x.Signed = signal.Signed{Number: m.number, Order: m.order, Sent: sent, Name: name}
	if m.last != nil {
		x.After = slices.Clone(m.last.digest[:])
	}
	return x
}

// Signed notes that one of our messages is signed, and is none that we lack.
func (m *Machine) Signed(x *Message) { m.seen.add(x.digest) }

// Passed notes that the hub has passed one of our messages on, whole or without its signature. Then the others get it from
// us.
func (m *Machine) Passed(x *Message, whole bool) {
	if x.Number <= m.passed {
		return // it was sent again
	}
	m.passed = x.Number
	m.store(x)
	if whole {
		return
	}
	for _, id := range m.opened {
		if m.peers[id].talks {
			m.send(id, Frame{Type: Messages, Messages: []*Message{x}})
		}
	}
}

// Who is in the room.

// Joined notes a member that is in the room, in a session.
func (m *Machine) Joined(now time.Time, id, session string) {
	if p := m.peers[id]; p != nil && p.session == session {
		return
	}
	m.Left(now, id)
	m.peers[id] = &peer{session: session}
}

// Left notes that a member is gone.
func (m *Machine) Left(now time.Time, id string) {
	p := m.peers[id]
	if p == nil {
		return
	}
	delete(m.peers, id)
	m.close(id)
	m.tidy(voiceKey{id, p.session})
	m.ask(now)
}

// Opened notes that there is another connection to a member.
func (m *Machine) Opened(now time.Time, id string) {
	p := m.peers[id]
	if p == nil {
		return
	}
	m.close(id)
	p.open, p.talks, p.has, p.ready = true, false, nil, time.Time{}
	m.opened = append(m.opened, id)
	m.tell(id, false)
	m.ask(now)
}

// close forgets what was asked of a member.
func (m *Machine) close(id string) {
	m.opened = slices.DeleteFunc(m.opened, func(o string) bool { return o == id })
	for d, q := range m.asked {
		if q.peer == id {
			delete(m.asked, d)
		}
	}
}

// Missed notes that we may have missed something, as after an outage.
func (m *Machine) Missed(now time.Time) {
	m.outage = true
	m.repair(now)
}

// repair asks the others soon.
func (m *Machine) repair(now time.Time) {
	if m.repairAt.IsZero() {
		m.repairAt = later(now.Add(repairDelay), m.repaired.Add(repairEvery))
	}
}
