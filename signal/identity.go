package signal

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// PublicKey is an Ed25519 public key, 32 bytes; base64url in frames.
type PublicKey []byte

// Bytes are bytes that travel as base64url without padding.
type Bytes []byte

var strictBase64 = base64.RawURLEncoding.Strict()

// MarshalText encodes k as base64url.
func (k PublicKey) MarshalText() ([]byte, error) { return Bytes(k).MarshalText() }

// UnmarshalText decodes base64url.
func (k *PublicKey) UnmarshalText(text []byte) error { return (*Bytes)(k).UnmarshalText(text) }

// MarshalText encodes b as base64url.
func (b Bytes) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText decodes base64url, strictly: no padding, no stray bits, no
// line breaks.
func (b *Bytes) UnmarshalText(text []byte) error {
	if bytes.ContainsAny(text, "\r\n") { // which package base64 would skip
		return errors.New("not base64url: holds a line break")
	}
	out, err := strictBase64.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("not base64url: %w", err)
	}
	*b = out
	return nil
}

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

const idLength = 26

// CheckID says what is wrong with a member's id, nil if it can be one.
func CheckID(id string) error {
	if validID(id) {
		return nil
	}
	if len(id) > MaxName {
		id = strings.ToValidUTF8(id[:MaxName], "") + "…"
	}
	return fmt.Errorf("%q is no member's id, which has %d characters of a-z and 2-7 and is not a name", id, idLength)
}

// MemberID returns the id that follows from a public key: the first 26
// characters of the lower-case base32 of its SHA-256.
func MemberID(key PublicKey) string {
	sum := sha256.Sum256(key)
	return idEncoding.EncodeToString(sum[:])[:idLength]
}

// NewSession draws a session: 128 random bits as base64url.
func NewSession() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Verify reports whether m's id follows from its key and its other fields
// keep the protocol's rules.
func (m *Member) Verify() error {
	switch {
	case len(m.PublicKey) != ed25519.PublicKeySize:
		return fmt.Errorf("member %q: a key has 32 bytes, not %d", m.ID, len(m.PublicKey))
	case m.ID != MemberID(m.PublicKey):
		return fmt.Errorf("member %q: the id does not follow from the key", m.ID)
	case !validSession(m.Session):
		return fmt.Errorf("member %q: bad session", m.ID)
	}
	if err := cmp.Or(CheckName(m.Name), m.Rights.check(), CheckAccount(m.Account)); err != nil {
		return fmt.Errorf("member %q: %w", m.ID, err)
	}
	return nil
}

// DropBadAccount empties an account that breaks the rules, as one by another version of Unicode may: it is a member all the
// same.
func (m *Member) DropBadAccount() {
	if CheckAccount(m.Account) != nil {
		m.Account = ""
	}
}

// ProofText is what a member signs to answer a challenge.
func ProofText(endpoint, room, session string, nonce Bytes) []byte {
	return []byte("noom.v1 join\n" + endpoint + "\n" + room + "\n" + session + "\n" +
		base64.RawURLEncoding.EncodeToString(nonce))
}

// ByeText is what a member signs to say bye apart from its connection; nonce is that of the connection, as
// joined has it.
func ByeText(endpoint, room, session string, nonce Bytes) []byte {
	return []byte("noom.v1 bye\n" + endpoint + "\n" + room + "\n" + session + "\n" +
		base64.RawURLEncoding.EncodeToString(nonce))
}

// PairText is what a member signs of a pair frame: everything in it that the receiver acts on, the
// room, and the receiver's id. from is the sender's id.
func PairText(m *Message, room, from string) []byte {
	var b strings.Builder
	b.Grow(256 + len(m.Body))
	for _, s := range [...]string{
		"noom.v1 pair", string(m.Type), room, from, m.To, m.Sessions[0], m.Sessions[1],
		strconv.FormatInt(m.Epoch.Number, 10), m.Epoch.By,
		strconv.FormatInt(m.Seq, 10), strconv.FormatInt(m.Ack, 10),
	} {
		b.WriteString(s)
		b.WriteByte('\n')
	}
	b.Write(m.Body)
	return []byte(b.String())
}
