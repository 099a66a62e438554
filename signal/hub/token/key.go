package token

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// A Key signs tokens, or checks them, or both. Keep what can sign off the
// command line and out of logs.
type Key struct {
	method jwt.SigningMethod
	id     string // distinguishes Ed25519 keys; empty for a secret
	sign   any    // nil: it can only check
	check  any
}

// leastSecret is how many bytes a secret must have: as many as an HMAC-SHA256
// puts out (RFC 7518 section 3.2).
const leastSecret = 32

// Secret makes a key for HS256 of at least 32 random bytes. A program that can check with it can
// also sign: where hub and issuer are not one program, [Private] and [Public] are better.
func Secret(secret []byte) (Key, error) {
	if len(secret) < leastSecret {
		return Key{}, fmt.Errorf("token: a secret of %d bytes, want at least %d random ones", len(secret), leastSecret)
	}
	secret = bytes.Clone(secret)
	return Key{method: jwt.SigningMethodHS256, sign: secret, check: secret}, nil
}

// Private makes a key for EdDSA that signs and checks.
func Private(key ed25519.PrivateKey) Key {
	k := Public(key.Public().(ed25519.PublicKey))
	k.sign = key
	return k
}

// Public makes a key for EdDSA that only checks: all a hub needs.
func Public(key ed25519.PublicKey) Key {
	sum := sha256.Sum256(key)
	return Key{method: jwt.SigningMethodEdDSA, id: base64.RawURLEncoding.EncodeToString(sum[:9]), check: key}
}

// CanSign reports whether k can sign and not only check.
func (k Key) CanSign() bool { return k.sign != nil }

// ParseKey reads a key from the text of a file or an environment variable: PEM
// of an Ed25519 key, private (PKCS #8, RFC 5958) or public (RFC 5280), as
// openssl and noom token write it, or base64 of a secret.
func ParseKey(text []byte) (Key, error) {
	text = bytes.TrimSpace(text)
	block, rest := pem.Decode(text)
	if block == nil {
		return parseSecret(text)
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return Key{}, errors.New("token: more than one key in the text")
	}
	var parsed any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "PUBLIC KEY":
		parsed, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		return Key{}, fmt.Errorf("token: PEM of a %q, want an Ed25519 PRIVATE KEY or PUBLIC KEY", block.Type)
	}
	if err != nil {
		return Key{}, fmt.Errorf("token: bad key: %w", err)
	}
	switch key := parsed.(type) {
	case ed25519.PrivateKey:
		return Private(key), nil
	case ed25519.PublicKey:
		return Public(key), nil
	}
	return Key{}, fmt.Errorf("token: a key of type %T, want Ed25519", parsed)
}

func parseSecret(text []byte) (Key, error) {
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if secret, err := encoding.Strict().AppendDecode(nil, text); err == nil {
			return Secret(secret)
		}
	}
	return Key{}, errors.New("token: neither PEM nor base64")
}

// NewKey draws an Ed25519 key and returns it as PEM, private and public.
func NewKey() (private, public []byte) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // the system's randomness does not fail
	}
	return encodePEM("PRIVATE KEY", x509.MarshalPKCS8PrivateKey, priv), encodePEM("PUBLIC KEY", x509.MarshalPKIXPublicKey, pub)
}

func encodePEM[K any](kind string, marshal func(any) ([]byte, error), key K) []byte {
	der, err := marshal(key)
	if err != nil {
		panic(err) // both forms know Ed25519
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// NewSecret draws a secret for [Secret], as base64.
func NewSecret() string {
	secret := make([]byte, leastSecret)
	rand.Read(secret)
	return base64.StdEncoding.EncodeToString(secret)
}
