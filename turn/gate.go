package turn

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// This file keeps away from pion what has no business with the server.

// A gate is the UDP socket of a TURN server. It drops packets that are not allowed: data of clients
// that have no allocation, and requests above their rate. pion acts on one packet after the other,
// so each of them would delay what is relayed.
type gate struct {
	net.PacketConn
	relays *relays
	number int       // of the socket
	asked  *requests // owned by ReadFrom, which is called by one goroutine
}

// LocalAddr implements [net.PacketConn]; see relaysLike.
func (g *gate) LocalAddr() net.Addr { return relaysLike(g.PacketConn.LocalAddr(), g.relays.outer) }

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
	c := clientAt(g.number, from)
	g.relays.mu.Lock()
	a := g.relays.byClient[c]
	g.relays.mu.Unlock()
	request := len(packet) >= 20 && packet[0]&0xc0 == 0 && packet[0]&0x01 == 0 && packet[1]&0x10 == 0
	switch {
	case request && a != nil:
		return a.requests.AllowN(now, 1)
	case request:
		return g.asked.ofStranger(c.prefix(), now)
	default:
		return a != nil && a.taken.AllowN(now, len(packet)+headers)
	}
}

// requests bound what may be asked of the server: of an address that has no
// allocation, and for each allocation.
type requests struct {
	perAddress rate.Limit // a second; four seconds' worth at once
	strangers  map[netip.Prefix]*rate.Limiter
	rest       *rate.Limiter // of all without a place in the map
	swept      time.Time     // when places were made last
}

const mostStrangers = 4096

func newRequests(perAddress int) *requests {
	return &requests{
		perAddress: rate.Limit(perAddress),
		strangers:  make(map[netip.Prefix]*rate.Limiter), rest: rate.NewLimiter(rate.Limit(perAddress), 4*perAddress),
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
