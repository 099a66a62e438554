package noom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"noom/signal"
)

// This file is the way to the hub and back to it: dial, join, read, redial.

const firstRedial = 100 * time.Millisecond

// enter dials the hub and joins. The joined frame is its own, not the
// Signaler's.
func (r *room) enter(ctx context.Context) (s Signaler, joined signal.Message, err error) {
	s, err = r.dialer.Dial(ctx)
	if err != nil {
		return nil, joined, err
	}
	defer func(dialled Signaler) {
		if err != nil {
			_ = dialled.Close()
		}
	}(s)
	r.mu.Lock()
	name := r.nickname
	r.mu.Unlock()
	token, err := r.token(ctx)
	if err != nil {
		return nil, joined, err
	}
	join := signal.Message{
		Type: signal.TypeJoin, Room: r.name, Name: name,
		Key: r.self.PublicKey, Session: r.self.Session, Token: token,
	}
	r.traceFrame(TraceSent, Member{}, false, join)
	if err = s.Send(ctx, join); err != nil {
		return nil, joined, err
	}
	for {
		m, err := s.Receive(ctx)
		if err != nil {
			return nil, joined, err
		}
		r.traceFrame(TraceReceived, Member{}, false, m)
		switch m.Type {
		case signal.TypeJoined:
			if m.Self.ID != r.self.ID {
				return nil, joined, fmt.Errorf("the hub took us for %s", m.Self.ID)
			}
			return s, m, nil
		case signal.TypeChallenge:
			text := signal.ProofText(signal.Endpoint(s), r.name, r.self.Session, m.Nonce)
			proof := signal.Message{Type: signal.TypeProof, Signature: r.cfg.Identity.sign(text)}
			r.traceFrame(TraceSent, Member{}, false, proof)
			if err := s.Send(ctx, proof); err != nil {
				return nil, joined, err
			}
		case signal.TypeError:
			return nil, joined, m.Err()
		default: // unknown, or not for us yet
		}
	}
}

// token is what the hub's authorisation gets.
func (r *room) token(ctx context.Context) (string, error) {
	if r.cfg.TokenSource == nil {
		return r.cfg.Token, nil
	}
	token, err := r.cfg.TokenSource(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("no token: %w", err)
	case len(token) > signal.MaxToken:
		return "", fmt.Errorf("the token has %d bytes, at most %d are allowed", len(token), signal.MaxToken)
	case !utf8.ValidString(token):
		return "", errors.New("the token is not valid UTF-8")
	}
	return token, nil
}

// invited makes an error of a bye after which we are to come back: the hub
// restarts, or our time is over and there are more tokens where that one came
// from.
func (r *room) invited(m *signal.Message) error {
	switch {
	case m.Type != signal.TypeBye || m.From != r.self.ID:
		return nil
	case m.Reason == signal.ReasonRestart:
		return &signal.Error{Code: signal.CodeShuttingDown, Message: "the hub restarts", RetryAfter: m.RetryAfter()}
	case m.Reason == signal.ReasonExpired && r.cfg.TokenSource != nil:
		return ErrExpired
	}
	return nil
}

// retryAfter is when a hub said that one should come back, spread over as much
// time again so that not everyone does at once; 0 if it said nothing.
func retryAfter(err error) time.Duration {
	refusal, ok := errors.AsType[*signal.Error](err)
	if !ok || refusal.RetryAfter <= 0 {
		return 0
	}
	return refusal.RetryAfter + rand.N(refusal.RetryAfter)
}

// final reports whether redialling is pointless: the hub would say the same again.
func final(err error) bool {
	var refusal *signal.Error
	if !errors.As(err, &refusal) {
		return false
	}
	switch refusal.Code {
	case signal.CodeRefused, signal.CodeBadRoom, signal.CodeBadName, signal.CodeBadProof, signal.CodeMalformed,
		signal.CodeKicked:
		return true
	default:
		return false
	}
}

