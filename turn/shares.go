package turn

import (
	"net"
	"net/netip"
	"time"

	"noom/signal"
)

// This file shares a TURN server: so many allocations for a member, for an address and for all.
// Where the last two are used up, a client with few takes one from the client with most, so that
// none keeps the others out, also one that has many addresses.

// mayHaveMore is asked before an allocation, so that the refusal says why. Room is made only when a
// relay is opened: pion may still find that none can be, such as of another family of addresses.
func (r *relays) mayHaveMore(user string, near netip.Prefix) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, refused := r.room(user, near); refused {
		return false
	}
	if len(r.asked) >= r.limits.Total {
		clear(r.asked) // of those who got none for other reasons
	}
	r.asked[user] = near
	return true
}

// room is what has to go for one more relay, if anything, or that there can be none. The caller holds
// r.mu.
func (r *relays) room(user string, near netip.Prefix) (victim *relay, refused bool) {
	refused = r.byUser[user] >= r.limits.PerMember
	switch {
	case refused:
	case r.byAddress[near] >= r.limits.PerAddress:
		victim = r.spare(near, r.byUser[user]+1)
		refused = victim == nil
	case r.count >= r.limits.Total:
		at, least := r.crowded(near), 0
		if at == near {
			least = r.byUser[user] + 1
		}
		victim = r.spare(at, least)
		if victim == nil { // none has many at one address, but one may have many at several
			victim = r.spareOf(richest(r.byUser, r.byUser[user]+1), func(*relay) bool { return true })
		}
		refused = victim == nil
	}
	return victim, refused
}

// makeRoom takes away what has to go for a relay that a user has asked for.
func (r *relays) makeRoom(user string) {
	r.mu.Lock()
	var victim *relay
	if near, asked := r.asked[user]; asked {
		victim, _ = r.room(user, near)
		delete(r.asked, user)
	}
	r.mu.Unlock()
	if victim != nil {
		_ = victim.Close() // its owner asks again, because pion forgets it
	}
}

// crowded is the address with most allocations, if that is more than near would
// have with one more; else it is near. The caller holds r.mu.
func (r *relays) crowded(near netip.Prefix) netip.Prefix {
	most := near
	for p, n := range r.byAddress {
		if n > r.byAddress[most] && n > r.byAddress[near]+1 {
			most = p
		}
	}
	return most
}

// spare is what can be taken from the client with most at an address, if that is more than least:
// one that has relayed nothing, or else the oldest. The caller holds r.mu.
func (r *relays) spare(at netip.Prefix, least int) *relay {
	count := make(map[string]int)
	for _, a := range r.live {
		if a.from == at {
			count[a.user]++
		}
	}
	return r.spareOf(richest(count, least), func(a *relay) bool { return a.from == at })
}

// richest is the user with most, if that is more than least.
func richest(count map[string]int, least int) (user string) {
	for other, n := range count {
		if n > least {
			user, least = other, n
		}
	}
	return user
}

// spareOf is what can be taken from a user among those; nil for no user. The caller holds r.mu.
func (r *relays) spareOf(user string, among func(*relay) bool) (victim *relay) {
	for _, a := range r.live {
		if user != "" && a.user == user && among(a) && (victim == nil || a.worseThan(victim)) {
			victim = a
		}
	}
	return victim
}

// worseThan reports whether r is to be taken away before b.
func (r *relay) worseThan(b *relay) bool {
	if used := r.used.Load(); used != b.used.Load() {
		return !used
	}
	return r.since.Before(b.since)
}

// created notes the owner of an allocation: pion reports only now from where it was asked for.
func (r *relays) created(c client, at net.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.live[portOf(at)]
	if a == nil {
		return // it has been taken away at once
	}
	r.unplace(a)
	a.client, a.from = c, c.prefix()
	r.byAddress[a.from]++
	r.byClient[c] = a
	r.settled(c, true)
}

// unplace takes an allocation from its client; the caller holds r.mu.
func (r *relays) unplace(a *relay) {
	if a.client == (client{}) {
		return
	}
	if r.byClient[a.client] == a {
		delete(r.byClient, a.client)
	}
	if r.byAddress[a.from]--; r.byAddress[a.from] <= 0 {
		delete(r.byAddress, a.from)
	}
	a.client = client{}
}

// permissionLife is for how long pion keeps a permission.
const permissionLife = 5 * time.Minute

// grants says whether a client may relay to an address: whether anybody may, and
// whether it has not too many permissions and channels already. What it has it may
// renew, but not once it has all the channels there are: pion does not say what it
// asks for.
func (r *relays) grants(c client, peer net.IP) bool {
	if !r.permits(peer) {
		return false
	}
	to, _ := netip.AddrFromSlice(peer) // else it is not permitted
	to = to.Unmap()
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.byClient[c]
	if a == nil || a.channels >= r.limits.PerRelay {
		return false
	}
	if _, has := a.permissions[to]; !has && len(a.permissions) >= r.limits.PerRelay {
		for other, until := range a.permissions {
			if now.After(until) {
				delete(a.permissions, other)
			}
		}
		if len(a.permissions) >= r.limits.PerRelay {
			return false
		}
	}
	a.permissions[to] = now.Add(permissionLife)
	return true
}

// channel counts an allocation's channels.
func (r *relays) channel(c client, at net.Addr, by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.live[portOf(at)]; a != nil && a.client == c { // else the port has gone to another
		a.channels += by
	}
}

// pause is for how long a client's next request has to wait.
func (r *relays) pause(c client, now time.Time) time.Duration {
	r.mu.Lock()
	a := r.byClient[c]
	r.mu.Unlock()
	if a == nil {
		return 0
	}
	return a.requests.ReserveN(now, 1).DelayFrom(now)
}

// A client is one end of a way to the server. Two of them may have the same address and port, on
// the way to two sockets of ours.
type client struct {
	socket int // of ours
	at     netip.AddrPort
}

// clientAt is the client at the other end of a socket of ours.
func clientAt(socket int, a net.Addr) client { return client{socket, addrPortOf(a)} }

// prefix is what a client's allocations are counted by.
func (c client) prefix() netip.Prefix { return prefixOf(c.at) }

func prefixOf(at netip.AddrPort) netip.Prefix {
	if !at.IsValid() {
		return netip.Prefix{}
	}
	return signal.Neighbourhood(at.Addr())
}

// addrPortOf is an address of a socket; all that we serve are UDP or TCP.
func addrPortOf(a net.Addr) netip.AddrPort {
	var at netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		at = a.AddrPort()
	case *net.TCPAddr:
		at = a.AddrPort()
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

func portOf(a net.Addr) int { return int(addrPortOf(a).Port()) }
