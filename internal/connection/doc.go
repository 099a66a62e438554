// Package connection owns the connection of one epoch: a *webrtc.PeerConnection, the turn to negotiate (JSEP, RFC
// 9429), candidates (trickle ICE, RFC 8838), the sections in which we send, and noom's own two data channels.
//
// A [Conn] is made for one epoch and never reset: the next epoch makes another. Its [Owner], a link, decides when. The
// owner's loop calls all methods that do not say otherwise. pion's callbacks post to that loop; results are reported
// through Owner.
package connection
