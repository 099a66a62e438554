package signal

import (
	"context"
	"errors"
	"net/netip"
)

// A Signaler carries whole frames between a member and a hub, in order while
// it lasts. Both ends of a connection hold one.
//
// Send and Receive may be called at the same time as each other and as Close, but neither twice at
// once. After an error from either the Signaler is spent, and only Close is still of use, with two
// exceptions: a message that cannot be encoded is refused by Send and nothing else happens; and
// when Receive got something that is not a frame, Send may still report that before the end. Where
// a whole message came that [Decode] refused, Receive may go on with the next: a hub does after a
// malformed request.
//
// A Signaler may do more than that, by further methods: [Endpoint], [UncheckedEndpoint], [Address],
// [BatchSender], [Waiter], [Aborter], [CloseWith]. A wrapper passes on those that it leaves as they
// are, or they are lost silently. The loss of Endpoint shows late: proofs are invalid, and the hub
// refuses the member (bad_proof) once it asks for one. A method Unwrap() Signaler passes on
// Endpoint, UncheckedEndpoint and Address.
type Signaler interface {
	// Send writes one frame. It returns when the frame is on its way or ctx
	// ended, and may block for as long as the other end does not read.
	Send(ctx context.Context, m Message) error
	// Receive returns the next frame. Its encoded bytes, and a Body within
	// them, are valid until the next call. An error that wraps [*Error] says
	// that the other end closed for that reason, or sent what is no frame.
	Receive(ctx context.Context) (Message, error)
	// Close ends the connection and every pending call. It may be called more than once.
	Close() error
}

// ErrLeaving is in the error of a hub's Receive if the other end is a page and its browser has closed the connection
// because the page goes away: it is reloaded, left or closed.
var ErrLeaving = errors.New("the page goes away")

// A Dialer opens connections to one hub. A Room dials again through it
// whenever it has lost its connection. It may be a [JoinDialer], which a wrapper
// that embeds Dialer is not.
type Dialer interface {
	Dial(ctx context.Context) (Signaler, error)
}

// A JoinDialer is a Dialer that can give the hub a join while it opens the connection, which saves a round trip (PROTOCOL.md
// section 2).
type JoinDialer interface {
	Dialer
	// DialJoin opens a connection like Dial, and may hand over join with that, where others may read it: it has no token.
	// Whether the hub has taken it does not show, so the caller sends the join, with its token, as the first frame all
	// the same.
	DialJoin(ctx context.Context, join Message) (Signaler, error)
}

// DialerFunc makes a function a [Dialer].
type DialerFunc func(ctx context.Context) (Signaler, error)

// Dial calls f.
func (f DialerFunc) Dial(ctx context.Context) (Signaler, error) { return f(ctx) }

// Endpoint returns what s calls the hub's address as the member dialled it: the host of its URL as
// [NormalHost] writes it. A Signaler has a method Endpoint() string for it, or wraps one that does;
// otherwise it is empty. Proofs are bound to it (PROTOCOL.md section 3).
func Endpoint(s Signaler) string {
	if e, ok := findSignaler[interface{ Endpoint() string }](s); ok {
		return e.Endpoint()
	}
	return ""
}

// UncheckedEndpoint reports whether a hub's end of a connection believes what the member calls the
// hub, so that a proof made for another hub, and passed on by it, would be valid here. A Signaler
// has a method UncheckedEndpoint() bool for it, or wraps one that does.
func UncheckedEndpoint(s Signaler) bool {
	e, ok := findSignaler[interface{ UncheckedEndpoint() bool }](s)
	return ok && e.UncheckedEndpoint()
}

// Address returns the network address from which the other end of s connects, which a hub counts
// connections by. A Signaler has a method Address() netip.Addr for it, or wraps one that does;
// otherwise it is invalid.
func Address(s Signaler) netip.Addr {
	if a, ok := findSignaler[interface{ Address() netip.Addr }](s); ok {
		return a.Address()
	}
	return netip.Addr{}
}

// findSignaler returns the outermost of s and what it wraps that is a T.
func findSignaler[T any](s Signaler) (t T, ok bool) {
	for s != nil {
		if t, ok = s.(T); ok {
			return t, true
		}
		wrapper, wraps := s.(interface{ Unwrap() Signaler })
		if !wraps {
			break
		}
		s = wrapper.Unwrap()
	}
	return t, false
}

// A BatchSender is a Signaler that can send several messages with one write.
type BatchSender interface {
	Signaler
	// SendAll sends messages in order. It may block as long as one Send, and
	// ends the same ways.
	SendAll(ctx context.Context, batch []*Message) error
}

// A Waiter is a Signaler that can wait for the other end with less memory than
// Receive takes.
type Waiter interface {
	Signaler
	// Wait returns true when a Receive may have something to return, or ctx
	// has ended; false, at once, if Receive alone can wait. It is called where
	// Receive might be.
	Wait(ctx context.Context) bool
}

// An Aborter is a Signaler that can be ended without a goodbye. A caller of Abort need not give its
// calls a context that ends, which costs more.
type Aborter interface {
	Signaler
	// Abort ends the connection and every pending call at once. It may be
	// called at any time and more than once; Close is still to be called.
	Abort()
}

// CloseWith closes s and gives the other end the reason, where the transport can: such a transport
// has a method CloseWith(*Error) error.
func CloseWith(s Signaler, why *Error) error {
	if c, ok := s.(interface{ CloseWith(why *Error) error }); ok && why != nil {
		return c.CloseWith(why)
	}
	return s.Close()
}
