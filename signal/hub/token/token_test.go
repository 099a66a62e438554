package token_test

import (
	"crypto/ed25519"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"noom/signal"
	"noom/signal/hub"
	"noom/signal/hub/token"
)

// seeded returns the key that belongs to a name.
func seeded(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func secret(tb testing.TB) token.Key {
	tb.Helper()
	k, err := token.Secret([]byte(strings.Repeat("s", 32)))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func verifier(tb testing.TB, keys ...token.Key) *token.Verifier {
	tb.Helper()
	v, err := token.NewVerifier(keys...)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func sign(tb testing.TB, k token.Key, c token.Claims) string {
	tb.Helper()
	text, err := token.Sign(k, c)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestSignAndVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		claims := token.Claims{
			Room: "교실 3", Subject: "선생님@학교", Name: "김 선생", Rights: signal.AllRights(),
			NotBefore: now.Add(-time.Minute).Local(), Expires: now.Add(time.Hour).Local(), ID: token.NewID(),
		}
		bare := token.Claims{Room: "r", Expires: claims.Expires}
		viewer := token.Claims{Room: "r", Expires: claims.Expires, Rights: signal.Rights{}}
		for name, k := range map[string]token.Key{"EdDSA": token.Private(seeded("a")), "HS256": secret(t)} {
			v := verifier(t, k)
			for _, want := range []token.Claims{claims, bare, viewer} {
				got, err := v.Verify(sign(t, k, want))
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %+v, want %+v (%v)", name, got, want, err)
				}
			}
		}
		// A hub with the public half is enough, and an old key next to the new one does no harm.
		v := verifier(t, secret(t), token.Public(seeded("old").Public().(ed25519.PublicKey)),
			token.Public(seeded("a").Public().(ed25519.PublicKey)))
		for _, k := range []token.Key{token.Private(seeded("a")), token.Private(seeded("old")), secret(t)} {
			if _, err := v.Verify(sign(t, k, claims)); err != nil {
				t.Error(err)
			}
		}
	})
}

// forge signs whatever header and claims say.
func forge(tb testing.TB, method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	tb.Helper()
	j := jwt.NewWithClaims(method, claims)
	j.Header["typ"] = "noom+jwt"
	maps.Copy(j.Header, header)
	text, err := j.SignedString(key)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestRefusals(t *testing.T) {
	private := seeded("a")
	public := private.Public().(ed25519.PublicKey)
	now := time.Now()
	good := jwt.MapClaims{"room": "r", "exp": now.Add(time.Hour).Unix()}
	with := func(name string, value any) jwt.MapClaims {
		c := jwt.MapClaims{"room": "r", "exp": now.Add(time.Hour).Unix()}
		c[name] = value
		if value == nil {
			delete(c, name)
		}
		return c
	}
	v := verifier(t, token.Public(public))
	whole := forge(t, jwt.SigningMethodEdDSA, private, nil, good)
	if _, err := v.Verify(whole); err != nil {
		t.Fatal(err)
	}
	for name, refused := range map[string]struct{ text, says string }{
		"nothing":                    {"", "requires a token"},
		"no token":                   {"a.b.c", "is no good"},
		"two parts":                  {"eyJhbGciOiJFZERTQSJ9.e30", "is no good"},
		"too long":                   {whole + strings.Repeat("x", 4096), "too long"},
		"another key":                {forge(t, jwt.SigningMethodEdDSA, seeded("b"), nil, good), "signature is no good"},
		"a changed end":              {whole[:len(whole)-4] + "AAAA", "signature is no good"},
		"alg none":                   {forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, good), "signature is no good"},
		"the public key as a secret": {forge(t, jwt.SigningMethodHS256, []byte(public), nil, good), "signature is no good"},
		"an unknown key id":          {forge(t, jwt.SigningMethodEdDSA, private, map[string]any{"kid": "x"}, good), "does not know the key"},
		"another type":               {forge(t, jwt.SigningMethodEdDSA, private, map[string]any{"typ": "JWT"}, good), "not noom+jwt"},
		"a critical header":          {forge(t, jwt.SigningMethodEdDSA, private, map[string]any{"crit": []string{"b64"}}, good), "does not know"},
		"expired":                    {forge(t, jwt.SigningMethodEdDSA, private, nil, with("exp", now.Add(-3*time.Minute).Unix())), "expired 3m"},
		"too early":                  {forge(t, jwt.SigningMethodEdDSA, private, nil, with("nbf", now.Add(time.Minute).Unix())), "not before"},
		"no end":                     {forge(t, jwt.SigningMethodEdDSA, private, nil, with("exp", nil)), "does not say when"},
		"a room with a line break":   {forge(t, jwt.SigningMethodEdDSA, private, nil, with("room", "a\nb")), "room"},
		"a name with bidi":           {forge(t, jwt.SigningMethodEdDSA, private, nil, with("name", "a\u202eb")), "nickname"},
		"rights that are no list":    {forge(t, jwt.SigningMethodEdDSA, private, nil, with("rights", "kick")), "is no good"},
		"a subject too long":         {forge(t, jwt.SigningMethodEdDSA, private, nil, with("sub", strings.Repeat("x", 257))), "subject"},
	} {
		if c, err := v.Verify(refused.text); err == nil || !strings.Contains(err.Error(), refused.says) {
			t.Errorf("%s: %+v, %v, want %q", name, c, err, refused.says)
		}
	}
	for name, c := range map[string]token.Claims{
		"no end":            {Room: "r"},
		"a bad room":        {Room: "a\nb", Expires: now},
		"ends and begins":   {Room: "r", Expires: now, NotBefore: now.Add(time.Hour)},
		"does not fit":      {Room: "r", Expires: now, Rights: signal.Rights{signal.Right(strings.Repeat("x", 4000))}},
		"a subject too big": {Room: "r", Expires: now, Subject: strings.Repeat("x", 257)},
	} {
		if text, err := token.Sign(token.Private(private), c); err == nil {
			t.Errorf("%s was signed: %s", name, text)
		}
	}
	if _, err := token.Sign(token.Public(public), token.Claims{Room: "r", Expires: now}); err == nil {
		t.Error("signed with a public key")
	}
}

