// Package connection owns the connection of one epoch: a *webrtc.PeerConnection, the turn to
// negotiate (JSEP, RFC 9429), candidates (trickle ICE, RFC 8838), the sections in which we
// send, and the two data channels of noom's own.
//
// A [Conn] is made for an epoch and never reset: the next epoch makes another. Its [Owner], a
// link, decides when, and its loop calls all methods that do not say otherwise. pion's
// callbacks post to that loop. The connection reports to Owner.
package connection
