package pairtest

import (
	"slices"

	"noom/internal/exchange"
	"noom/internal/negotiate"
	"noom/internal/recovery"
)

// This file does for an end what driver.go and epochs.go of package link do:
// it carries out what the machine of package recovery says. Timers are the
// machine's own; which of them may end when is for events.go to say.

// The options of links. So few restarts before a rebuild let a search meet one.
var (
	goOptions      = recovery.Options{Connect: 1, Restarts: 1}
	browserOptions = recovery.Options{Connect: 1, Lost: 1, Sparing: true, KeepsPath: true, Moves: true}
)

func (w *World) options(i int) recovery.Options {
	if i < w.cfg.Browsers {
		return browserOptions
	}
	return goOptions
}

// old is a connection of an epoch before.
type old struct {
	number recovery.Number
	epoch  exchange.Epoch
	ice
}

// on tells the end's machine of an event, and carries out what it says.
func (w *World) on(i int, in RecoveryInput) {
	e := &w.ends[i]
	m := &e.link.recovery
	m.Now(recovery.Facts{Online: e.online})
	actions := in.Do(m)
	w.breakRecovery(i)
	for _, a := range actions {
		w.carryOut(i, a)
	}
	if w.breaks(Keep) || w.breaks(KeepTwo) {
		known := m.State().Old
		e.link.old = slices.DeleteFunc(slices.Clone(e.link.old), func(o old) bool {
			return !slices.ContainsFunc(known[:], func(c recovery.Conn) bool { return c.Number == o.number })
		})
	}
}

// breakRecovery makes the machine forget what a rule gives it to remember.
func (w *World) breakRecovery(i int) {
	m := &w.ends[i].link.recovery
	s := m.State()
	switch w.cfg.Broken {
	case Keep:
		s.Old = [recovery.MaxOld]recovery.Conn{}
	case KeepTwo:
		if s.Old[1].Number != 0 {
			s.Old = [recovery.MaxOld]recovery.Conn{s.Old[1]}
		}
	case NextEpoch:
		s.Armed[recovery.Pause] = false
	case InTime:
		s.Armed[recovery.ToConnect] = false
	default:
		return
	}
	*m = recovery.Restore(w.options(i), s)
}

// letGo lets the time of the old connections end.
func (w *World) letGo(i int) {
	m := &w.ends[i].link.recovery
	unproven := m.State().Unproven
	prove := func(known bool) {
		s := m.State()
		s.Unproven = !known
		*m = recovery.Restore(w.options(i), s)
	}
	if w.breaks(KeepOld) && unproven {
		prove(true)
		defer prove(false)
	}
	w.elapsed(i, recovery.Linger)
}

// look lets all the time end that end i gives a new path.
func (w *World) look(i int) {
	w.elapsed(i, recovery.Settle)
	for range 3 {
		w.elapsed(i, recovery.Proof)
	}
}

// checkProbe says whether something has arrived by a new path.
func (w *World) checkProbe(i int) {
	e := &w.ends[i]
	c := &e.link.conn
	arrives := w.carries(1-i, e.link.session, e.session, c.epoch) && w.pathOver(c.epoch) && !c.deaf
	if arrives || w.breaks(Watch) {
		w.on(i, RecoveryInput{Call: "answered"})
		return
	}
	w.reach(FoundDeaf)
	w.on(i, RecoveryInput{Call: "unanswered"})
}

func (w *World) carryOut(i int, a recovery.Action) {
	e := &w.ends[i]
	l := &e.link
	switch a.Kind {
	case recovery.BeginEpoch:
		w.beginEpoch(i)
	case recovery.Build:
		w.build(i, a)
	case recovery.SetAside:
		l.old, l.conn = with(l.old, old{a.Conn, l.conn.epoch, l.conn.ice}), conn{}
		w.tell("  %s keeps its connection of epoch %v", letter(i), epochName(l.old[len(l.old)-1].epoch))
	case recovery.Close:
		if l.conn.number == a.Conn {
			w.dropConn(i)
		} else {
			w.closeOld(i, a.Conn)
		}
	case recovery.GiveUp:
		l.inbox = nil
		if a.Cause == recovery.PathLost && l.recovery.State().Restarts > w.options(i).Restarts {
			w.reach(OutOfRestarts)
		}
		w.tell("  %s gives epoch %v up", letter(i), w.epochName(i))
	case recovery.RestartICE:
		w.try(i, w.act(i, w.turn(i, TurnInput{Call: "restart"}, (*negotiate.Machine).Restart), nil))
	case recovery.Resend:
		if !a.Late { // nothing is, before the event Resend
			w.resend(i)
		}
	case recovery.Drop:
		w.drop(i)
	case recovery.Queue: // the queue is short
		w.on(i, RecoveryInput{Call: "admitted"})
	case recovery.Release:
		w.on(i, RecoveryInput{Call: "released"})
	case recovery.Probe: // it takes no time
	case recovery.CheckProbe:
		w.checkProbe(i)
	case recovery.End:
		w.dropConn(i)
		l.old = nil
		w.giveCardUp(i)
	case recovery.AskServers, recovery.SamplePath, recovery.ComparePath, recovery.CheckRelay:
		w.fail("%s does what nobody here asked for: %+v", letter(i), a)
	default: // what applications see, and timers
	}
}

