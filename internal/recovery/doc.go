// Package recovery decides what becomes of the connection to a peer: when ICE
// is restarted, when a connection is given up and how long the pause before the
// next one is, which connection serves meanwhile, and when the peer is dropped.
// It is a pure machine: events go in, actions come out. There is no goroutine,
// clock, lock or WebRTC in it.
//
// # Time
//
// The machine has no clock. What has to be waited for is a [Timer]: an action
// arms it with its duration, and [Machine.Elapsed] is called when that is over.
// Each timer has one meaning. Of those up to [Farewell] at most one is armed,
// because a link waits for one thing at a time: to arm one disarms the others.
//
// # Epochs
//
// A connection belongs to one epoch. Whatever goes wrong, the answer is the
// next epoch, with a new connection:
//
//	begin --- our turn has not come ----------> Queue;      Admitted: begin
//	  |------ the ICE servers have expired ---> AskServers; ServersTold, or a second: begin
//	  |------ too many connections of late ---> Budget;     begin
//	  v
//	BeginEpoch, or the peer has begun one
//	  v
//	Build ---- up ------------------------------------------> connected
//	  |------- not up in time (ToConnect), or Failed --> GiveUp, Pause --> begin
//
// The pause is 0 at first and grows to 30 s. Ten seconds of being connected
// (Calm) make it 0 again.
//
// # Paths
//
//	connected ----- nothing arrives for some seconds --> interrupted
//	interrupted --- 2 s (ToRestart), by hub -----------> restart ICE
//	restart ------- a path is found -------------------> connected
//	restart ------- none for a while (ForPath), or ICE has failed --> restart again
//	restart ------- that many times in vain -----------> the next epoch
//
// A restart costs a frame or two of a film, a new connection one of the few
// hundred that a browser tab may ever make. So between two rebuilds there are
// more and more restarts. At no time is nothing being tried while the hub
// reaches the peer. Without a hub nothing is: its return is an event, and after a path has
// failed, a new connection is the faster way then, because over the old
// one SCTP would wait for its timer, up to two seconds.
//
// If the path went by a relay of ours, a restart is made again while there is no new
// relay: the pauses between requests to a TURN server double (RFC 8489
// section 6.2.1), and once the server can be reached again, the next request
// may be seconds away.
//
// # Make before break
//
// A restart of ICE takes the path away that it would travel on (RFC 8445
// section 9), so without a hub it is no way to a new path. The next epoch is:
// its frames go over the control channel of the connection that is there, and
// so do data and media, until the new connection is up.
//
//	up, no hub -- begin, or the peer's frame of a higher epoch, in-band --> old serves, the new one comes up
//	old serves -- the new one is up --------------------------------------> both, until Linger
//	old serves -- the new one fails --------------------------------------> old serves, next epoch after a pause
//	old serves -- old fails ----------------------------------------------> as without: the hub is waited for
//
// There may be [MaxOld] old ones: an end that moves again before the other is up
// too cannot know which of its connections the other still has.
//
// # How this is known
//
// recovery_test.go says it case by case and property_test.go lets anything happen. Package
// pairtest searches this machine together with those of negotiate and exchange,
// at both ends. testdata/transitions.json holds transitions, for
// implementations in other languages.
package recovery
