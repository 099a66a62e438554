// Package negotiate decides who offers when. It is a pure machine: messages
// and wishes go in, actions come out; there is no goroutine, clock, lock or
// WebRTC in it.
//
// # Why a turn
//
// JSEP (RFC 9429) lets both ends offer at any time and leaves glare to
// rollback. One of the stacks this talks for has no rollback, and others roll back
// at a price: candidates not gathered, header extensions renumbered. So here
// glare cannot happen: there is one turn in each epoch, and only its holder
// may offer.
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
//	  - Who is asked while holding it offers if it wishes to (which hands the turn
//	    over), else grants. Otherwise the ask is moot: the turn is on its way.
//
// # Invariants
//
// Over links that keep order and lose nothing within an epoch, which package
// exchange makes:
//
//  1. An offer reaches only a stable end without the turn.
//  2. An answer reaches only the end whose outstanding offer it answers.
//  3. At rest exactly one end holds the turn, both are stable, nobody wishes anything.
//  4. Every wish is met.
//
// search_test.go visits every reachable state of two machines and their
// links. What breaks an invariant can then only come from an end that does
// not keep the rules; the answer is [Rebuild], a new epoch.
package negotiate
