package netwatch

import "time"

// sleptAtLeast is the shortest sleep that [Slept] reports. A smaller step of the wall clock
// is taken for a correction.
const sleptAtLeast = 5 * time.Second

// Clock is one reading of both clocks of this machine.
type Clock struct {
	Wall time.Time     // goes on while the machine sleeps, and may be set
	Mono time.Duration // since some instant; on most systems it stands still while the machine sleeps
}

// processStart is when ReadClock's monotonic time begins.
var processStart = time.Now()

// ReadClock reads both clocks.
func ReadClock() Clock {
	now := time.Now()
	return Clock{Wall: now.Round(0), Mono: now.Sub(processStart)}
}

// Slept returns how long the machine has slept between two readings that should be every
// apart, or 0 if it has not. If it has, the wall clock is ahead of the monotonic one or, on
// systems where that goes on too, the second reading is late.
func Slept(before, now Clock, every time.Duration) time.Duration {
	wall, mono := now.Wall.Sub(before.Wall), now.Mono-before.Mono
	if d := max(wall-mono, mono-every); d >= sleptAtLeast {
		return d
	}
	return 0
}
