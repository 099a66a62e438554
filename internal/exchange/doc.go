// Package exchange makes a reliable, ordered stream of messages between two
// members out of paths that lose, repeat, reorder and delay frames (PROTOCOL.md
// sections 4.1 and 4.2). It is a pure machine: no goroutine, clock, lock or
// network. Values go in, frames to send and messages to act on come out, and
// time is a number of ticks it is told of.
//
// # What it promises
//
// JSEP leaves signaling to the application (RFC 9429 section 3.1), and trickle
// ICE wants of it that candidates arrive in order and once (RFC 8838 section
// 18). A hub that may restart, and a data channel that dies with its connection, each
// promise less, and the same frame may go by both. So: within an epoch, each
// message given to Send at one end comes out of Receive at the other at most
// once and in order, and exactly once if frames get through often enough. What is
// built on top may assume a FIFO link.
//
// # One end's message
//
//	         Send            Flush                    acknowledged
//	(nothing) ---> waiting ---------> in flight -------------------> forgotten
//	             (no window)          |   ^
//	                  wait is over,   |   | Flush, and twice the wait
//	                  or Resend       v   |
//	                                  due
//
// and the other end's: ahead of its turn it is kept, in its turn delivered,
// behind it, for it has been here, acknowledged again and forgotten. An
// acknowledgement covers everything up to it, so a lost one is made good by the next;
// a frame that comes again is always answered, for that is how the loss of the last one shows.
//
// # Epochs
//
// One connection belongs to one epoch; all counters start anew with it. An
// epoch is a number and the id of the member who began it, compared in that
// order, so that two begun at once have a winner without a further message:
//
//	          Begin: number of the highest seen + 1, own id
//	any epoch ----------------------------------------------> our new epoch
//	          a frame of a higher epoch arrives
//	any epoch ----------------------------------------------> that epoch
//	          a frame of a lower epoch arrives
//	any epoch --- dropped ---------------------------------> unchanged
//
// # Invariants
//
//  1. No message of one epoch is delivered in another, nor twice, nor out of order.
//  2. Frames that get through lead to one epoch at both ends. Whoever begins
//     one always has something to send in it, the first offer, and sends it again until it is
//     acknowledged; that is why a lower frame needs no reply: its sender
//     learns of the higher epoch anyway.
//  3. A frame that cannot be honest changes nothing: an acknowledgement of what was never sent, a
//     number beyond the window, a new epoch that acknowledges anything.
//  4. An epoch of ours is begun once. Numbers are remembered as long as the
//     Exchange is, so whoever drops one and makes another for the same two
//     sessions begins epochs that have been; the root package does so only when a hub,
//     against PROTOCOL.md section 1, tells of sessions out of order.
//
// # Bounds
//
// At most [Window] messages are in flight; the receiver keeps at most as many
// that came early. What waits behind the window is bounded by who calls Send:
// Room says whether a message would leave at once. Of messages that the turn
// rules, there are never more than a few; tables and candidates ask for room.
//
// # How this is known
//
// search_test.go visits every state of two ends over paths that do as they
// like; package pairtest, of this machine and the others together. testdata/transitions.json holds transitions,
// for implementations in other languages.
package exchange
