package chat

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"errors"
	"strings"
	"unicode/utf8"

	"noom/signal"
)

// Message is what a member has said and signed. It is never changed.
type Message struct {
	Author    string // id
	PublicKey signal.PublicKey
	Session   string // the author's, when it spoke
	Text      string
	signal.Signed

	digest signal.Digest // see Verify
}

// Verify reports whether the author has signed m for that room. Only then is m for a Machine.
func (m *Message) Verify(room string) bool {
	text := signal.ChatText(room, m.Author, m.Session, &m.Signed, m.Text)
	m.digest = signal.DigestOf(text)
	return len(m.PublicKey) == ed25519.PublicKeySize && signal.MemberID(m.PublicKey) == m.Author &&
		ed25519.Verify(ed25519.PublicKey(m.PublicKey), text, m.Signature)
}

// Sign fills in the signature.
func (m *Message) Sign(room string, sign func([]byte) signal.Bytes) {
	text := signal.ChatText(room, m.Author, m.Session, &m.Signed, m.Text)
	m.digest, m.Signature = signal.DigestOf(text), sign(text)
}

// compare orders messages alike for all members.
func (m *Message) compare(o *Message) int {
	return cmp.Or(
		cmp.Compare(m.Order, o.Order), cmp.Compare(m.Sent, o.Sent), cmp.Compare(m.Author, o.Author),
		cmp.Compare(m.Session, o.Session), cmp.Compare(m.Number, o.Number), bytes.Compare(m.digest[:], o.digest[:]),
	)
}

func (m *Message) voice() voiceKey { return voiceKey{m.Author, m.Session} }

// check says which rule a message breaks that comes in a frame.
func (m *Message) check() error {
	if !isSession(m.Session) || m.Text == "" || len(m.Text) > signal.MaxChat || !utf8.ValidString(m.Text) || !utf8.ValidString(m.Name) {
		return errors.New("bad session, text or name")
	}
	return m.Signed.Check()
}

// isSession reports whether s, of the right length, has the characters of base64url.
func isSession(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
	})
}
