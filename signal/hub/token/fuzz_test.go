package token_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"reflect"
	"testing"
	"time"

	"noom/signal"
	"noom/signal/hub/token"
)

// FuzzToken signs whatever header and claims there are with the right key, because a signature
// keeps a fuzzer from all that is behind it. What is accepted is within its bounds, is valid now,
// and says the same when it is signed again.
func FuzzToken(f *testing.F) {
	const header = `{"alg":"EdDSA","typ":"noom+jwt"}`
	for _, claims := range []string{
		`{"room":"교실","sub":"u1","name":"지우","rights":["kick"],"exp":4102444800,"nbf":1,"jti":"x"}`,
		`{"room":"r","exp":4102444800.5}`, `{"room":"r","exp":1e300}`, `{"room":"r","exp":"4102444800"}`, `{"exp":null}`,
		`{"room":"r","exp":-1}`, `{"rights":[],"exp":4102444800}`, `{"room":"r","room":"s","exp":4102444800}`, `{}`, `[]`, `{"room":1}`,
		`{"room":"r","exp":4102444800,"aud":["a","b"],"iat":4102444800}`,
	} {
		f.Add(header, claims)
	}
	for _, h := range []string{
		`{"alg":"none","typ":"noom+jwt"}`, `{"alg":"HS256","typ":"noom+jwt"}`, `{"alg":"EdDSA"}`, `{"alg":"EdDSA","typ":"noom+jwt","crit":["x"]}`,
		`{"alg":"EdDSA","typ":"noom+jwt","kid":7}`, `{"alg":"EdDSA","typ":"NOOM+JWT","kid":""}`, `{"typ":"noom+jwt"}`, `{`,
	} {
		f.Add(h, `{"room":"r","exp":4102444800}`)
	}
	private := seeded("a")
	v := verifier(f, token.Public(private.Public().(ed25519.PublicKey)))
	f.Fuzz(func(t *testing.T, header, claims string) {
		encode := base64.RawURLEncoding.EncodeToString
		text := encode([]byte(header)) + "." + encode([]byte(claims))
		if _, err := v.Verify(text + "." + encode(make([]byte, 64))); err == nil {
			t.Fatalf("accepted without a signature: %s", text)
		}
		c, err := v.Verify(text + "." + encode(ed25519.Sign(private, []byte(text))))
		if err != nil {
			return
		}
		if !time.Now().Before(c.Expires) || c.NotBefore.After(time.Now()) || len(c.Subject) > 256 || signal.CheckName(c.Name) != nil {
			t.Fatalf("accepted %+v", c)
		}
		again, err := token.Sign(token.Private(private), c)
		if err != nil {
			t.Fatalf("%+v cannot be signed: %v", c, err)
		}
		if got, err := v.Verify(again); err != nil || !same(got, c) {
			t.Fatalf("%+v came back as %+v (%v)", c, got, err)
		}
	})
}

// same compares claims, times to the second that a token keeps.
func same(a, b token.Claims) bool {
	a.Expires, b.Expires = a.Expires.Truncate(time.Second), b.Expires.Truncate(time.Second)
	a.NotBefore, b.NotBefore = a.NotBefore.Truncate(time.Second), b.NotBefore.Truncate(time.Second)
	return reflect.DeepEqual(a, b)
}