// stayConnected keeps the room at a hub until it ends, beginning with s, where
// the room has joined.
func (r *room) stayConnected(s Signaler, heartbeat int64) {
	defer func() {
		close(r.hubGone)
		r.mail.Post(r.tellAnswered)
	}()
	pause := firstRedial
	for {
		since := time.Now()
		err := r.converse(s, time.Duration(heartbeat)*time.Millisecond)
		r.mail.Post(r.tellAnswered)
		if r.ctx.Err() != nil || r.byeSaid.Load() {
			return
		}
		r.log.Info("signaling lost", "error", err)
		r.traceNote(Member{}, "signaling lost", "error", err)
		r.events.add(SignalingLost{Err: err})
		if time.Since(since) > calmAfter {
			pause = firstRedial
		}
		var joined signal.Message
		if s, joined, err = r.redial(&pause, retryAfter(err)); err != nil {
			if r.ctx.Err() == nil {
				r.finish(&JoinError{Room: r.name, Err: err})
			}
			return
		}
		heartbeat = joined.Heartbeat
		r.outbox.Store(newOutbox()) // joined makes the loop send
		if !r.handOver(r.ctx, joined) {
			_ = s.Close()
			return
		}
	}
}

// handOver hands a frame to the room's loop.
func (r *room) handOver(ctx context.Context, m signal.Message) bool {
	m.Body = bytes.Clone(m.Body) // the Signaler's until the next Receive
	select {
	case r.frames <- m:
		return true
	case <-ctx.Done():
		return false
	}
}

// redial tries until it is back, the room ends, or the hub says no for good.
// pause grows with each try, and over connections that break at once; wait is
// what the hub has asked for beside it.
func (r *room) redial(pause *time.Duration, wait time.Duration) (Signaler, signal.Message, error) {
	for {
		jittered := *pause/2 + rand.N(*pause/2+1)
		*pause = min(2**pause, r.cfg.RedialMax)
		nudge := r.nudge
		if wait > 0 {
			nudge = nil
		}
		select {
		case <-time.After(max(jittered, wait)):
		case <-nudge: // a new network may be better
			*pause = firstRedial
		case <-r.ctx.Done():
			return nil, signal.Message{}, r.ctx.Err()
		}
		ctx, cancel := context.WithTimeout(r.ctx, r.cfg.DialTimeout)
		s, joined, err := r.enter(ctx)
		cancel()
		if err == nil || r.ctx.Err() != nil || final(err) {
			return s, joined, err
		}
		r.log.Debug("redial", "error", err)
		wait = retryAfter(err)
	}
}

// converse runs one connection, with the outbox that is there for it, until it breaks.
func (r *room) converse(s Signaler, heartbeat time.Duration) error {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	out := r.outbox.Load()
	var heard atomic.Bool
	r.background(func() {
		_ = out.drain(ctx, s)
		_ = s.Close()
	})
	r.background(func() {
		if err := r.pulse(ctx, out, heartbeat, &heard); err != nil {
			cancel(err) // at once, for Close may wait for a last word
		}
		_ = s.Close()
	})
	defer r.outbox.Store(nil)
	for {
		m, err := s.Receive(ctx)
		if silence := context.Cause(ctx); silence != nil {
			return silence
		}
		if err != nil {
			return err
		}
		heard.Store(true)
		if m.Type == signal.TypeJoined {
			continue // enter has had the one of this connection; another would pass for a return
		}
		if err := r.invited(&m); err != nil {
			r.traceFrame(TraceReceived, Member{}, false, m)
			return err
		}
		if !r.handOver(ctx, m) {
			return ctx.Err()
		}
	}
}

// pulse keeps the heartbeat (PROTOCOL.md section 5) until ctx ends, nil, or the
// hub is dead.
func (r *room) pulse(ctx context.Context, out *outbox, heartbeat time.Duration, heard *atomic.Bool) error {
	silent := 0
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	var answers <-chan time.Time
	for silent < 2 {
		select {
		case <-ticker.C:
			if answers != nil {
				continue
			}
		case <-r.nudge:
			heard.Store(false)
			out.put(signal.Message{Type: signal.TypePing})
			answers = time.After(hubAnswers)
			continue
		case <-answers:
			if answers = nil; !heard.Load() {
				return fmt.Errorf("the hub does not answer for %v", hubAnswers)
			}
			continue
		case <-ctx.Done():
			return nil
		}
		if silent++; heard.Swap(false) {
			silent = 0
		}
		if silent == 1 {
			out.put(signal.Message{Type: signal.TypePing})
		}
	}
	return fmt.Errorf("the hub is silent for %v", 2*heartbeat)
}
