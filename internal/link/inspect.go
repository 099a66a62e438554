package link

import (
	"noom/internal/connection"
	"noom/internal/frames"
	"noom/internal/recovery"
)

// Inside is what a link's loop owns, for tests of whole rooms that inspect or break it.
type Inside struct {
	Frames  *frames.Frames
	Machine *recovery.Machine
	Current *connection.Conn            // nil if there is none
	Old     []*connection.Conn          // which serve until Current is up
	Fail    func(error)                 // gives the epoch up
	Pending func(t recovery.Timer) bool // reports whether t is armed
}

// Inspect has the link's loop run f; false if the link is over. It is only for tests.
func Inspect(l *Link, f func(Inside)) bool {
	return l.mail.Post(func() {
		f(Inside{
			Frames: l.frames, Machine: &l.recovery, Current: l.conns.current, Old: l.conns.old, Fail: l.fail,
			Pending: func(t recovery.Timer) bool { return l.timers[t].Pending() },
		})
	})
}
