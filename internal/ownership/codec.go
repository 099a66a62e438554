package ownership

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// The bounds of a message.
const (
	// MaxMessage is how many bytes a message may have. It is what NATS carries by default.
	MaxMessage = 1 << 20

	maxNumber = 1<<53 - 1 // what every JSON reader takes exactly
	maxRoom   = 256       // bytes in a room's name
	maxWord   = 1024      // bytes in an identity, an id of a chat, a session
	maxMember = 8192      // bytes in what is known of a member
	maxRest   = 1 << 19   // bytes in what else a room step remembers
	maxList   = 4096      // members, connections
	idDigits  = 32
)

// errMessage is inside all errors of Decode.
var errMessage = errors.New("ownership: not a message between hubs")

// A line is the first line of a message. Behind it come raw frames: the chats of its State, then Body.
type line struct {
	*Message
	Sizes []int `json:"sizes,omitempty"`
}

// Encode returns the bytes of m. It fails if they were more than MaxMessage, or if Decode would refuse them. From then on m's
// Body is part of them.
func (m *Message) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	l := line{Message: m}
	var frames [][]byte
	if m.State != nil {
		for _, c := range m.State.Chats {
			frames = append(frames, c.Body)
		}
	}
	if m.Body != nil {
		frames = append(frames, m.Body)
	}
	for _, f := range frames {
		l.Sizes = append(l.Sizes, len(f))
	}
	data, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("ownership: encode %s: %w", m.Type, err)
	}
	if frames != nil {
		data = slices.Concat(append([][]byte{data, {'\n'}}, frames...)...)
	}
	if m.Body != nil {
		m.Body = data[len(data)-len(m.Body):]
	}
	if len(data) > MaxMessage {
		return nil, fmt.Errorf("ownership: a %s of %d bytes, at most %d", m.Type, len(data), MaxMessage)
	}
	return data, nil
}

// Decode reads a message and checks every rule that needs no knowledge of a room. Fields that it does not know are
// ignored, because hubs of several versions may be together. The message keeps data.
func Decode(data []byte) (*Message, error) {
	if len(data) > MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", errMessage, len(data), MaxMessage)
	}
	text, frames, _ := bytes.Cut(data, []byte{'\n'})
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: its line is not UTF-8", errMessage)
	}
	l := line{Message: &Message{}}
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, fmt.Errorf("%w: %w", errMessage, err)
	}
	if l.Message == nil {
		return nil, fmt.Errorf("%w: it is null", errMessage)
	}
	if err := l.split(frames); err != nil {
		return nil, err
	}
	return l.Message, l.check()
}

// split gives each chat its frame, and the message its own.
func (l *line) split(frames []byte) error {
	var chats []Chat
	if l.State != nil {
		chats = l.State.Chats
	}
	if extra := len(l.Sizes) - len(chats); extra != 0 && extra != 1 {
		return fmt.Errorf("%w: %d frames for %d chats", errMessage, len(l.Sizes), len(chats))
	}
	for i, size := range l.Sizes {
		if size < 0 || size > len(frames) {
			return fmt.Errorf("%w: a frame of %d bytes of %d", errMessage, size, len(frames))
		}
		if frame := frames[:size:size]; i < len(chats) {
			chats[i].Body = frame
		} else {
			l.Body = frame
		}
		frames = frames[size:]
	}
	if len(frames) > 0 {
		return fmt.Errorf("%w: %d bytes behind it", errMessage, len(frames))
	}
	return nil
}

// check says which rule m breaks.
func (m *Message) check() error {
	switch {
	case !ValidID(m.Hub):
		return fmt.Errorf("%w: of the hub %.40q", errMessage, m.Hub)
	case !m.within():
		return fmt.Errorf("%w: a %.40q with a list, a number or a word out of bounds", errMessage, m.Type)
	case !m.complete():
		return fmt.Errorf("%w: a %.40q without what that has", errMessage, m.Type)
	}
	return nil
}

