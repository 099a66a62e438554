// Package inbound owns what a peer sends: the packets from a connection's receiving
// sections, the rings in which they wait for readers, the gaps in their numbers, and the
// tracks in the peer's table.
//
// An Inbound reads one section and feeds the Track that the section currently carries.
// Tracks has everything that one peer sends, over all connections to it. None of them knows
// peers, links or events: changes are returned, and rights are passed in.
package inbound
