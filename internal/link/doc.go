// Package link owns what there is of one other member: an actor that binds the pure machines
// of packages recovery, negotiate and exchange to a *webrtc.PeerConnection, and replaces that
// when it must.
//
// A [Link] lives as long as the other member's session is worth remembering: a peer that was
// lost is put to sleep, and when it comes back with the same session, epochs and data go on
// where they were.
//
// The loop owns all state. A room posts to it; so do pion's callbacks, through package
// connection. What the link needs of the room it asks of its [Host], and what an application
// shall see goes to its [Report].
package link
