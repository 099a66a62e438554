package noom

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"

	"noom/signal"
)

// The types of package signal that are part of this package's API.
type (
	// Signaler is one connection to a hub; see [signal.Signaler].
	Signaler = signal.Signaler
	// Dialer opens connections to a hub; see [signal.Dialer].
	Dialer = signal.Dialer
	// Member identifies a member of a room: ID, Name, PublicKey, Session; see [signal.Member].
	Member = signal.Member
	// SafetyNumber is what two members compare to verify that no hub stands between them: Digits with 199 bits, Emoji
	// with 144.
	SafetyNumber = signal.SafetyNumber
)

// SafetyNumberOf returns the safety number of two members, in either order. It follows from their ids alone, so it is
// the same in every room and changes only with an identity.
func SafetyNumberOf(a, b Member) SafetyNumber { return signal.SafetyNumberOf(a.ID, b.ID) }

// Identity is an Ed25519 key pair (RFC 8032). A member's id follows from the public key. The zero Identity has no keys;
// make one with [NewIdentity].
type Identity struct{ key ed25519.PrivateKey }

// NewIdentity generates a key pair.
func NewIdentity() Identity {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return Identity{key}
}

// IdentityFromSeed returns the identity with that [Identity.Seed], which must have 32 bytes. Keep the seed as secret as
// a password.
func IdentityFromSeed(seed []byte) (Identity, error) {
	if len(seed) != ed25519.SeedSize {
		return Identity{}, fmt.Errorf("noom: a seed has %d bytes; this one has %d", ed25519.SeedSize, len(seed))
	}
	return Identity{ed25519.NewKeyFromSeed(seed)}, nil
}

// Seed returns the 32 secret bytes from which [IdentityFromSeed] restores the identity, nil for the zero Identity.
func (i Identity) Seed() []byte {
	if i.key == nil {
		return nil
	}
	return i.key.Seed()
}

// ID returns the member id, empty for the zero Identity.
func (i Identity) ID() string {
	if i.key == nil {
		return ""
	}
	return signal.MemberID(i.publicKey())
}

// String returns the id, so that a printed Identity shows no secret.
func (i Identity) String() string { return i.ID() }

// GoString returns the type and the id, as %#v prints them.
func (i Identity) GoString() string { return "noom.Identity(" + i.ID() + ")" }

func (i Identity) publicKey() signal.PublicKey {
	return signal.PublicKey(i.key.Public().(ed25519.PublicKey))
}

func (i Identity) sign(text []byte) signal.Bytes { return ed25519.Sign(i.key, text) }
