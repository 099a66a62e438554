// Package link owns everything about one other member: an actor that has package recovery decide, and
// package frames carry messages, for the connections of package connection, one after the other.
//
// A [Link] lives as long as the other member's session is worth remembering: the link of a peer that was lost is put to
// sleep, and if the peer comes back with the same session, epochs and data go on where they were.
//
// The loop owns all state. A room posts to it; so do pion's callbacks, through package connection. What the link needs
// of the room it asks of its [Host]; what an application is to see it reports to its [Report].
package link
