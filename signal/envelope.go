package signal

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// Nearly every frame that a hub sees is a pair frame, a chat, a join, a ping or
// a pong as JSON.stringify and this package write them: an object without white
// space, escapes or fields of a later version. This file reads and writes such
// envelopes with a tenth of the work of a JSON library. Whatever else an
// envelope may be, valid or not, is left to the library: scan and append say
// nothing about it.

// The fields that scan knows, as bits: one that comes twice is not for it.
const (
	fieldType = 1 << iota
	fieldFrom
	fieldTo
	fieldID
	fieldText
	fieldRoom
	fieldName
	fieldSession
	fieldToken
	fieldKey
	fieldSignature
	fieldSessions
	fieldEpoch
	fieldSeq
	fieldAck
	fieldSigned
	fieldNumber
	fieldOrder
	fieldAfter
	fieldSent
	fieldSignedName
	fieldSignedSignature
)

// A scanner reads an envelope, which is valid UTF-8 without escapes and control characters, from its front.
type scanner struct {
	envelope []byte
	text     string // the same
	at       int    // where in it
	seen     int    // fields
}

// scan fills m from an envelope. It reports false if the envelope is not of
// the plain kind, and has then left m half filled.
func (m *Message) scan(envelope []byte) bool {
	if len(envelope) > maxPlain || !plain(envelope) {
		return false
	}
	s := scanner{envelope: envelope, text: string(envelope)}
	return s.object(func(key string) bool { return s.field(m, key) }) && s.at == len(s.text)
}

// object reads an object with at least one field. value reads what follows a key.
func (s *scanner) object(value func(key string) bool) bool {
	for more := s.skip('{'); more; more = s.skip(',') {
		if key, ok := s.quoted(); !ok || !s.skip(':') || !value(key) {
			return false
		}
		if s.skip('}') {
			return true
		}
	}
	return false
}

// plain reports whether text has neither a backslash nor a control character. It looks at eight bytes at a time: of each, the
// highest bit of a difference says whether it is below a bound.
func plain(text []byte) bool {
	const ones, highest = 0x0101010101010101, 0x8080808080808080
	for ; len(text) >= 8; text = text[8:] {
		eight := binary.LittleEndian.Uint64(text)
		slashes := eight ^ '\\'*ones
		if ((eight-' '*ones)&^eight|(slashes-ones)&^slashes)&highest != 0 {
			return false
		}
	}
	for _, c := range text {
		if c == '\\' || c < ' ' {
			return false
		}
	}
	return true
}

// maxPlain is the size in bytes from which an envelope is not plain: strings of a message keep the
// whole of it in memory. Code that keeps one for long clones it.
const maxPlain = 2 * MaxChat

// field reads the value of one field of m.
func (s *scanner) field(m *Message, key string) bool {
	switch key {
	case "type":
		return s.word(fieldType, (*string)(&m.Type))
	case "from":
		return s.word(fieldFrom, &m.From)
	case "to":
		return s.word(fieldTo, &m.To)
	case "id":
		return s.word(fieldID, &m.ID)
	case "text":
		return s.word(fieldText, &m.Text)
	case "room":
		return s.word(fieldRoom, &m.Room)
	case "name":
		return s.word(fieldName, &m.Name)
	case "session":
		return s.word(fieldSession, &m.Session)
	case "token":
		return s.word(fieldToken, &m.Token)
	case "key":
		return s.bytes(fieldKey, (*Bytes)(&m.Key))
	case "signature":
		return s.bytes(fieldSignature, &m.Signature)
	case "sessions":
		return s.first(fieldSessions) && s.skip('[') && s.string(&m.Sessions[0]) &&
			s.skip(',') && s.string(&m.Sessions[1]) && s.skip(']')
	case "epoch":
		return s.first(fieldEpoch) && s.skip('[') && s.number(&m.Epoch.Number) &&
			s.skip(',') && s.string(&m.Epoch.By) && s.skip(']')
	case "seq":
		return s.first(fieldSeq) && s.number(&m.Seq)
	case "ack":
		return s.first(fieldAck) && s.number(&m.Ack)
	case "signed":
		m.Signed = new(Signed)
		return s.first(fieldSigned) && s.object(func(key string) bool { return s.signed(m.Signed, key) })
	}
	return false
}

