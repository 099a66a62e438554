package hub

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"sync"
	"time"

	"noom/signal"
)

// RoomPasswords makes a [Config.Authorize] that admits every member that knows a room's password,
// with the rights of the zero [Grant]. The password is the join's token. lookup returns a room's,
// or an error, which the member gets, if there is none; no member gets into a room whose password
// is empty.
//
// Passwords are compared as people type names, [signal.CleanName], so that what two keyboards type
// is one password, and in a time that does not reveal how much of one was right.
//
// Guessing is slow: five wrong guesses from an address into one room, then one every ten seconds;
// twenty from an address into all rooms together, then one every ten seconds, so that nothing is
// gained where many rooms have the same password; a hundred from one IPv6 /48, then one a second;
// and fifty into one room from wherever, then one a second. An address is an IPv4 one or an IPv6
// /64; loopback does not count. Above that even the right one is refused, with code too_many and
// when to try again. So a room can be kept shut by guessing at it from many addresses: where that
// matters, use noom/signal/hub/token. The memory is bounded, and no guess is forgotten before its
// time is over, whatever others do meanwhile. In a cluster the hub that has a room counts all guesses
// at it, until the room goes to another.
func RoomPasswords(lookup func(ctx context.Context, room string) (string, error)) func(context.Context, Request) (Grant, error) {
	g := newGuesses()
	return func(ctx context.Context, r Request) (Grant, error) {
		password, err := lookup(ctx, r.Room)
		if err != nil {
			return Grant{}, err
		}
		right := password != "" && samePassword(password, r.Token)
		if wait := r.guess(g, right); wait > 0 {
			e := signal.Errorf(signal.CodeTooMany, signal.TypeJoin, "too many wrong passwords for this room; try again in %v", wait.Round(time.Second))
			e.RetryAfter = wait
			return Grant{}, e
		}
		if !right {
			return Grant{}, signal.Errorf(signal.CodeRefused, signal.TypeJoin, "wrong password for this room")
		}
		return Grant{}, nil
	}
}

// guess counts a password: in a cluster at the hub that has the room, unless that does not answer.
func (r *Request) guess(g *guesses, right bool) (wait time.Duration) {
	if r.fleet != nil {
		if wait, ok := r.fleet.guess(r.Room, r.Address, right); ok {
			return wait
		}
	}
	return g.count(r.Room, r.Address, right, time.Now())
}

// samePassword compares what two people typed.
func samePassword(a, b string) bool {
	x, y := sha256.Sum256([]byte(signal.CleanName(a))), sha256.Sum256([]byte(signal.CleanName(b)))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// guesses bounds how fast passwords are tried.
type guesses struct {
	mu       sync.Mutex
	visitors throttle[netip.Prefix] // an address, at all rooms
	sites    throttle[netip.Prefix] // an IPv6 /48, at all rooms
	rooms    throttle[string]       // everybody, at one room
	pairs    throttle[guesser]      // an address, at one room
}

// A guesser is an address that tries to get into a room.
type guesser struct {
	room string
	from netip.Prefix
}

func newGuesses() *guesses {
	return &guesses{
		visitors: throttle[netip.Prefix]{pace: pace{20, 10 * time.Second}},
		sites:    throttle[netip.Prefix]{pace: pace{100, time.Second}},
		rooms:    throttle[string]{pace: pace{50, time.Second}},
		pairs:    throttle[guesser]{pace: pace{5, 10 * time.Second}},
	}
}

// count counts a password, and says how long there may be no other, not even the right one.
func (g *guesses) count(room string, from netip.Addr, right bool, now time.Time) (wait time.Duration) {
	spent, wait := g.take(room, from, now)
	if right && wait == 0 {
		g.forgive(spent) // it was no guess
	}
	return wait
}

// take spends a guess, for a right password too, so that many at once cannot all be the first. A wait
// above 0 says that there are none left; else what was spent can be given back. A member held back
// by its address gets no further, and so cannot fill the memory of rooms.
func (g *guesses) take(room string, from netip.Addr, now time.Time) (spent []func(), wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	spend := func(giveBack func(), longer time.Duration, ok bool) {
		if ok {
			spent = append(spent, giveBack)
		}
		wait = max(wait, longer)
	}
	near, counts := neighbourhood(from)
	if counts {
		spend(g.visitors.take(near, now, 0))
		if site, is := siteOf(from); is && wait == 0 {
			spend(g.sites.take(site, now, 0))
		}
		if wait == 0 {
			spend(g.pairs.take(guesser{room, near}, now, 0))
		}
	}
	if wait == 0 {
		spend(g.rooms.take(room, now, 0))
	}
	if wait > 0 {
		undoGuesses(spent)
		return nil, wait
	}
	return spent, 0
}

// forgive gives back what was spent.
func (g *guesses) forgive(spent []func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	undoGuesses(spent)
}

func undoGuesses(spent []func()) {
	for _, giveBack := range spent {
		giveBack()
	}
}

// siteOf is the IPv6 /48 that a customer of a network may have all of.
func siteOf(a netip.Addr) (_ netip.Prefix, ok bool) {
	if a = a.Unmap().WithZone(""); !a.Is6() {
		return netip.Prefix{}, false
	}
	p, err := a.Prefix(48)
	return p, err == nil
}
