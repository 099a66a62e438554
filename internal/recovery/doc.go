// Package recovery decides what becomes of the connection to a peer: when ICE
// restarts, when a connection is given up and how long to pause before the next
// one, which connection serves in the meantime, and when the peer is dropped.
// It is a pure machine: events go in, actions come out. There is no goroutine,
// clock, lock or WebRTC in it.
//
// # Time
//
// The machine has no clock. To wait is to arm a [Timer] for a duration, which
// is an action; when it runs out, the driver calls [Machine.Elapsed]. Each
// timer has one meaning. Of those up to [Farewell] at most one is armed, because
// a link waits for one thing at a time: arming one disarms the others.
//
// # Epochs
//
// A connection belongs to one epoch. Whatever goes wrong, the answer is the
// next epoch, with a new connection:
//
//	begin --- our turn has not come ----------> Queue;      Admitted: begin
//	  |------ the ICE servers have expired ---> AskServers; ServersTold, or a second: begin
//	  |------ too many connections lately ----> Budget;     begin
//	  v
//	BeginEpoch, or the peer has begun one
//	  v
//	Build ---- up ------------------------------------------> connected
//	  |------- not up in time (ToConnect), or Failed --> GiveUp, Pause --> begin
//
// The pause starts at 0 and grows to 30 s. After ten seconds of being connected
// (Calm) it is 0 again.
//
// # Paths
//
//	connected ----- nothing arrives for some seconds --> interrupted
//	interrupted --- 2 s (ToRestart), by hub -----------> restart ICE
//	restart ------- a path is found -------------------> connected
//	restart ------- none for a while (ForPath), or ICE has failed --> restart again
//	restart ------- that many times in vain -----------> the next epoch
//
// A restart costs a frame or two of video; a new connection costs one of the
// few hundred that a browser tab may ever make. So the number of restarts
// between two rebuilds grows. While the hub reaches the peer, something is
// always being tried. Without a hub nothing is, and its return is an event. If
// the path has failed by then, a new connection is the faster way: over the old
// one, SCTP would wait for its retransmission timer, up to two seconds.
//
// An end with the option Moves never restarts ICE, because browsers of different
// makers do not agree about what that means. Wherever the other kind restarts, it
// moves: it begins the next epoch, and the connection there is serves until the new
// one is up, as below.
//
// # Proof
//
// After a restart, and when a connection has taken the place of another, the path
// is new, and ICE's word that it is found is not enough:
//
//	new path ---- found --------------------> Probe: send what SCTP acknowledges
//	probed ------ something has arrived ----> proven: old connections may close
//	probed ------ nothing for 3 s ----------> the next epoch, if there is a hub or an old connection to begin it over
//
// What arrives is counted without ICE's own packets: between Firefox and Chromium
// those were answered over a pair by which one of them got nothing else. An
// acknowledgement by SCTP comes from every implementation and whatever the peer
// mutes. A path that is not new is not watched.
//
// # Relays
//
// If the path went by a relay of ours, ICE is restarted again as long as there
// is no new relay: the pauses between requests to a TURN server double (RFC
// 8489 section 6.2.1), so once the server is reachable again, the next request
// may still be seconds away.
//
// # Make before break
//
// An ICE restart gives up the very path that it would travel on (RFC 8445
// section 9), so without a hub it cannot lead to a new path. The next epoch
// can: its frames go over the control channel of the connection that is there,
// and so do data and media, until the new connection is up.
//
//	up, no hub -- begin, or the peer's frame of a higher epoch, in-band --> old serves, the new one comes up
//	up, Moves --- begin, to have another path ----------------------------> the same, where a hub is too
//	old serves -- the new one is up --------------------------------------> both, until Linger, and until it is proven
//	old serves -- the new one fails --------------------------------------> old serves, next epoch after a pause
//	old serves -- old fails ----------------------------------------------> wait for the hub, as without an old one
//
// There may be [MaxOld] old connections: an end that moves again before the
// other is up cannot know which of its connections the other still has.
//
// # How this is known
//
// recovery_test.go goes through it case by case; property_test.go lets anything
// happen. Package pairtest searches this machine together with those of
// negotiate and exchange, at both ends. testdata/transitions.json has
// transitions for implementations in other languages.
package recovery
