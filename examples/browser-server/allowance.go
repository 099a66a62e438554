package main

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"noom/signal"
)

// This file shares a TURN server: so many allocations for a member, for an address and for all.
// Where the last two are used up, a client with few takes one from the client with most, so that
// none keeps the others out.

// mayHaveMore is asked before an allocation, so that the refusal says why. It may
// make room.
func (r *relays) mayHaveMore(user, _ string, from net.Addr) bool {
	r.mu.Lock()
	near := prefixOf(from)
	refused := r.byUser[user] >= r.limits.perUser
	var victim *relay
	switch {
	case refused:
	case r.byAddress[near] >= r.limits.perAddress:
		victim = r.spare(near, r.byUser[user]+1)
		refused = victim == nil
	case r.count >= r.limits.total:
		at, least := r.crowded(near), 0
		if at == near {
			least = r.byUser[user] + 1
		}
		victim = r.spare(at, least)
		refused = victim == nil
	}
	r.mu.Unlock()
	if victim != nil {
		_ = victim.Close() // its owner asks again, because pion forgets it
	}
	return !refused
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
	rich, most := "", least
	for user, n := range count {
		if n > most {
			rich, most = user, n
		}
	}
	var victim *relay
	for _, a := range r.live {
		if rich != "" && a.from == at && a.user == rich && (victim == nil || a.worseThan(victim)) {
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
func (r *relays) created(from, _ net.Addr, _, _, _ string, at net.Addr, _ int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.live[portOf(at)]
	if a == nil {
		return // it has been taken away at once
	}
	r.unplace(a)
	a.client, a.from = clientOf(from), prefixOf(from)
	r.byAddress[a.from]++
	r.byClient[a.client] = a
	if r.settled != nil {
		r.settled(from, true)
	}
}

// deleted notes that a client no longer has an allocation.
func (r *relays) deleted(from, _ net.Addr, _, _, _ string) {
	if r.settled != nil {
		r.settled(from, false)
	}
}

// unplace takes an allocation from its client; the caller holds r.mu.
func (r *relays) unplace(a *relay) {
	if a.client == "" {
		return
	}
	if r.byClient[a.client] == a {
		delete(r.byClient, a.client)
	}
	if r.byAddress[a.from]--; r.byAddress[a.from] <= 0 {
		delete(r.byAddress, a.from)
	}
	a.client = ""
}

// permissionLife is for how long pion keeps a permission.
const permissionLife = 5 * time.Minute

// grants says whether a client may relay to an address: whether anybody may, and
// whether it has not too many permissions and channels already. What it has it may
// renew, but not once it has all the channels there are: pion does not say what it
// asks for.
func (r *relays) grants(client net.Addr, peer net.IP) bool {
	if !r.permits(client, peer) {
		return false
	}
	to, _ := netip.AddrFromSlice(peer) // else it is not permitted
	to = to.Unmap()
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.byClient[clientOf(client)]
	if a == nil || a.channels >= r.limits.perAllocation {
		return false
	}
	if _, has := a.permissions[to]; !has && len(a.permissions) >= r.limits.perAllocation {
		for other, until := range a.permissions {
			if now.After(until) {
				delete(a.permissions, other)
			}
		}
		if len(a.permissions) >= r.limits.perAllocation {
			return false
		}
	}
	a.permissions[to] = now.Add(permissionLife)
	return true
}

// channel counts an allocation's channels.
func (r *relays) channel(by int) func(from, _ net.Addr, _, _, _ string, at, _ net.Addr, _ uint16) {
	return func(from, _ net.Addr, _, _, _ string, at, _ net.Addr, _ uint16) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if a := r.live[portOf(at)]; a != nil && a.client == clientOf(from) { // else the port has gone to another
			a.channels += by
		}
	}
}

// pause is for how long a client's next request has to wait.
func (r *relays) pause(client net.Addr, now time.Time) time.Duration {
	r.mu.Lock()
	a := r.byClient[clientOf(client)]
	r.mu.Unlock()
	if a == nil {
		return 0
	}
	return a.requests.ReserveN(now, 1).DelayFrom(now)
}

// clientOf identifies a client.
func clientOf(a net.Addr) string { return a.Network() + " " + a.String() }

// prefixOf is what a client's allocations are counted by.
func prefixOf(a net.Addr) netip.Prefix {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	return signal.Neighbourhood(at.Addr())
}

func portOf(a net.Addr) int {
	if udp, is := a.(*net.UDPAddr); is {
		return udp.Port
	}
	return 0
}

// requests bound what may be asked of the server: of an address that has no
// allocation, and for each allocation.
type requests struct {
	perAddress, perAllocation rate.Limit // a second; four seconds' worth at once
	strangers                 map[netip.Prefix]*rate.Limiter
	rest                      *rate.Limiter // of all without a place in the map
	swept                     time.Time     // when places were made last
}

const mostStrangers = 4096

func newRequests(perAddress, perAllocation int) *requests {
	return &requests{
		perAddress: rate.Limit(perAddress), perAllocation: rate.Limit(perAllocation),
		strangers: make(map[netip.Prefix]*rate.Limiter), rest: rate.NewLimiter(rate.Limit(perAddress), 4*perAddress),
	}
}

// ofStranger reports whether an address may ask once more.
func (q *requests) ofStranger(from netip.Prefix, now time.Time) bool {
	l := q.strangers[from]
	if l == nil && len(q.strangers) >= mostStrangers && now.Sub(q.swept) > time.Second {
		q.swept = now // not for each packet with a forged address
		for other, of := range q.strangers {
			if of.TokensAt(now) >= float64(of.Burst()) {
				delete(q.strangers, other) // has not asked for a while
			}
		}
	}
	if l == nil && len(q.strangers) >= mostStrangers {
		return q.rest.AllowN(now, 1)
	}
	if l == nil {
		l = rate.NewLimiter(q.perAddress, 4*int(q.perAddress))
		q.strangers[from] = l
	}
	return l.AllowN(now, 1)
}

// A gate is the UDP socket of a TURN server. It drops packets that are not allowed: data of clients
// that have no allocation, and requests above their rate. pion acts on one packet after the other,
// so each of them would delay what is relayed.
type gate struct {
	net.PacketConn
	relays *relays
	asked  *requests // owned by ReadFrom, which is called by one goroutine
}

// ReadFrom implements [net.PacketConn].
func (g *gate) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := g.PacketConn.ReadFrom(b)
		if err != nil || g.lets(b[:n], from, time.Now()) {
			return n, from, err
		}
	}
}

// lets reports whether a packet is to be acted on (RFC 8656 section 12, RFC 8489
// section 5: how to distinguish them).
func (g *gate) lets(packet []byte, from net.Addr, now time.Time) bool {
	g.relays.mu.Lock()
	a := g.relays.byClient[clientOf(from)]
	g.relays.mu.Unlock()
	request := len(packet) >= 20 && packet[0]&0xc0 == 0 && packet[0]&0x01 == 0 && packet[1]&0x10 == 0
	switch {
	case request && a != nil:
		return a.requests.AllowN(now, 1)
	case request:
		return g.asked.ofStranger(prefixOf(from), now)
	default:
		return a != nil && a.taken.AllowN(now, len(packet))
	}
}
