package link

import (
	"errors"
	"fmt"
	"time"

	"noom/internal/connection"
	"noom/internal/fault"
	"noom/internal/recovery"
)

// This file drives the machine of package recovery, which alone decides what becomes of the link's connections: the
// loop reports events to it and carries out its actions.

var (
	errConnection = errors.New("connection failed")
	errTimeout    = errors.New("connection did not come up in time")
)

// step reports an event to the machine and carries out its actions. The error is that of an ICE restart, whose epoch is
// given up already.
func (l *Link) step(event func(*recovery.Machine) []recovery.Action) (err error) {
	l.recovery.Now(recovery.Facts{
		Online:  l.host.Online(),
		Expired: l.host.Servers().Expired(),
		Wait:    l.cfg.Conduct.Wait(time.Now()),
	})
	for _, a := range event(&l.recovery) {
		if failed := l.carryOut(a); failed != nil {
			err = failed
		}
	}
	return err
}

// on is step where the error does not matter.
func (l *Link) on(event func(*recovery.Machine) []recovery.Action) { _ = l.step(event) }

// carryOut carries out one action, the short ones in place.
func (l *Link) carryOut(a recovery.Action) error {
	switch a.Kind {
	case recovery.BeginEpoch:
		l.beginEpoch()
	case recovery.Build:
		l.build(a.Conn, a.Ours)
	case recovery.SetAside:
		l.conns.setAside()
		l.trace("connection kept until the next is up")
	case recovery.Close:
		l.closeConn(a.Conn)
	case recovery.GiveUp:
		l.findings.givenUpFor = errorOf(a.Cause, l.failure)
		if c := l.conns.current; c != nil {
			c.GiveUp()
		}
		l.trace("epoch given up", "number", l.frames.Epoch(), "error", l.findings.givenUpFor)
	case recovery.Note:
		err := errorOf(a.Cause, l.failure)
		l.findings.note(l.evidence(err), err, l.log)
	case recovery.Forget:
		l.findings.latest = nil
	case recovery.RestartICE:
		if c := l.conns.current; !a.UnlessRelayed || !c.OffersRelay() {
			return c.Restart()
		}
	case recovery.Resend:
		if a.Late {
			l.frames.Connected()
		} else {
			l.frames.Resend()
		}
	case recovery.SetState:
		l.changeState(a.Peer, errorOf(a.Cause, l.failure))
	case recovery.Drop:
		l.host.Drop()
	case recovery.AskHub:
		l.host.AskHub()
	case recovery.AskServers:
		l.trace("asking for ICE servers")
		l.host.AskServers()
	case recovery.Queue:
		l.host.QueueUp()
	case recovery.Release: // frames that were held back
		l.frames.Release()
		l.on((*recovery.Machine).Released)
	case recovery.Yield:
		l.frames.Forget()
		l.host.Yield()
	case recovery.SamplePath:
		l.doubted = l.conns.current.Received()
	case recovery.ComparePath:
		l.comparePath()
	case recovery.Probe:
		l.probed = l.conns.current.Carried()
		l.frames.Probe()
	case recovery.CheckProbe:
		l.checkProbe()
	case recovery.CheckRelay:
		if l.host.Servers().Due() > 0 && l.conns.current.ByOwnRelay() { // there are new credentials
			l.trace("restart, because the relay's credentials are about to expire")
			l.on((*recovery.Machine).RelayEnds)
		}
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

// errorOf returns the error that the machine knows only by its number.
func errorOf(c recovery.Cause, failure error) error {
	switch c {
	case recovery.PathLost:
		return errConnection
	case recovery.TooLate:
		return errTimeout
	case recovery.EpochsUsedUp:
		return fmt.Errorf("%w: epochs used up", fault.Rules)
	case recovery.Told:
		return failure
	case recovery.NoCause:
	}
	return nil
}

// changeState reports a new state to the application.
func (l *Link) changeState(s recovery.Peer, err error) {
	l.setState(s)
	l.host.State(s, err)
	l.withReport(func(r Report) { r.StateChanged(s, err) })
	l.watchState(s)
}

func (l *Link) trace(msg string, args ...any) {
	l.log.Debug(msg, args...)
	l.host.Note(msg, args...)
}

// comparePath reports to the machine that nothing has arrived over the path since it was sampled, if that is so.
func (l *Link) comparePath() {
	if l.conns.current.Received() == l.doubted {
		l.trace("nothing arrives over the path")
		l.on((*recovery.Machine).Silent)
	}
}

// checkProbe reports to the machine whether anything has arrived over a new path.
func (l *Link) checkProbe() {
	if l.conns.current.Carried() != l.probed {
		l.on((*recovery.Machine).Answered)
		return
	}
	l.trace("nothing arrives over the new path")
	l.on((*recovery.Machine).Unanswered)
}

// planRelay reports to the machine when the relay's credentials are about to expire. The TURN server may then refuse to
// keep the relay, so the connection moves to a new one before.
func (l *Link) planRelay() {
	if c := l.conns.current; c != nil && c.Servers.Lifetime > 0 {
		l.on(func(m *recovery.Machine) []recovery.Action { return m.CredentialsLast(max(c.Servers.Due(), 0)) })
	}
}

// live returns the connection that carries data, nil if there is none.
func (l *Link) live() *connection.Conn { return l.conns.numbered(l.recovery.Live()) }