// complete reports whether m has what its type needs.
func (m *Message) complete() bool {
	if m.Type != TypeBeat && m.Type != TypeSettled && (m.Room == "" || m.N < 1) {
		return false
	}
	numbered := m.Seq >= 1
	switch m.Type {
	case TypeBeat:
		return true
	case TypeSettled:
		return m.View >= 1
	case TypeAttach:
		return m.State != nil && (!m.Over || len(m.Conns) == 0)
	case TypeAttached:
		return m.State != nil && m.State.term() != "" && m.Seq == 0
	case TypeEnter:
		return numbered && m.Conn != nil && m.Body != nil
	case TypeFrame:
		return numbered && m.From >= 1 && (m.Gone == "") == (m.Body != nil)
	case TypeDeliver:
		return numbered && (m.State != nil || len(m.To) > 0) && (m.Chat == "" || m.Body != nil) && (!m.Last || m.Body != nil)
	case TypeRenew:
		return true
	case TypeMissed:
		return len(m.Missed) > 0
	default:
		return false
	}
}

// within reports whether m is within bounds.
func (m *Message) within() bool {
	ok := len(m.Room) <= maxRoom && number(m.N, m.Seq, m.View, m.From, int64(m.Degree), m.Clock) && m.Degree <= maxHubs &&
		word(m.Gone, m.Reason, m.Chat) && len(m.Member) <= maxMember && len(m.Hears) <= maxHubs && len(m.Marks) <= maxMarks &&
		len(m.Roster) <= maxList && len(m.Places) <= maxList
	ok = ok && len(m.Missed) <= missedMost && number(m.Missed...)
	for i := 1; i < len(m.Missed); i++ {
		ok = ok && m.Missed[i-1] < m.Missed[i]
	}
	for _, hub := range m.Hears {
		ok = ok && ValidID(hub)
	}
	for _, k := range m.Marks {
		ok = ok && ValidID(k.To) && k.Room != "" && len(k.Room) <= maxRoom && number(k.N, k.Seq) && k.N > 0
	}
	for _, v := range m.Roster {
		ok = ok && len(v) <= maxMember
	}
	for _, p := range m.Places {
		ok = ok && p.Conn >= 1 && number(p.Conn) && p.Place >= 0 && p.Place < len(m.Roster) && stamped(p.Order)
	}
	if m.Conn != nil {
		ok = ok && m.Conn.within()
	}
	if m.Entered != nil {
		ok = ok && stamped(*m.Entered)
	}
	return ok && m.conns() && (m.State == nil || m.State.within())
}

// conns reports whether the lists of connections are within bounds, and name none twice.
func (m *Message) conns() bool {
	if len(m.Conns) > maxList || len(m.To) > maxList {
		return false
	}
	seen := make(map[int64]bool, len(m.Conns)+len(m.To))
	for i := range m.Conns {
		c := &m.Conns[i]
		if !c.within() || seen[c.Conn] {
			return false
		}
		seen[c.Conn] = true
	}
	clear(seen)
	for _, c := range m.To {
		if c < 1 || !number(c) || seen[c] {
			return false
		}
		seen[c] = true
	}
	return true
}

func (c *Conn) within() bool {
	return c.Conn >= 1 && number(c.Conn) && c.Person.within() && stamped(c.Order) && len(c.Member) <= maxMember
}

// Fits reports whether messages about c can be encoded, also one with a whole room of such members.
func (c *Conn) Fits() bool { return c.within() && len(c.Member) <= maxMember/4 }

func (s *State) within() bool {
	ok := len(s.Lineage) <= keptTerms && number(s.N) && len(s.Chats) <= keptChats && len(s.Barred) <= keptKicks &&
		len(s.Away) <= maxList && len(s.Roster) <= maxList && word(s.Born) && size(s.Rest) <= maxRest
	for _, term := range s.Lineage {
		ok = ok && term != "" && word(term)
	}
	for _, c := range s.Chats {
		ok = ok && c.ID != "" && word(c.ID) && c.Body != nil
	}
	for _, list := range [][]Person{s.Away, s.Barred, s.Roster} {
		for _, p := range list {
			ok = ok && p.within()
		}
	}
	return ok
}

func (p Person) within() bool { return p.ID != "" && word(p.ID, p.Session, p.Identity) }

func stamped(s Stamp) bool { return number(s.Term, s.N) }

func number(numbers ...int64) bool {
	for _, n := range numbers {
		if n < 0 || n > maxNumber {
			return false
		}
	}
	return true
}

func word(words ...string) bool {
	for _, w := range words {
		if len(w) > maxWord {
			return false
		}
	}
	return true
}

// ValidID reports whether id is one of a hub: 32 digits of hexadecimal.
func ValidID(id string) bool {
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(id) == idDigits
}
