// Package negotiate decides who offers when. It is a pure machine: messages
// and wishes go in, actions come out; there is no goroutine, clock, lock or
// WebRTC in it.
//
// # Why a turn
//
// Offer/answer allows one exchange at a time (RFC 3264 section 4), yet JSEP
// lets either end begin one whenever it likes (RFC 9429 section 3.2). Two offers that
// meet are glare, and JSEP's way out is rollback (section 4.1.10.2), on which
// the perfect negotiation of webrtc-pc (section 10.7) is built. One of the stacks this
// talks for has no rollback at all, and others roll back at a price: candidates
// not gathered, header extensions renumbered. So here glare cannot happen:
// there is one turn in each epoch, and only its holder may offer.
//
//		                 +-------------------- answer received ------------------+
//		                 v                                                       |
//		        stable, no turn --- offer received: answer ---> stable, turn --- offer ---> have-local-offer, no turn
//		          |      ^   ^                                    |   ^
//		          |      |   +---------- ask received: grant -----+   |
//		         ask     +------------------------------------------- grant received
//
//	  - Whoever begins an epoch holds the turn.
//	  - An offer hands the turn over: whoever answers holds it next.
//	  - Who wishes to offer without it sends ask, once until it holds the turn.
//	  - Who is asked while holding it grants. It has no wish, or it would have offered.
//	    Whoever is asked without it ignores the ask: the turn is on its way.
//
// The states are three of the six of webrtc-pc section 4.3.1. have-remote-offer
// is passed within one action, for an answer needs nobody's consent; there are
// no provisional answers.
//
// # Invariants
//
// Over links that keep order and lose nothing within an epoch, which package
// exchange makes:
//
//  1. An offer reaches only a stable end without the turn. For the turn goes
//     with the offer, and nothing overtakes it.
//  2. An answer reaches only the end whose outstanding offer it answers. For
//     there is one outstanding offer in an epoch.
//  3. At most one end holds the turn; at rest exactly one does, both are
//     stable, and nobody wishes anything.
//  4. Every wish is met. A holder meets its own at once. Without the turn
//     there is an ask on its way, or the turn itself is.
//
// An offer's id, which its answer echoes, adds nothing to that. It is for ends
// that break the rules: what breaks an invariant can only come from one that
// does, and then an answer to nothing is dropped, and an offer out of turn is
// met by [Rebuild], a new epoch.
//
// # Where this differs from JSEP, and why
//
//   - No negotiation-needed flag (webrtc-pc section 4.7.3). A wish is a call of
//     [Machine.Need], by whoever made the change; the flag of one stack is
//     checked behind operations that may never end.
//   - No rollback, and so no way to withdraw an offer. Something that fails
//     after it was made costs the connection, not only the exchange: applying
//     a description is not atomic everywhere, so no state after a failure is known.
//   - A wish made while an offer is outstanding is kept and needs a second
//     offer. Several such wishes share it.
//   - A wish for an ICE restart (RFC 9429 section 5.2.3.1) is met by the other
//     end's restart too: an answer to new credentials has new ones (RFC 8445
//     section 9), so both ends wishing for one costs one.
//   - Candidates (RFC 8838) need no turn, follow their description in the same
//     FIFO stream, and name its ufrag. Late ones are then told from those of the generation
//     in force, as its section 15 wants; those of one that ends are forgotten
//     with it, by whoever restarts and by whoever is restarted.
//
// # How this is known
//
// search_test.go visits every state of two machines over FIFO links. Package
// pairtest searches this machine and those of packages exchange and recovery together in
// a model of a whole link, and breaks each rule to see that it is needed; walk_test.go
// goes a million random ways through the same model. testdata/transitions.json holds every transition, for implementations in other languages.
package negotiate