func TestAuthorize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := token.Private(seeded("a"))
		v := verifier(t, k)
		expires := time.Now().Add(time.Hour).Local()
		text := sign(t, k, token.Claims{Room: "데모", Subject: "u1", Account: "길동@example.com", Name: "지우", Rights: signal.Rights{signal.RightKick}, Expires: expires, ID: "one"})
		ask := func(member, room string) (hub.Grant, error) {
			return v.Authorize(t.Context(), hub.Request{Room: room, Token: text, Member: signal.Member{ID: member}})
		}
		want := hub.Grant{Identity: "u1", Account: "길동@example.com", Name: "지우", Rights: signal.Rights{signal.RightKick}, Once: "one", Expires: expires}
		if got, err := ask("a", "데모"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
		if _, err := ask("a", "demo"); err == nil || !strings.Contains(err.Error(), "another room") {
			t.Errorf("another room: %v", err)
		}
		if _, err := ask("a", "데모"); err != nil {
			t.Errorf("the same member again: %v", err)
		}
		if _, err := ask("thief", "데모"); err == nil || !strings.Contains(err.Error(), "another member") {
			t.Errorf("a stolen token: %v", err)
		}
		text = sign(t, k, token.Claims{Room: "데모", Expires: expires})
		for _, member := range []string{"a", "b"} {
			if _, err := ask(member, "데모"); err != nil {
				t.Errorf("a token for everyone: %v", err)
			}
		}
		text = sign(t, k, token.Claims{Expires: expires, Rights: signal.Rights{signal.RightList}})
		if _, err := ask("a", ""); err == nil {
			t.Error("a token to list rooms admitted a member")
		}
	})
}

func TestGuard(t *testing.T) {
	k := secret(t)
	list := verifier(t, k).Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	expires := time.Now().Add(time.Hour)
	for name, test := range map[string]struct {
		header string
		want   int
	}{
		"nothing":           {"", 401},
		"not a bearer's":    {"Basic " + sign(t, k, token.Claims{Expires: expires, Rights: signal.Rights{signal.RightList}}), 401},
		"bad":               {"Bearer x", 401},
		"without the right": {"Bearer " + sign(t, k, token.Claims{Expires: expires}), 403},
		"good":              {"bearer " + sign(t, k, token.Claims{Expires: expires, Rights: signal.Rights{signal.RightList}}), 204},
	} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/rooms", nil)
		if test.header != "" {
			request.Header.Set("Authorization", test.header)
		}
		answer := httptest.NewRecorder()
		list.ServeHTTP(answer, request)
		if answer.Code != test.want {
			t.Errorf("%s: %d, want %d", name, answer.Code, test.want)
		}
	}
}

func TestKeys(t *testing.T) {
	private, public := token.NewKey()
	for name, test := range map[string]struct {
		text  string
		signs bool
	}{
		"private": {string(private), true}, "public": {"\n" + string(public) + "\n", false}, "secret": {token.NewSecret() + "\n", true},
		// openssl genpkey -algorithm ed25519
		"openssl": {"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n", true},
	} {
		if k, err := token.ParseKey([]byte(test.text)); err != nil || k.CanSign() != test.signs {
			t.Errorf("%s: signs %v (%v)", name, k.CanSign(), err)
		}
	}
	a, err := token.ParseKey(private)
	if err != nil {
		t.Fatal(err)
	}
	b, err := token.ParseKey(public)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier(t, b).Verify(sign(t, a, token.Claims{Room: "r", Expires: time.Now().Add(time.Hour)})); err != nil {
		t.Errorf("the halves do not fit: %v", err)
	}
	for name, text := range map[string]string{
		"nothing": "", "words": "correct horse", "short": "c2hvcnQ=", "two": string(private) + string(public),
		"another kind": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"no key":       "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		if _, err := token.ParseKey([]byte(text)); err == nil {
			t.Errorf("%s: a key", name)
		}
	}
	if _, err := token.NewVerifier(); err == nil {
		t.Error("a Verifier without a key")
	}
	if _, err := token.NewVerifier(token.Key{}); err == nil {
		t.Error("a Verifier with the zero Key")
	}
}
