package noom

import "time"

// Timeline says when each step on the way to a peer was first reached, by the clock of this machine, in the order in
// which a newcomer reaches them; see [Peer].Timeline. A zero time: not yet, or nobody can say.
//
// The first four are of [Join], and the same for all peers of a Room, also after it has come back to the hub. The
// others are of the current connection, the one that [Peer].Connection returns: they are zero between two, and a
// connection that is rebuilt begins again with Offer. A restart of ICE changes none of them.
type Timeline struct {
	Began time.Time // Join was called
	// Resolved is when the hub's name, or that of a proxy before it, was looked up. It is zero where none was, as with
	// an address in digits and with transport/mem, and if the Dialer does not use net or net/http with the context that
	// Dial was given (net/http/httptrace). Those under transport do.
	Resolved time.Time
	Hub      time.Time // the connection to the hub was open
	Joined   time.Time // the hub had let us in
	Offer    time.Time // the first offer was sent or taken; the member who was there first makes it
	Answer   time.Time // the first answer was sent or taken
	Check    time.Time // the peer's first check of a path came, with our credentials (RFC 8445 section 7.3)
	ICE      time.Time // there was a path
	DTLS     time.Time // the handshake over it was done at our end
	Media    time.Time // the peer's first RTP packet came; zero for a peer that sends no media
}
