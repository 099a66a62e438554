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

// This file finds out why a peer is not connected: it collects what the loop knows as evidence, which package diagnose
// judges. It asks pion for nothing, because pion may be busy.

// findings are what was known when something failed.
type findings struct {
	givenUpFor error             // why this epoch was given up, nil if it was not
	latest     *diagnose.Finding // why the peer is not connected, nil while it is or cannot be expected to be
}

// Diagnosis is what a link says about its connection.
type Diagnosis struct {
	diagnose.Finding
	Attempts int                    // connections given up since the last one that worked
	PC       *webrtc.PeerConnection // that carries data, nil if there is none
}

// Diagnose returns why the peer is or is not connected. Errors: fault.Closed, ctx's.
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

// diagnosis returns why the peer is not connected now. While the current attempt shows nothing yet, the answer is what
// ended the one before.
func (l *Link) diagnosis() Diagnosis {
	e := l.evidence(l.findings.givenUpFor)
	d := Diagnosis{Finding: e.Judge(), Attempts: l.recovery.Failures()}
	if d.Verdict == diagnose.Connecting && l.findings.latest != nil {
		d.Finding = *l.findings.latest
	}
	if c := l.live(); c != nil {
		d.PC = c.PC
	}
	return d
}

// note keeps why the connection has failed. It logs that once, and again if the verdict changes.
func (f *findings) note(e diagnose.Evidence, err error, log *slog.Logger) {
	e.Connected = false // perhaps it still was a moment ago
	found := e.Judge()
	if f.latest == nil || f.latest.Verdict != found.Verdict {
		log.Warn("peer not connected", "verdict", string(found.Verdict), "words", found.Words, "error", err)
	}
	f.latest = &found
}

// evidence collects what is known. err is why the epoch is given up, or nil.
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

// causeKind returns what a verdict needs to know of the error for which an epoch was given up.
func causeKind(err error) diagnose.Cause {
	switch {
	case errors.Is(err, fault.Description), errors.Is(err, fault.Rules), errors.Is(err, data.ErrCredit):
		return diagnose.BrokenRules
	case errors.Is(err, fault.DTLS):
		return diagnose.FailedDTLS
	}
	return diagnose.OtherCause
}
