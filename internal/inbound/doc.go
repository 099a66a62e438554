// Package inbound owns what a peer sends: the packets from a connection's receiving
// sections, the rings in which they wait for readers, the gaps in their numbers, and the
// tracks in the peer's table.
//
// An Inbound reads one section and feeds the Track that the section currently carries. Of several encodings of a
// picture it delivers the one that is wanted, which a chooser decides, and of several sizes in one stream those up to
// that, which a thinner decides. A joint makes one stream of what is left.
//
// Tracks has everything that one peer sends, over all connections to it. None of them knows
// peers, links or events: changes are returned, and rights are passed in.
package inbound
