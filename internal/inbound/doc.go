// Package inbound owns what a peer sends: the packets that a connection's receiving
// sections bring, the rings in which they wait for readers, what is missing in them, and
// the tracks that the peer's table says there are.
//
// An Inbound reads one section, and feeds the Track that the section carries at the
// moment. Tracks is all that one peer sends, over all connections to it. None of
// them knows peers, links or events: differences are returned, and rights passed in.
package inbound
