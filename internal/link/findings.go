package link

import (
	"context"
	"errors"
	"log/slog"

	"github.com/pion/webrtc/v4"

	"noom/internal/data"
	"noom/internal/diagnose"
	"noom/internal/fault"
	"noom/internal/mailbox"
	"noom/internal/recovery"
)

// This file says why a peer is not connected: what the loop knows goes into evidence, which
// package diagnose judges. pion is asked for nothing, because it may be busy.

// findings are what was found when something failed.
type findings struct {
	cause  error             // why this epoch was given up, nil if it was not
	latest *diagnose.Finding // why the peer is not connected, nil while it is or was not yet to be
}

// Diagnosis is what a link says of its connection.
type Diagnosis struct {
	diagnose.Finding
	Attempts int                    // connections given up since the last one that worked
	PC       *webrtc.PeerConnection // by which data goes, nil if there is none
}

// Diagnose says why the peer is connected or is not. Errors: fault.Closed, ctx's.
func (l *Link) Diagnose(ctx context.Context) (Diagnosis, error) {
	if err := ctx.Err(); err != nil {
		return Diagnosis{}, err
	}
	d, err := mailbox.Ask(ctx, l.mail, l.diagnosis)
	if l.State() == recovery.Closed {
		err = fault.Closed
	}
	return d, err
}

// diagnosis is why the peer is not connected now. While an attempt shows
// nothing yet, what ended the one before is the answer.
func (l *Link) diagnosis() Diagnosis {
	e := l.evidence(l.findings.cause)
	d := Diagnosis{Finding: e.Judge(), Attempts: l.recovery.Failures()}
	if d.Verdict == diagnose.Connecting && l.findings.latest != nil {
		d.Finding = *l.findings.latest
	}
	if c := l.live(); c != nil {
		d.PC = c.PC
	}
	return d
}

// note keeps why the connection has failed, and logs it: once, and again when
// it turns out to be something else.
func (f *findings) note(e diagnose.Evidence, err error, log *slog.Logger) {
	e.Connected = false // as it was a moment ago, perhaps
	found := e.Judge()
	if f.latest == nil || f.latest.Verdict != found.Verdict {
		log.Warn("peer not connected", "verdict", string(found.Verdict), "words", found.Words, "error", err)
	}
	f.latest = &found
}

// evidence collects what is known; err is why the epoch is given up, if it is.
func (l *Link) evidence(err error) diagnose.Evidence {
	e := diagnose.Evidence{
		Online: l.host.Online(), Lost: l.recovery.Lost(), Err: err, Cause: causeKind(err),
		Connected: l.State() == recovery.Connected, WasUp: l.recovery.WasUp(),
	}
	if c := l.conns.current; c != nil {
		c.Testify(&e)
		e.Path = iceState(l.recovery.Path()).String()
		e.Acked, e.Pending = l.frames.Acked() > 0, l.frames.Pending()
		e.Refusal = l.host.Refusal(c.Since)
	}
	return e
}

// causeKind returns what a verdict names of the reason for which an epoch was given up.
func causeKind(err error) diagnose.Cause {
	switch {
	case errors.Is(err, fault.Description), errors.Is(err, fault.Rules), errors.Is(err, data.ErrCredit):
		return diagnose.BrokenRules
	case errors.Is(err, fault.DTLS):
		return diagnose.FailedDTLS
	}
	return diagnose.OtherCause
}
