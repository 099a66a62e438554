// Package link owns everything about one other member: an actor that binds the pure machines
// of packages recovery, negotiate and exchange to a *webrtc.PeerConnection, and replaces that
// when it must.
//
// A [Link] lives as long as the other member's session is worth remembering: a peer that was
// lost is put to sleep, and when it comes back with the same session, epochs and data go on
// where they were.
//
// The loop owns all state. A room posts to it; so do pion's callbacks, through package
// connection. The link asks its [Host] for what it needs of the room, and passes what the
// application sees to its [Report].
package link
