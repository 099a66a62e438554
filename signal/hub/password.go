package hub

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/time/rate"

	"noom/signal"
)

// RoomPasswords makes a [Config.Authorize] by which whoever knows a room's
// password may join it, with the rights of the zero [Grant]. The password is
// the join's token. lookup returns a room's, and an error, which the member is told,
// if there is none; nobody gets into a room whose password is empty.
//
// Passwords are compared in Unicode normal form C without space at either end, so that what two keyboards type is one password, and in a time
// that does not tell how much of one was right.
//
// Guessing is slow: five wrong ones from an address into one room, then one
// every ten seconds; and fifty into one room from wherever, then one a second.
// Above that even the right one is refused, with code too_many and when to try
// again. So a room can be kept shut by guessing at it from many addresses:
// where that matters, use noom/signal/hub/token.
func RoomPasswords(lookup func(ctx context.Context, room string) (string, error)) func(context.Context, Request) (Grant, error) {
	var g guesses
	return func(ctx context.Context, r Request) (Grant, error) {
		password, err := lookup(ctx, r.Room)
		if err != nil {
			return Grant{}, err
		}
		now := time.Now()
		spent, wait := g.take(r.Room, r.Address, now)
		if wait > 0 {
			e := signal.Errorf(signal.CodeTooMany, signal.TypeJoin, "too many wrong passwords for this room; try again in %v", wait.Round(time.Second))
			e.RetryAfter = wait
			return Grant{}, e
		}
		if password == "" || !same(password, r.Token) {
			return Grant{}, signal.Errorf(signal.CodeRefused, signal.TypeJoin, "wrong password for this room")
		}
		for _, s := range spent { // it was no guess
			s.CancelAt(now)
		}
		return Grant{}, nil
	}
}

// same compares what two people typed.
func same(a, b string) bool {
	clean := func(s string) []byte { return norm.NFC.Bytes([]byte(strings.TrimSpace(s))) }
	x, y := sha256.Sum256(clean(a)), sha256.Sum256(clean(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

const (
	guessesFromOne, guessPauseOfOne = 5, 10 * time.Second
	guessesFromAll, guessPauseOfAll = 50, time.Second
	// maxGuessers is how many pairs of room and address are remembered. Beyond it those
	// who have not guessed lately are forgotten, and if there are none, all.
	maxGuessers = 10_000
)

// guesses bounds how fast passwords are tried. The zero value is ready.
type guesses struct {
	mu     sync.Mutex
	bounds map[guesser]*rate.Limiter
}

// A guesser is who tries to get into a room: an address, or, with the zero
// one, everybody together.
type guesser struct {
	room string
	from netip.Prefix
}

// take spends a guess before it is looked at, so that many at once cannot all
// be the first. A wait above 0 says that there are none left; else what was spent
// can be given back.
func (g *guesses) take(room string, from netip.Addr, now time.Time) (spent []*rate.Reservation, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	bounds := []*rate.Limiter{g.bound(guesser{room: room}, guessPauseOfAll, guessesFromAll, now)}
	if near, ok := neighbourhood(from); ok {
		bounds = append(bounds, g.bound(guesser{room, near}, guessPauseOfOne, guessesFromOne, now))
	}
	for _, b := range bounds {
		r := b.ReserveN(now, 1)
		spent = append(spent, r)
		wait = max(wait, r.DelayFrom(now))
	}
	if wait > 0 {
		for _, r := range spent {
			r.CancelAt(now)
		}
		return nil, wait
	}
	return spent, 0
}

func (g *guesses) bound(who guesser, pause time.Duration, burst int, now time.Time) *rate.Limiter {
	if b := g.bounds[who]; b != nil {
		return b
	}
	if len(g.bounds) >= maxGuessers {
		for other, b := range g.bounds {
			if b.TokensAt(now) >= float64(b.Burst()) {
				delete(g.bounds, other)
			}
		}
	}
	if g.bounds == nil || len(g.bounds) >= maxGuessers {
		g.bounds = make(map[guesser]*rate.Limiter)
	}
	b := rate.NewLimiter(rate.Every(pause), burst)
	g.bounds[who] = b
	return b
}