// signed reads the value of one field of what a message of chat is signed with.
func (s *scanner) signed(m *Signed, key string) bool {
	switch key {
	case "number":
		return s.first(fieldNumber) && s.number(&m.Number)
	case "order":
		return s.first(fieldOrder) && s.number(&m.Order)
	case "after":
		return s.bytes(fieldAfter, &m.After)
	case "sent":
		return s.first(fieldSent) && s.number(&m.Sent)
	case "name":
		return s.word(fieldSignedName, &m.Name)
	case "signature":
		return s.bytes(fieldSignedSignature, &m.Signature)
	}
	return false
}

// first reports whether a field has not come before.
func (s *scanner) first(field int) bool {
	fresh := s.seen&field == 0
	s.seen |= field
	return fresh
}

func (s *scanner) skip(c byte) bool {
	if s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) word(field int, into *string) bool { return s.first(field) && s.string(into) }

// bytes reads a string of base64url.
func (s *scanner) bytes(field int, into *Bytes) bool {
	at := s.at + len(`"`)
	var text string
	return s.word(field, &text) && into.UnmarshalText(s.envelope[at:at+len(text)]) == nil
}

func (s *scanner) string(into *string) (ok bool) {
	*into, ok = s.quoted()
	return ok
}

func (s *scanner) quoted() (string, bool) {
	if !s.skip('"') {
		return "", false
	}
	n := strings.IndexByte(s.text[s.at:], '"')
	if n < 0 {
		return "", false
	}
	text := s.text[s.at : s.at+n]
	s.at += n + len(`"`)
	return text, true
}

// number reads an integer from 0 on, of at most as many digits as [MaxTime].
func (s *scanner) number(into *int64) bool {
	const most = len("9007199254740991")
	rest, n := s.text[s.at:], 0
	for n < len(rest) && n < most && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	if n == 0 || n > 1 && rest[0] == '0' || n == len(rest) || rest[n] != ',' && rest[n] != '}' {
		return false
	}
	v, err := strconv.ParseInt(rest[:n], 10, 64)
	*into = v
	s.at += n
	return err == nil
}

// appendPlain writes the envelope of a pair frame, byte for byte as the library
// does. It reports false if m is none, or has a type, id or session that is not
// of the right characters. Fields that pair frames do not have are left out.
func (m *Message) appendPlain(b []byte) ([]byte, bool) {
	if !m.Pair() || m.Signature != nil && len(m.Signature) == 0 {
		return b, false
	}
	for _, s := range [...]string{string(m.Type), m.From, m.To, m.Sessions[0], m.Sessions[1], m.Epoch.By} {
		if s != "" && !validLabel(s) {
			return b, false
		}
	}
	b = append(append(b, `{"type":"`...), m.Type...)
	b = appendWord(append(b, '"'), `,"from":"`, m.From)
	b = appendWord(b, `,"to":"`, m.To)
	if m.Signature != nil {
		b = append(base64.RawURLEncoding.AppendEncode(append(b, `,"signature":"`...), m.Signature), '"')
	}
	if m.Sessions != [2]string{} {
		b = append(append(b, `,"sessions":["`...), m.Sessions[0]...)
		b = append(append(append(b, `","`...), m.Sessions[1]...), `"]`...)
	}
	if m.Epoch != (Epoch{}) {
		b = strconv.AppendInt(append(b, `,"epoch":[`...), m.Epoch.Number, 10)
		b = append(append(append(b, `,"`...), m.Epoch.By...), `"]`...)
	}
	b = appendNumber(b, `,"seq":`, m.Seq)
	b = appendNumber(b, `,"ack":`, m.Ack)
	return append(b, '}'), true
}

func appendWord(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return append(append(append(b, key...), s...), '"')
}

func appendNumber(b []byte, key string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(b, key...), n, 10)
}

// plainSize is about how long an envelope is: that of a pair frame, or of a
// joined without anybody else. Each other member takes memberSize more.
const plainSize, memberSize = 448, 160

// encodePlain is the frame of a pair frame, joined or welcome, made in one piece.
func (m *Message) encodePlain() (frame []byte, ok bool) {
	switch {
	case m.Pair():
		frame, ok = m.appendPlain(slices.Grow([]byte(nil), plainSize+len(m.Body)))
	case m.Type == TypeWelcome, m.Type == TypeJoined:
		frame, ok = m.appendArrival(slices.Grow([]byte(nil), plainSize+memberSize*len(m.Members)))
	}
	if ok && m.Body != nil {
		frame = append(append(frame, '\n'), m.Body...)
	}
	return frame, ok
}
