package noom

import (
	"fmt"
	"time"

	"noom/internal/fault"
	"noom/internal/recovery"
)

// This file is the part of a link that drives the machine of package recovery,
// which alone decides what becomes of the link's connections: the loop reports
// what happens to it, and does what it says.

// happen reports an event to the machine, and carries out what it says. The
// error is that of a restart of ICE; its epoch is given up already.
func (l *link) happen(event func(*recovery.Machine) []recovery.Action) (err error) {
	l.recovery.Now(recovery.Facts{
		Online:  l.room.online(),
		Expired: l.room.servers().Expired(),
		Wait:    l.conduct.Wait(time.Now()),
	})
	for _, a := range event(&l.recovery) {
		if failed := l.carryOut(a); failed != nil {
			err = failed
		}
	}
	return err
}

// on is happen where the error does not matter.
func (l *link) on(event func(*recovery.Machine) []recovery.Action) { _ = l.happen(event) }

// postEvent is on, at the loop's next turn.
func (l *link) postEvent(event func(*recovery.Machine) []recovery.Action) {
	l.mail.Post(func() { l.on(event) })
}

// carryOut does one action. A long switch, which only dispatches.
func (l *link) carryOut(a recovery.Action) error {
	switch a.Kind {
	case recovery.BeginEpoch:
		l.beginEpoch()
	case recovery.Build:
		l.build(a.Conn, a.Ours)
	case recovery.SetAside:
		l.setAside()
	case recovery.Close:
		l.closeConn(a.Conn)
	case recovery.GiveUp:
		l.failedBy = l.cause(a.Cause)
		if l.conn != nil {
			l.conn.GiveUp()
		}
		l.trace("epoch given up", "number", l.frames.Epoch(), "error", l.failedBy)
	case recovery.Note:
		l.note(l.cause(a.Cause))
	case recovery.Forget:
		l.failure = nil
	case recovery.RestartICE:
		if !a.UnlessRelayed || !l.conn.OffersRelay() {
			return l.conn.Restart()
		}
	case recovery.Resend:
		l.frames.Resend()
	case recovery.SetState:
		l.setState(PeerState(a.Peer), l.cause(a.Cause))
	case recovery.Drop:
		l.room.drop(l)
	case recovery.AskHub:
		l.room.askHub()
	case recovery.AskServers:
		l.askServers()
	case recovery.Queue:
		l.queueUp()
	case recovery.Release:
		l.release()
	case recovery.Yield:
		l.yield()
	case recovery.SamplePath:
		l.sample = l.conn.Received()
	case recovery.ComparePath:
		l.comparePath()
	case recovery.CheckRelay:
		l.checkRelay()
	case recovery.Arm:
		l.timers[a.Timer].Set(l.mail, a.After, func() {
			l.on(func(m *recovery.Machine) []recovery.Action { return m.Elapsed(a.Timer) })
		})
	case recovery.Disarm:
		l.timers[a.Timer].Stop()
	case recovery.End:
		l.end()
	}
	return nil
}

// cause is the error that the machine knows by number only.
func (l *link) cause(c recovery.Cause) error {
	switch c {
	case recovery.PathLost:
		return errConnection
	case recovery.TooLate:
		return errTimeout
	case recovery.EpochsUsedUp:
		return fmt.Errorf("%w: epochs used up", fault.Rules)
	case recovery.Told:
		return l.told
	case recovery.NoCause:
	}
	return nil
}
