// Package exchange makes a reliable, ordered stream of messages between two
// members out of paths that lose, repeat, reorder and delay frames (PROTOCOL.md
// sections 4.1 and 4.2). It is a pure machine: no goroutine, clock, lock or
// network. Values go in; frames to send and messages to act on come out. Time
// is a number of ticks.
//
// # What it promises
//
// JSEP leaves signaling to the application (RFC 9429 section 3.1), and trickle
// ICE requires that it deliver candidates in order and once (RFC 8838 section
// 18). Neither a hub that may restart nor a data channel that dies with its
// connection promises that much, and one frame may take both ways. So: within
// an epoch, each message given to Send at one end comes out of Receive at the
// other at most once and in order, and exactly once if frames get through often
// enough. The packages above may assume a FIFO link.
//
// # The life of a message
//
// At the sender:
//
//	         Send            Flush                    acknowledged
//	(nothing) ---> waiting ---------> in flight -------------------> forgotten
//	             (no window)          |   ^
//	             its wait is over,    |   | Flush, which doubles the wait
//	             Resend, ResendLate   v   |
//	                                  due
//
// At the receiver: a message that comes ahead of its turn is kept, one whose
// turn it is is delivered, and one that was delivered before is only
// acknowledged again. An acknowledgement covers everything up to its number, so
// the next one makes up for a lost one. It travels on whatever is sent next:
//
//	       Receive              Flush of a message
//	(none) --------> owed ---------------------------> (none)
//	                  |                                  ^
//	                  | Press, a repeated frame,         | Flush, alone if
//	                  v or so many that it is time       | there is no message
//	               pressing -----------------------------'
//
// A repeated frame presses, because it shows that the last acknowledgement may
// have been lost. The driver presses when an acknowledgement has been owed for a
// moment, which is short compared with the wait for a repetition.
//
// # Epochs
//
// A connection belongs to one epoch, and all counters start again with it. An
// epoch is a number and the id of the member who began it, compared in that
// order, so that two that begin at once have a winner without a further message:
//
//	          Begin: highest number seen + 1, own id
//	any epoch ----------------------------------------------> our new epoch
//	          a frame of a higher epoch arrives
//	any epoch ----------------------------------------------> that epoch
//	          a frame of a lower epoch arrives
//	any epoch --- dropped ---------------------------------> unchanged
//
// # Invariants
//
//  1. No message of one epoch is delivered in another, nor twice, nor out of order.
//  2. Frames that get through lead to one epoch at both ends. The end that
//     begins an epoch always has something to send in it, the first offer, and
//     repeats it until it is acknowledged. So a frame of a lower epoch needs no
//     reply: its sender learns of the higher epoch anyway.
//  3. A frame that cannot be honest changes nothing: one that acknowledges what
//     was never sent, one with a number beyond the window, one that begins an
//     epoch and acknowledges anything.
//  4. No epoch of ours begins twice. An Exchange remembers the numbers for as
//     long as it lives, so replacing it by another for the same two sessions
//     would begin epochs again. The root package does that only if a hub,
//     against PROTOCOL.md section 1, reports sessions out of order.
//
// # Bounds
//
// At most [Window] messages are in flight, and the receiver keeps at most as
// many that came early. The callers of Send bound what waits behind the window:
// Room reports whether a message would leave at once. The turn keeps offers,
// answers and asks few; tables and candidates check Room.
//
// # How this is known
//
// search_test.go visits every state of two ends over paths that do as they
// like; package pairtest does so for this machine and the others together.
// testdata/transitions.json has transitions for implementations in other languages.
package exchange
