package noom

import (
	"context"
	"errors"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/data"
	"noom/internal/diagnose"
	"noom/internal/fault"
	"noom/internal/mailbox"
)

// This file is the part of a link that says why it is not connected. What the
// loop knows goes into evidence, which internal/diagnose judges. pion is asked
// for nothing but the path in use, and by the caller's side of things, for it
// may be busy.

// Diagnose is explained at [Peer].
func (l *link) Diagnose(ctx context.Context) (Diagnosis, error) {
	if err := ctx.Err(); err != nil {
		return Diagnosis{}, err
	}
	type answer struct {
		d  Diagnosis
		pc *webrtc.PeerConnection
	}
	a, err := mailbox.Ask(ctx, l.mail, func() answer {
		a := answer{d: l.diagnosis()}
		if c := l.live(); c != nil {
			a.pc = c.PC
		}
		return a
	})
	switch {
	case l.State() == PeerClosed:
		return Diagnosis{}, ErrClosed
	case err != nil:
		return Diagnosis{}, err
	}
	if a.d.Verdict != VerdictConnected && a.d.Verdict != VerdictCodec {
		return a.d, nil
	}
	path := make(chan *Path, 1)
	go func() { path <- pathOf(a.pc) }()
	select {
	case a.d.Path = <-path:
	case <-ctx.Done():
		return Diagnosis{}, ctx.Err()
	}
	if a.d.Path != nil {
		a.d.Words += " (" + a.d.Path.String() + ")"
	}
	return a.d, nil
}

// pathOf returns the path that pc uses, nil if it has none any more.
func pathOf(pc *webrtc.PeerConnection) *Path {
	ice := pc.SCTP().Transport().ICETransport()
	pair, err := ice.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return nil
	}
	p := &Path{Local: *pair.Local, Remote: *pair.Remote}
	if stats, ok := ice.GetSelectedCandidatePairStats(); ok {
		p.RTT = time.Duration(stats.CurrentRoundTripTime * float64(time.Second))
	}
	return p
}

// diagnosis is why the link is not connected now. While an attempt shows
// nothing yet, what ended the one before is the answer.
func (l *link) diagnosis() Diagnosis {
	d := diagnosisOf(l.evidence(l.failedBy), l.recovery.Failures())
	if d.Verdict == VerdictConnecting && l.failure != nil {
		d = *l.failure
		d.Attempts = l.recovery.Failures()
	}
	return d
}

// note keeps why the connection has failed, and logs it: once, and again when
// it turns out to be something else.
func (l *link) note(err error) {
	e := l.evidence(err)
	e.Connected = false // as it was a moment ago, perhaps
	d := diagnosisOf(e, l.recovery.Failures())
	if l.failure == nil || l.failure.Verdict != d.Verdict {
		l.log.Warn("peer not connected", "verdict", string(d.Verdict), "words", d.Words, "error", err)
	}
	l.failure = &d
}

// evidence collects what is known; err is why the epoch is given up, if it is.
func (l *link) evidence(err error) diagnose.Evidence {
	e := diagnose.Evidence{
		Online: l.room.online(), Lost: l.recovery.Lost(), Err: err, Cause: causeOf(err),
		Connected: l.State() == PeerConnected, WasUp: l.recovery.WasUp(),
	}
	c := l.conn
	if c == nil {
		return e
	}
	c.Testify(&e)
	e.Path = pionPath(l.recovery.Path()).String()
	e.Acked, e.Pending = l.frames.Acked() > 0, l.frames.Pending()
	if r := l.room.refusal.Load(); r != nil && !r.At.Before(c.Since) {
		e.Refusal = &diagnose.Refusal{Server: r.Server, Err: r.Err}
	}
	return e
}

// causeOf returns what a verdict names of the reason for which an epoch was given up.
func causeOf(err error) diagnose.Cause {
	switch {
	case errors.Is(err, ErrDescription), errors.Is(err, fault.Rules), errors.Is(err, data.ErrCredit):
		return diagnose.BrokenRules
	case errors.Is(err, fault.DTLS):
		return diagnose.FailedDTLS
	}
	return diagnose.OtherCause
}

// diagnosisOf is a finding as users see it.
func diagnosisOf(e diagnose.Evidence, attempts int) Diagnosis {
	f := e.Judge()
	return Diagnosis{Verdict: Verdict(f.Verdict), Words: f.Words, Err: f.Err, Attempts: attempts, Codecs: f.Codecs}
}
