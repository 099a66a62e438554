// Package repair asks for packets of video that were lost: each one at most twice, and no longer once it has come by
// retransmission (RFC 4585 section 6.2.1, RFC 4588). losses, which is pure, decides; Asker drives it for one connection.
//
// pion's own generator asks again ten times a second for as long as it remembers a packet. It never learns that one was
// repaired, because retransmissions arrive on another stream.
package repair
