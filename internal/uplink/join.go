package uplink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptrace"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"noom/internal/fault"
	"noom/signal"
)

// Arrival says when each step of a join was reached.
type Arrival struct {
	Began    time.Time
	Resolved time.Time // the first name that was looked up; zero: none was, or the Dialer does not say
	Hub      time.Time // there is a connection
	Joined   time.Time // the hub has let us in
}

// dial dials the hub, and hands it the join with that if it can. Dialers that look names up by Go's own means, with the
// context that they are given, report that to the trace in it.
func (u *Uplink) dial(ctx context.Context, a *Arrival, hub signal.Dialer, join signal.Message) (signal.Signaler, error) {
	dial := hub.Dial
	if d, can := hub.(signal.JoinDialer); can && !u.cfg.JoinInFrame {
		dial = func(ctx context.Context) (signal.Signaler, error) { return d.DialJoin(ctx, join) }
	}
	var resolved atomic.Pointer[time.Time] // some dial several addresses at once, and in the end need only one
	s, err := dial(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSDone: func(found httptrace.DNSDoneInfo) {
			if now := time.Now(); found.Err == nil {
				resolved.CompareAndSwap(nil, &now)
			}
		},
	}))
	a.Hub = time.Now()
	if at := resolved.Load(); at != nil {
		a.Resolved = *at
	}
	return s, err
}

// attempt tries the hubs until one lets us in or refuses for good. Each may take an equal part of the time that is left.
func (u *Uplink) attempt(ctx context.Context, a *Arrival, card *signal.Card) (s signal.Signaler, joined signal.Message, err error) {
	order := u.hubs.order(time.Now())
	var all signal.HubsError
	for n, i := range order {
		hub := &u.hubs.list[i]
		part, cancel := signal.PartOfTime(ctx, len(order)-n)
		s, joined, err = u.enter(part, a, hub.Dialer, card)
		cancel()
		if err == nil {
			u.at = i
			u.hubs.worked(i)
			return s, joined, nil
		}
		u.hubs.failed(i, time.Now(), RetryAfter(err))
		if len(u.hubs.list) == 1 || IsFinal(err) {
			return nil, joined, err
		}
		u.cfg.Log.Debug("hub cannot be used", "url", hub.URL, "error", err)
		all.Failures = append(all.Failures, signal.HubFailure{URL: hub.URL, Err: err})
		if ctx.Err() != nil {
			break
		}
	}
	return nil, joined, &all
}

// enter dials a hub and joins. The joined frame stays valid after the next Receive.
func (u *Uplink) enter(ctx context.Context, a *Arrival, hub signal.Dialer, card *signal.Card) (s signal.Signaler, joined signal.Message, err error) {
	join := signal.Message{
		Type: signal.TypeJoin, Room: u.cfg.Room, Name: u.cfg.Name(),
		Key: u.cfg.Self.PublicKey, Session: u.cfg.Self.Session, Card: card,
	}
	if u.cfg.Sends != nil {
		join.Sends = u.cfg.Sends()
	}
	s, err = u.dial(ctx, a, hub, join)
	if err != nil {
		return nil, joined, err
	}
	defer func(dialled signal.Signaler) {
		if err != nil {
			_ = dialled.Close()
		}
	}(s)
	token, err := u.token(ctx)
	if err != nil {
		return nil, joined, err
	}
	join.Token = token
	u.cfg.Trace(true, join)
	if err = s.Send(ctx, join); err != nil {
		return nil, joined, err
	}
	joined, challenged, err := u.admitted(ctx, s)
	a.Joined = time.Now()
	if err == nil && token != "" && !challenged && !u.warned {
		u.warned = true
		u.cfg.Log.Warn("the hub wants no token, and has not looked at ours")
	}
	return s, joined, err
}

// admitted waits until the hub lets us in, and proves who we are if it asks, as a hub does of all whom it authorises.
func (u *Uplink) admitted(ctx context.Context, s signal.Signaler) (joined signal.Message, challenged bool, err error) {
	for {
		m, err := s.Receive(ctx)
		if err != nil {
			return joined, challenged, unread{err}
		}
		u.cfg.Trace(false, m)
		switch m.Type {
		case signal.TypeJoined:
			return m, challenged, u.isOurs(&m)
		case signal.TypeChallenge:
			challenged = true
			text := signal.ProofText(signal.Endpoint(s), u.cfg.Room, u.cfg.Self.Session, m.Nonce)
			proof := signal.Message{Type: signal.TypeProof, Signature: u.cfg.Sign(text)}
			u.cfg.Trace(true, proof)
			if err := s.Send(ctx, proof); err != nil {
				return joined, challenged, err
			}
		case signal.TypeError:
			return joined, challenged, m.Err()
		default: // of an unknown type, or too early
		}
	}
}

// unread is an error of Receive, and no error frame of the hub.
type unread struct{ error }

// Unwrap returns the error.
func (e unread) Unwrap() error { return e.error }

// isOurs returns an error if a joined frame is about another member or another room.
func (u *Uplink) isOurs(joined *signal.Message) error {
	switch {
	case joined.Self.ID != u.cfg.Self.ID:
		return fmt.Errorf("the hub took us for %s", joined.Self.ID)
	case joined.Room != "" && joined.Room != u.cfg.Room:
		return fmt.Errorf("the hub took us to the room %q", joined.Room)
	}
	return nil
}

// token returns the token to join with.
func (u *Uplink) token(ctx context.Context) (string, error) {
	if u.cfg.TokenSource == nil {
		return u.cfg.Token, nil
	}
	token, err := u.cfg.TokenSource(ctx)
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

// heartbeatOf returns how often the hub sends something, according to a joined frame.
func heartbeatOf(joined *signal.Message) time.Duration {
	return time.Duration(joined.Heartbeat) * time.Millisecond
}

// invited returns an error if m is a bye after which we have to come back: the hub
// restarts, or our authorisation has ended and there is a TokenSource.
func (u *Uplink) invited(m *signal.Message) error {
	switch {
	case m.Type != signal.TypeBye || m.From != u.cfg.Self.ID:
		return nil
	case m.Reason == signal.ReasonRestart:
		return &signal.Error{Code: signal.CodeShuttingDown, Message: "the hub restarts", RetryAfter: m.RetryAfter()}
	case m.Reason == signal.ReasonExpired && u.cfg.TokenSource != nil:
		return fault.Expired
	}
	return nil
}

// RetryAfter returns how long the hub has asked us to wait, and up to as much again at
// random, so that not everyone comes back at once. It returns 0 if the hub has not asked.
func RetryAfter(err error) time.Duration {
	refusal, ok := errors.AsType[*signal.Error](err)
	if !ok || refusal.RetryAfter <= 0 {
		return 0
	}
	return refusal.RetryAfter + rand.N(refusal.RetryAfter)
}

// IsFinal reports whether redialling is pointless because the hub would refuse again.
func IsFinal(err error) bool {
	var refusal *signal.Error
	if !errors.As(err, &refusal) {
		return false
	}
	switch refusal.Code {
	case signal.CodeMalformed: // the hub's frame may be what is malformed
		_, local := errors.AsType[unread](err)
		return !local
	case signal.CodeRefused, signal.CodeBadRoom, signal.CodeBadName, signal.CodeBadProof, signal.CodeKicked:
		return true
	default:
		return false
	}
}
