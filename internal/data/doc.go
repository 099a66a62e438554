// Package data owns what applications send each other without the hub: the stream of
// Peer.Send with its credit, the questions of Peer.Ask, and the data channels that
// applications open.
//
// A Stream belongs to one peer and outlives connections, and so do its Questions. A Lane belongs
// to one connection:
// it knows how much of the stream was written to the connection's data channel, and which
// channels were opened over it. The loop of a link owns both and calls their methods, except
// those marked "from anywhere". A Channel belongs to the application.
package data
