package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"noom/signal"
	"noom/signal/hub"
)

// maxBound is how many ids of living tokens a Verifier remembers.
const maxBound = 100_000

// A Verifier checks tokens. Its methods may be called from anywhere at any
// time. Make one with [NewVerifier].
type Verifier struct {
	keys   []Key
	parser *jwt.Parser

	mu    sync.Mutex
	bound map[string]binding // by jti
}

// A binding is the member that a token with an id is for.
type binding struct {
	member string
	until  time.Time
}

// NewVerifier makes a Verifier for tokens that any of keys has signed: several,
// while one takes the place of another.
func NewVerifier(keys ...Key) (*Verifier, error) {
	if len(keys) == 0 {
		return nil, errors.New("token: a Verifier needs a key")
	}
	methods := make([]string, len(keys))
	for i, k := range keys {
		if k.check == nil {
			return nil, errors.New("token: the zero Key is none")
		}
		methods[i] = k.method.Alg()
	}
	return &Verifier{
		keys:   keys,
		parser: jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithExpirationRequired(), jwt.WithStrictDecoding()),
		bound:  make(map[string]binding),
	}, nil
}

// Verify checks a token and returns what it says, whatever room it is for. Its errors say what is
// wrong with it, in words for its sender.
func (v *Verifier) Verify(text string) (Claims, error) {
	if text == "" {
		return Claims{}, errors.New("this hub requires a token")
	}
	if len(text) > signal.MaxToken {
		return Claims{}, errors.New("the token is too long")
	}
	var w wireClaims
	_, err := v.parser.ParseWithClaims(text, &w, v.keysFor)
	if err != nil {
		return Claims{}, explainError(err, &w)
	}
	c := Claims{Room: w.Room, Subject: w.Subject, Account: w.Account, Name: w.Name, Rights: w.Rights, ID: w.ID, Expires: w.ExpiresAt.Time}
	if w.NotBefore != nil {
		c.NotBefore = w.NotBefore.Time
	}
	if err := c.check(); err != nil {
		return Claims{}, fmt.Errorf("the token is no good: %w", err)
	}
	return c, nil
}

// keysFor gives the keys that may have signed t: those that its algorithm is
// for, whatever else its header says.
func (v *Verifier) keysFor(t *jwt.Token) (any, error) {
	if typ, _ := t.Header["typ"].(string); !strings.EqualFold(typ, tokenType) {
		return nil, fmt.Errorf("its type is %q, not %s", typ, tokenType)
	}
	if t.Header["crit"] != nil { // RFC 7515 section 4.1.11
		return nil, errors.New("its header asks for what this hub does not know")
	}
	kid, _ := t.Header["kid"].(string)
	var set jwt.VerificationKeySet
	for _, k := range v.keys {
		if k.method.Alg() == t.Method.Alg() && (kid == "" || k.id == "" || k.id == kid) {
			set.Keys = append(set.Keys, k.check)
		}
	}
	if len(set.Keys) == 0 {
		return nil, errors.New("this hub does not know the key")
	}
	return set, nil
}

func explainError(err error, w *wireClaims) error {
	switch {
	case errors.Is(err, jwt.ErrTokenExpired) && w.ExpiresAt != nil:
		return fmt.Errorf("the token expired %v ago", time.Since(w.ExpiresAt.Time).Round(time.Second))
	case errors.Is(err, jwt.ErrTokenNotValidYet) && w.NotBefore != nil:
		return fmt.Errorf("the token counts in %v and not before", time.Until(w.NotBefore.Time).Round(time.Second))
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return errors.New("the token's signature is no good")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return errors.New("the token does not say when it expires")
	}
	return fmt.Errorf("the token is no good: %w", err)
}

// Authorize is a [hub.Config.Authorize]: it requires a token for the room, and for that member, if
// the token has an id and was used before, at whichever hub of a cluster.
func (v *Verifier) Authorize(_ context.Context, r hub.Request) (hub.Grant, error) {
	c, err := v.Verify(r.Token)
	switch {
	case err != nil:
		return hub.Grant{}, err
	case c.Room == "" || c.Room != r.Room:
		return hub.Grant{}, errors.New("the token is for another room")
	}
	if err := v.bind(c.ID, binding{r.Member.ID, c.Expires}, time.Now()); err != nil {
		return hub.Grant{}, err
	}
	return hub.Grant{Identity: c.Subject, Account: c.Account, Name: c.Name, Rights: c.Rights, Once: c.ID, Expires: c.Expires}, nil
}

// bind reserves a token for the first member that comes with it.
func (v *Verifier) bind(id string, b binding, now time.Time) error {
	if id == "" {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if old, ok := v.bound[id]; ok && now.Before(old.until) {
		if old.member != b.member {
			return errors.New("the token already belongs to another member")
		}
		return nil
	}
	if len(v.bound) >= maxBound {
		for id, old := range v.bound {
			if !now.Before(old.until) {
				delete(v.bound, id)
			}
		}
	}
	if len(v.bound) >= maxBound {
		return errors.New("too many tokens are in use; make them live shorter")
	}
	v.bound[id] = b
	return nil
}

// Guard passes a request on to next, such as [hub.Hub.RoomsHandler], if it has a token with the
// right to list in the header Authorization: Bearer (RFC 6750 section 2.1). Others are answered 401
// or, without that right, 403.
func (v *Verifier) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			text = ""
		}
		c, err := v.Verify(strings.TrimSpace(text))
		switch {
		case err != nil:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, err.Error(), http.StatusUnauthorized)
		case c.Rights == nil || !c.Rights.Has(signal.RightList):
			http.Error(w, "the token does not let you list rooms", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
