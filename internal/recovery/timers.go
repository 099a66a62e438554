package recovery

import "time"

// Timer names something that is waited for.
type Timer uint8

// The timers. Of those up to Farewell, one is armed at a time.
const (
	ToConnect        Timer = iota // the connection has to be up, or the peer's offer to be there
	ToRestart                     // a path that is interrupted has to be back
	ForPath                       // a restart has to have found a path
	ForRelay                      // and one where the last path went by a relay to have gathered a relay
	ToReturn                      // a peer that the hub has lost has to be connected again
	Pause                         // the next epoch begins, after one that failed
	Budget                        // or where there were too many of late
	ServersToBegin                // the hub has to have told ICE servers, and an epoch begins
	ServersToRestart              // or ICE restarts
	Farewell                      // what the peer sent before its goodbye has to be there
	Linger                        // the old connections end, the new one being up
	Doubt                         // the path has to have shown life
	Credentials                   // the relay's credentials are about to expire
	Calm                          // failures before the connection came up no longer matter

	// Timers is how many there are.
	Timers
)

const (
	restartAfter  = 2 * time.Second        // of a path being interrupted
	relayPatience = 2 * time.Second        // for a relay to be gathered, where the path went by one
	serversWait   = time.Second            // for an answer, when those there are have expired
	closedGrace   = 500 * time.Millisecond // for a peer that closed the connection to begin the next epoch
	pathAnswers   = 2 * time.Second        // or ICE is restarted: more than a keepalive and its answer take
	calmAfter     = 10 * time.Second       // connected so long, a rebuild starts without a pause again
	maxBackOff    = 30 * time.Second       // between rebuilds
	maxRestarts   = 64
)

// arm has a timer end after d, instead of when it was to.
func (s *step) arm(t Timer, d time.Duration) {
	s.Armed[t] = true
	s.do(Action{Kind: Arm, Timer: t, After: d})
}

func (s *step) disarm(timers ...Timer) {
	for _, t := range timers {
		if s.Armed[t] {
			s.Armed[t] = false
			s.do(Action{Kind: Disarm, Timer: t})
		}
	}
}

// await waits for one thing, and no longer for what was waited for before.
func (s *step) await(t Timer, d time.Duration) {
	for other := range Farewell + 1 {
		if other != t {
			s.disarm(other)
		}
	}
	s.arm(t, d)
}

// stopAwaiting waits for nothing.
func (s *step) stopAwaiting() {
	for t := range Farewell + 1 {
		s.disarm(t)
	}
}
