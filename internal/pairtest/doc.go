// Package pairtest is a model of a whole link, for tests: two members with
// the three machines (packages exchange, negotiate and recovery), a hub, a data
// channel, and everything that may happen to them. Nothing but tests imports it.
//
// The machines are the real ones. What stands around them here only carries out what
// they say, as packages link, frames and connection and a room's roster do, without a goroutine, clock or WebRTC: where
// pion would be called, the model asks a table of pion's own transitions
// (oracle.go, which a test holds against pion) whether it may be.
//
// A [World] is one state. [World.Events] are the things that may happen next
// and [World.Do] lets one of them happen. On that rest
//
//   - [Search]: every state that can be reached within a [Config]'s bounds, breadth first;
//   - [Walk]: long random ways through bounds too large to search;
//   - [Run]: scripts a person can read, for testdata/*.txt.
//
// # Invariants
//
// After every event:
//
//   - no call that pion would refuse, or answer with new sockets;
//   - a description is applied in its own session and epoch, an answer only to the offer it
//     answers, candidates only to their ICE generation;
//   - no two holders of one epoch's turn; nobody finds the other breaking the rules;
//   - queues stay within their bounds.
//
// From every state, once the hub and the paths work again and nothing new
// happens, the two come to rest, and then both connections are stable, of one
// epoch, up, and not deaf; both know all tracks and the last table of the other; nothing waits; exactly
// one holds the turn. If one is gone, the other has closed its connection.
//
// # What is left out
//
// Time is only order: a timer may end as soon as what it waits for is
// possible. The timers of recovery that doubt a path or renew a relay never do;
// those that watch a new path end together. A path may carry nothing to one end,
// but not from the moment on at which both know better; without a hub to mend it,
// it carries nothing to both. ICE servers do not expire, and the queue of
// newcomers is short. A first join that has a card and fails ends its session, as in Go. No acknowledgement is held: one that travels slowly is the
// same to the other end. Signatures, the limiter of rebuilds (it drops frames, as the
// hub here may) and application data have no part in negotiation. Idle sections
// that a new track takes over need none.
package pairtest
