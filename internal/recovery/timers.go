package recovery

import "time"

// Timer names what is being waited for.
type Timer uint8

// The timers. Of those up to Farewell, one is armed at a time.
const (
	ToConnect        Timer = iota // for the connection to come up, or for the peer's first offer
	ToRestart                     // for an interrupted path to come back
	ForPath                       // for a restart to find a path
	ForRelay                      // for a restart to gather a relay, if the last path went by one
	ToReturn                      // for a peer that the hub has lost to be connected again
	Pause                         // before the next epoch, after one that failed
	Budget                        // before the next epoch, after too many lately
	ServersToBegin                // for the hub to send ICE servers; then an epoch begins
	ServersToRestart              // for the hub to send ICE servers; then ICE restarts
	Farewell                      // for what the peer sent before its goodbye
	Linger                        // until the old connections close, the new one being up
	Settle                        // until what comes arrives by the new path, where a restart has kept the old one
	Proof                         // for something to arrive by the new path
	InFlight                      // for what was sent before the network may have changed to arrive
	Doubt                         // for the path to show life
	Credentials                   // until the relay's credentials are about to expire
	Calm                          // until failures before this connection no longer matter

	// Timers is the number of timers.
	Timers
)

const (
	restartAfter  = 2 * time.Second              // after a path is interrupted
	relayPatience = 2 * time.Second              // for a restart to gather a relay
	serversWait   = time.Second                  // for the hub to send new ICE servers
	closedGrace   = 500 * time.Millisecond       // for a peer that closed the connection to begin the next epoch
	stillArrives  = 250 * time.Millisecond       // what was sent by a path before it died
	pathAnswers   = 2*time.Second - stillArrives // for a path to show life: more than a keepalive and its answer take
	settleAfter   = time.Second                  // after a restart that keeps the path: the other end no longer sends by it
	proofEvery    = time.Second                  // between two looks at whether something has arrived by a new path
	maxLooks      = 3                            // without anything, before the connection is given up
	calmAfter     = 10 * time.Second             // of being connected, and a rebuild starts without a pause again
	maxBackOff    = 30 * time.Second             // between rebuilds
	maxRestarts   = 64
)

// arm starts a timer, or starts it again.
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

// await arms t and disarms what was waited for before.
func (s *step) await(t Timer, d time.Duration) {
	for other := range Farewell + 1 {
		if other != t {
			s.disarm(other)
		}
	}
	s.arm(t, d)
}

// stopAwaiting disarms what is being waited for.
func (s *step) stopAwaiting() {
	for t := range Farewell + 1 {
		s.disarm(t)
	}
}