func (w *World) beginEpoch(i int) {
	w.giveCardUp(i)
	if !w.exchange(i).Begin() {
		w.fail("%s has no epochs left", letter(i))
		return
	}
	w.ends[i].link.turn = negotiate.Begin()
	w.tell("  %s begins epoch %v", letter(i), w.epochName(i))
	w.on(i, RecoveryInput{Call: "begun"})
}

func (w *World) build(i int, a recovery.Action) {
	e := &w.ends[i]
	e.link.inbox, e.link.said = nil, [2][]byte{}
	if a.Ours && e.link.card.made {
		w.claim(i, a)
		return
	}
	e.link.card = card{}
	e.link.conn = conn{number: a.Conn, epoch: w.epoch(i)}
	e.link.waiting = e.tracks
	if a.Ours {
		w.try(i, w.act(i, w.turn(i, TurnInput{Call: "need"}, (*negotiate.Machine).Need), nil))
	}
}

func (w *World) dropConn(i int) {
	if c := &w.ends[i].link.conn; c.stuck {
		w.reach(Abandoned)
	}
	w.ends[i].link.conn = conn{}
}

func (w *World) closeOld(i int, n recovery.Number) {
	l := &w.ends[i].link
	if k := slices.IndexFunc(l.old, func(o old) bool { return o.number == n }); k >= 0 {
		l.old = without(l.old, k)
	}
}

// giveUp is fail of package link.
func (w *World) giveUp(i int) {
	if w.ends[i].link.known {
		w.on(i, RecoveryInput{Call: "fail"})
	}
}

func (w *World) try(i int, ok bool) {
	if !ok {
		w.giveUp(i)
	}
}

// carriers returns the connections that a frame goes by: the newest that works, all of
// them if it is not the first time.
func (w *World) carriers(i int, again bool) []exchange.Epoch {
	l := &w.ends[i].link
	if !w.cfg.Channel {
		return nil
	}
	var all []exchange.Epoch
	for _, o := range l.old {
		if l.recovery.Up(o.number) {
			all = append(all, o.epoch)
		}
	}
	if l.up() {
		all = append(all, l.conn.epoch)
	}
	if !again && len(all) > 1 {
		all = all[len(all)-1:]
	}
	return all
}

// carries reports whether end i still has the connection that a frame of its
// and the other's session went by.
func (w *World) carries(i int, ours, theirs int8, via exchange.Epoch) bool {
	end := &w.ends[i]
	l := &end.link
	return end.session == ours && l.session == theirs && l.connOf(via) != 0
}

// up reports whether the current connection works.
func (l *link) up() bool { return l.recovery.Up(l.conn.number) }

// unproven reports whether it does, by what ICE says, over a path that is being watched.
func (l *link) unproven() bool { return l.up() && l.recovery.State().Unproven }

// connOf returns the connection of an epoch, 0 if it is not there any longer.
func (l *link) connOf(e exchange.Epoch) recovery.Number {
	n, _ := l.find(e)
	return n
}

// iceOf returns what ICE has of that connection.
func (l *link) iceOf(e exchange.Epoch) ice {
	_, i := l.find(e)
	return i
}

func (l *link) find(e exchange.Epoch) (recovery.Number, ice) {
	if l.conn.open() && l.conn.epoch == e {
		return l.conn.number, l.conn.ice
	}
	for _, o := range l.old {
		if o.epoch == e {
			return o.number, o.ice
		}
	}
	return 0, ice{}
}

func (c *conn) open() bool { return c.number != 0 }
