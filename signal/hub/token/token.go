// Package token admits members to a hub by signed tokens: JSON Web Tokens (RFC 7519) that an
// application of yours issues and the hub checks by itself.
//
//	key, err := token.ParseKey(pem)          // the public half is enough for the hub
//	verifier, err := token.NewVerifier(key)
//	h := hub.New(&hub.Config{Authorize: verifier.Authorize})
//
// A token is made with [Sign], or with the command noom token, and given to
// noom.Config.Token or to join's option token. It travels in the join frame,
// never in an address, where logs would keep it.
//
// # What a token says
//
// The header has typ "noom+jwt", so that a token made for something else under
// the same key is none here (RFC 8725 section 3.11), and alg EdDSA or HS256,
// whichever fits the key: nothing in a token chooses how it is checked. The
// claims are:
//
//	room    the room it is for
//	sub     the member's identity for the hub's owner (optional)
//	account whom the others shall take the member for, by the hub's word (optional)
//	name    the nickname it must keep (optional)
//	rights  what it may do (optional; absent: publish and chat)
//	exp     until when it is valid: after that it admits no member, and one that it admitted is sent away
//	nbf     from when on (optional)
//	jti     its own name (optional): it is then good for one member, the first that comes with it
package token

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"noom/signal"
)

// Claims is what a token says.
type Claims struct {
	Room    string // up to 128 bytes; empty: no room, for programs that only list them
	Subject string // up to 256 bytes
	Account string // up to 256 bytes; see hub.Grant; empty: the hub says nothing
	Name    string // up to 128 bytes; empty: free
	Rights  signal.Rights
	// NotBefore and Expires have whole seconds. NotBefore may be zero, Expires
	// may not.
	NotBefore, Expires time.Time
	// ID makes the token good for a single member. Empty: any holder of the token may use it,
	// several at once too. [NewID] draws one.
	ID string
}

// wireClaims is how claims are written.
type wireClaims struct {
	jwt.RegisteredClaims

	Room    string        `json:"room,omitzero"`
	Account string        `json:"account,omitzero"`
	Name    string        `json:"name,omitzero"`
	Rights  signal.Rights `json:"rights,omitzero"`
}

const (
	tokenType  = "noom+jwt"
	maxSubject = 256 // bytes, of a sub or jti
)

// NewID draws a [Claims.ID].
func NewID() string {
	var b [12]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// check says what is wrong with c.
func (c *Claims) check() error {
	var err error
	if c.Room != "" {
		err = signal.CheckRoom(c.Room)
	}
	switch {
	case err != nil:
		return fmt.Errorf("room: %w", err)
	case len(c.Subject) > maxSubject || len(c.ID) > maxSubject:
		return fmt.Errorf("subject or id longer than %d bytes", maxSubject)
	case c.Expires.IsZero():
		return errors.New("it must say when it expires")
	case !c.NotBefore.IsZero() && !c.NotBefore.Before(c.Expires):
		return errors.New("it ends before it begins")
	}
	if err := signal.CheckAccount(c.Account); err != nil {
		return err
	}
	if err := signal.CheckName(c.Name); err != nil {
		return fmt.Errorf("nickname: %w", err)
	}
	return nil
}

// Sign makes a token. Room, Name and Account are put into normal form. It fails for a key that cannot sign,
// for claims that no hub accepts, and for a token of more than 4096 bytes.
func Sign(k Key, c Claims) (string, error) {
	c.Room, c.Name, c.Account = signal.CleanName(c.Room), signal.CleanName(c.Name), signal.CleanName(c.Account)
	if !k.CanSign() {
		return "", errors.New("token: the key is a public one; signing takes the private one")
	}
	if err := c.check(); err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	w := wireClaims{Room: c.Room, Account: c.Account, Name: c.Name, Rights: c.Rights}
	w.Subject, w.ID, w.ExpiresAt = c.Subject, c.ID, jwt.NewNumericDate(c.Expires)
	if !c.NotBefore.IsZero() {
		w.NotBefore = jwt.NewNumericDate(c.NotBefore)
	}
	t := jwt.NewWithClaims(k.method, w)
	t.Header["typ"] = tokenType
	if k.id != "" {
		t.Header["kid"] = k.id
	}
	text, err := t.SignedString(k.sign)
	switch {
	case err != nil:
		return "", fmt.Errorf("token: %w", err)
	case len(text) > signal.MaxToken:
		return "", fmt.Errorf("token: %d bytes, at most %d fit into a join", len(text), signal.MaxToken)
	}
	return text, nil
}
