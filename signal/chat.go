package signal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Digest names a signed message of chat: the first 16 bytes of the SHA-256 of its text for signing.
type Digest [16]byte

// Signed is what a member signs of a message of chat, beside its text (PROTOCOL.md section 4.9).
type Signed struct {
	Number    int64  `json:"number"`         // which of its sender's messages in this session it is, from 1 on
	Order     int64  `json:"order"`          // one above the highest that its sender had taken
	After     Bytes  `json:"after,omitzero"` // the Digest of the last message of another that it had taken; empty: none
	Sent      int64  `json:"sent"`           // milliseconds since 1970, by its sender's clock
	Name      string `json:"name,omitzero"`  // its sender's nickname
	Signature Bytes  `json:"signature"`      // over ChatText
}

// ChatText is what the member with the id from signs of a message of chat.
func ChatText(room, from, session string, s *Signed, text string) []byte {
	return []byte(strings.Join([]string{
		"noom.v1 chat", room, from, session, strconv.FormatInt(s.Number, 10), strconv.FormatInt(s.Order, 10),
		base64.RawURLEncoding.EncodeToString(s.After), strconv.FormatInt(s.Sent, 10), s.Name, text,
	}, "\n"))
}

// DigestOf returns the Digest of a message with that ChatText.
func DigestOf(chatText []byte) Digest {
	sum := sha256.Sum256(chatText)
	return Digest(sum[:len(Digest{})])
}

// Check says which rule s breaks, whoever has signed it.
func (s *Signed) Check() error {
	switch {
	case s.Number < 1 || s.Number > MaxTime:
		return fmt.Errorf("number %d out of bounds", s.Number)
	case s.Order < 1 || s.Order > MaxTime:
		return fmt.Errorf("order %d out of bounds", s.Order)
	case s.Sent < 0 || s.Sent > MaxTime:
		return fmt.Errorf("sent %d out of bounds", s.Sent)
	case len(s.After) != 0 && len(s.After) != len(Digest{}):
		return fmt.Errorf("after: want 16 bytes, got %d", len(s.After))
	case len(s.Signature) != ed25519.SignatureSize:
		return fmt.Errorf("signature: want 64 bytes, got %d", len(s.Signature))
	case len(s.Name) > MaxName || strings.Contains(s.Name, "\n"):
		return errors.New("bad name")
	}
	return nil
}
