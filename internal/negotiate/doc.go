// Package negotiate decides which end may offer, and when. It is a pure machine: messages
// and wishes go in, actions come out; there is no goroutine, clock, lock or
// WebRTC in it.
//
// # Why a turn
//
// Offer/answer allows one exchange at a time (RFC 3264 section 4), yet JSEP
// lets either end begin one whenever it likes (RFC 9429 section 3.2). Two
// offers that cross are glare, and JSEP's way out is rollback (section
// 4.1.10.2), on which the perfect negotiation of webrtc-pc (section 10.7) is
// built. One of the stacks that noom drives has no rollback at all, and others
// roll back at a price: candidates are not gathered, header extensions are
// renumbered. So here glare cannot happen: each epoch has one turn, and only
// the end that holds it may offer.
//
//		                 +-------------------- answer received ------------------+
//		                 v                                                       |
//		        stable, no turn --- offer received: answer ---> stable, turn --- offer ---> have-local-offer, no turn
//		          |      ^   ^                                    |   ^
//		          |      |   +---------- ask received: grant -----+   |
//		         ask     +------------------------------------------- grant received
//
//	  - The end that begins an epoch holds the turn.
//	  - An offer passes the turn on: the end that answers holds it next.
//	  - An end that wants to offer and does not hold the turn sends ask, once until it holds the turn.
//	  - A holder that receives ask grants. It has nothing to offer, or it would have offered already.
//	    An end without the turn ignores ask: the turn is on its way to the other end.
//
// The states are three of the six in webrtc-pc section 4.3.1. have-remote-offer
// is passed through within one action, because an answer needs nobody's
// consent. There are no provisional answers.
//
// # Invariants
//
// Package exchange provides links that keep order and lose nothing within an
// epoch. Over such links:
//
//  1. An offer reaches only a stable end without the turn, because the turn
//     travels with the offer and nothing overtakes it.
//  2. An answer reaches only the end whose outstanding offer it answers,
//     because an epoch has at most one outstanding offer.
//  3. At most one end holds the turn. At rest exactly one does, both are
//     stable, and neither has a wish.
//  4. Every wish is met. A holder meets its own at once. Without the turn,
//     either an ask is on its way or the turn itself is.
//
// None of this needs an offer's id, which its answer echoes. The id is for ends
// that break the rules, because only those can break an invariant: an answer to
// nothing is dropped, and an offer out of turn leads to [Rebuild], a new epoch.
//
// # Where this differs from JSEP, and why
//
//   - There is no negotiation-needed flag (webrtc-pc section 4.7.3). The driver
//     calls [Machine.Need] when it changes something. One stack checks its flag
//     only after operations that may never end.
//   - There is no rollback, and so an offer cannot be withdrawn. A failure after
//     it was made costs the connection and not only the exchange: not every
//     stack applies a description atomically, so after a failure its state is
//     unknown.
//   - A wish made while an offer is outstanding is kept and needs a second
//     offer. Several such wishes share it.
//   - A wish for an ICE restart (RFC 9429 section 5.2.3.1) is also met by a
//     restart that the other end makes: the answer to new credentials has new
//     ones itself (RFC 8445 section 9). If both ends want one, there is one.
//   - Candidates (RFC 8838) need no turn. They follow their description in the
//     same FIFO stream and name its ufrag, which tells late ones from those of
//     the current generation, as section 15 of that RFC requires. At an ICE
//     restart both ends drop the candidates of the generation that ends.
//
// # How this is known
//
// search_test.go visits every state of two machines over FIFO links. Package
// pairtest searches this machine and those of packages exchange and recovery together in
// a model of a whole link, and breaks each rule to see that it is needed; walk_test.go
// goes a million random ways through the same model. testdata/transitions.json has
// every transition for implementations in other languages.
package negotiate
