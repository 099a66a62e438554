// Package data owns what applications send each other without the hub: the stream of
// Peer.Send with its credit, over all connections to a peer, and the data channels of
// the application's own.
//
// A Stream is of one peer, and lasts. A Lane is what one connection adds: how much of the
// stream has gone into its data channel, and the channels opened over it. Both are
// owned by the loop of a link, which calls them, except for what is marked "from anywhere".
// A Channel is the application's.
package data
