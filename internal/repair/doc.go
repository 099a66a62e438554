// Package repair asks for packets of video that were lost: each one at most twice, and no longer once it has come by
// retransmission (RFC 4585 section 6.2.1, RFC 4588). losses, which is pure, decides; Asker drives it for one connection.
//
// An Answerer does what the other end asks for. history knows what was sent over one connection; the payloads themselves
// belong to the source, and are there once for all connections that it is sent over.
//
// pion's own generator asks again ten times a second for as long as it remembers a packet. It never learns that one was
// repaired, because retransmissions arrive on another stream. pion's responder makes a copy of each packet for each
// connection: 0.75 MB for a track, and three objects for a packet.
package repair
