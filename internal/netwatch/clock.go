package netwatch

import "time"

// sleptAtLeast is what [Slept] calls sleep: with less, the clock was only set right.
const sleptAtLeast = 5 * time.Second

// Clock is one reading of both clocks of this machine.
type Clock struct {
	Wall time.Time     // goes on while the machine sleeps, and may be set
	Mono time.Duration // since some instant; stands still meanwhile on most systems
}

// processStart is where ReadClock's monotonic time begins.
var processStart = time.Now()

// ReadClock reads both clocks.
func ReadClock() Clock {
	now := time.Now()
	return Clock{Wall: now.Round(0), Mono: now.Sub(processStart)}
}

// Slept returns for how long the machine has slept between two readings that
// were to be every apart, 0 if it has not. Either the wall clock ran ahead of
// the monotonic one, or, where that goes on too, the second reading came late.
func Slept(before, now Clock, every time.Duration) time.Duration {
	wall, mono := now.Wall.Sub(before.Wall), now.Mono-before.Mono
	if d := max(wall-mono, mono-every); d >= sleptAtLeast {
		return d
	}
	return 0
}
