// Package exchange makes a reliable, ordered stream of messages between two
// members out of paths that lose, repeat, reorder and delay frames (PROTOCOL.md
// sections 4.1 and 4.2). It is a pure machine: no goroutine, clock, lock or
// network. Values go in, frames to send and messages to act on come out, and
// time is a number of ticks it is told of.
//
// # What it promises
//
// Within an epoch, each message given to Send at one end comes out of Receive
// at the other at most once and in order, and exactly once if frames get
// through often enough. So what is built on top may assume a FIFO link, while
// the same frame may travel by hub and by data channel at once and a hub may
// restart and forget.
//
// # Epochs
//
// One connection belongs to one epoch; all counters start anew with it. An
// epoch is a number and the id of the member who began it, compared in that order, so
// that two begun at once have a winner without a further message:
//
//	          Begin: number of the highest seen + 1, own id
//	any epoch ----------------------------------------------> our new epoch
//	          a frame of a higher epoch arrives
//	any epoch ----------------------------------------------> that epoch
//	          a frame of a lower epoch arrives
//	any epoch --- dropped ---------------------------------> unchanged
//
// Whoever begins an epoch always has something to send in it, the first
// offer, and sends it again until it is acknowledged. That is why a lower
// frame needs no reply: its sender learns of the higher epoch anyway.
//
// # Bounds
//
// At most [Window] messages are in flight; the receiver keeps at most as many
// that came early. What waits behind the window is bounded by who calls Send:
// Room says whether a message would leave at once.
package exchange
