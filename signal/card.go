package signal

import (
	"bytes"
	"compress/flate"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// Card is the first offer of a newcomer, made before it knows who is there: join carries it, and the welcome of the member
// that has been in the room for longest (PROTOCOL.md section 4.7).
type Card struct {
	Offer     Bytes `json:"offer"`     // the body of the offer, compressed; up to MaxCard bytes
	Signature Bytes `json:"signature"` // over CardText
}

// NewCard compresses the body of an offer into a card without a signature. It reports false if that is too long for one.
func NewCard(body []byte) (*Card, bool) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil || b.Len() > MaxCard || len(body) > MaxFrame {
		return nil, false
	}
	return &Card{Offer: b.Bytes()}, true
}

// Body returns the body of the offer. It reads no more than a frame can have, whatever the card decompresses to.
func (c *Card) Body() ([]byte, error) {
	from := bytes.NewReader(c.Offer)
	body, err := io.ReadAll(io.LimitReader(flate.NewReader(from), MaxFrame+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("card: %w", err)
	case len(body) > MaxFrame:
		return nil, fmt.Errorf("card: more than %d bytes", MaxFrame)
	case from.Len() > 0:
		return nil, errors.New("card: there is something behind the offer")
	}
	return body, nil
}

// Verify reports whether a member with that key has made the card for a room, in a session.
func (c *Card) Verify(key PublicKey, room, session string) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(ed25519.PublicKey(key), CardText(room, session, c.Offer), c.Signature)
}

// CardText is what a newcomer signs of its card.
func CardText(room, session string, offer Bytes) []byte {
	return []byte("noom.v1 card\n" + room + "\n" + session + "\n" + base64.RawURLEncoding.EncodeToString(offer))
}

// check says which bound a card breaks. None is right, too.
func (c *Card) check() error {
	switch {
	case c == nil:
		return nil
	case len(c.Offer) < 1 || len(c.Offer) > MaxCard:
		return fmt.Errorf("card: an offer of %d bytes, want 1 to %d", len(c.Offer), MaxCard)
	case len(c.Signature) != ed25519.SignatureSize:
		return fmt.Errorf("card: a signature of %d bytes, want 64", len(c.Signature))
	}
	return nil
}
