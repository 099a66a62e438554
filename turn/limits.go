package turn

import "cmp"

// Limits bound what members may do, over all transports together. The zero value of a field is its
// default.
//
// A member of a room of 64 has 63 connections with a relay over UDP, TCP and TLS each, and twice
// that for the moment of a restart. Each connection has at most 128 candidates at the other end.
type Limits struct {
	PerMember  int // relays of one member. 0: 384
	PerAddress int // relays of all behind one IPv4 address or IPv6 /64. 0: 1,024
	Total      int // relays of all; also connections over TCP and TLS. 0: 4,096
	Waiting    int // connections over TCP and TLS of one address that have no relay. 0: 64
	PerRelay   int // peers that a relay may reach, and as many channels. 0: 256

	// RelayRate is how many bytes a second one relay carries, both ways together, and TotalRate how
	// many all relays do; half of that at once. Each packet counts with its headers of IP and UDP, 28
	// bytes. 0: 2 MiB and 128 MiB.
	RelayRate, TotalRate int

	// AskRate is how many requests a second an address without a relay may make, and
	// OwnAskRate how many each relay's owner; four times as many at once. 0: 1,000 and 100.
	AskRate, OwnAskRate int

	// Handshakes bounds the TLS connections of one address whose handshake goes on, or which have
	// not shown yet what they are; in total they are 16 times as many. Then the oldest goes. An
	// address on loopback is not bounded, because a proxy there speaks for everyone. 0: 64.
	Handshakes int
}

// withDefaults returns the limits with defaults for zeros.
func (l Limits) withDefaults() Limits {
	for field, standard := range map[*int]int{
		&l.PerMember: 384, &l.PerAddress: 1024, &l.Total: 4096, &l.Waiting: 64, &l.PerRelay: 256,
		&l.RelayRate: 2 << 20, &l.TotalRate: 128 << 20, &l.AskRate: 1000, &l.OwnAskRate: 100, &l.Handshakes: 64,
	} {
		*field = cmp.Or(*field, standard)
	}
	return l
}
