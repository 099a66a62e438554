package noom

import (
	"errors"
	"fmt"
	"strings"

	"noom/internal/fault"
	"noom/signal"
)

// Reason says why somebody left; see the constants.
type Reason = signal.Reason

// Why somebody left.
const (
	ReasonLeft     = signal.ReasonLeft
	ReasonKicked   = signal.ReasonKicked
	ReasonClosed   = signal.ReasonClosed
	ReasonReplaced = signal.ReasonReplaced
	ReasonLost     = signal.ReasonLost
	ReasonExpired  = signal.ReasonExpired
)

// Right is something that a member may do in a room; see [signal.Right].
type Right = signal.Right

// What a member may do; [Member.May] asks. Nothing else said, everyone may
// publish and chat.
const (
	RightPublish = signal.RightPublish
	RightChat    = signal.RightChat
	RightKick    = signal.RightKick
	RightLock    = signal.RightLock
	RightMute    = signal.RightMute
	RightClose   = signal.RightClose
)

// Errors to compare with errors.Is. A hub's refusal is a [*signal.Error] inside.
var (
	// ErrClosed: the room, peer or sender is closed. It matches net.ErrClosed.
	ErrClosed = fault.Closed
	// ErrCodec: the track's codec is none of ours, not the sender's, or none that the
	// peer takes. What wraps it names the codec, and those that would do.
	ErrCodec = fault.Codec
	// ErrRoomClosed, ErrReplaced, ErrExpired, and ErrKicked below: why Room.Err
	// is not nil.
	ErrRoomClosed = errors.New("noom: the room was closed")
	ErrReplaced   = errors.New("noom: the same identity joined from elsewhere")
	ErrExpired    = fault.Expired
	// ErrKicked: this member was removed from the room. ErrForbidden: the hub
	// does not let it do that. ErrLocked: the room lets nobody in. They match any
	// [*signal.Error] with their code, such as a [*JoinError] holds.
	ErrKicked    error = &signal.Error{Code: signal.CodeKicked, Message: "removed from the room"}
	ErrForbidden error = &signal.Error{Code: signal.CodeForbidden, Message: "this member may not do that here"}
	ErrLocked    error = &signal.Error{Code: signal.CodeLocked, Message: "the room is locked"}
	// ErrNotConnected: the peer has no connection now.
	ErrNotConnected = fault.NotConnected
	// ErrNoHub: there is no connection to the hub now.
	ErrNoHub = fault.NoHub
	// ErrDescription: a peer's description, or another frame of its, could not
	// be taken. It is inside PeerStateChanged.Err, and the connection is rebuilt.
	ErrDescription = fault.Description
	// ErrTooMany: one more track has no room in a description. A member can send
	// another 12 of video, or 28 of audio, and fewer if that one sends as many. A
	// Sender that is closed leaves its room to the next of its codec.
	ErrTooMany = fault.TooMany
	// ErrTooBig: a message above its bound.
	ErrTooBig = fault.TooBig
	// ErrWouldBlock: too much waits already, and the call is one that never waits.
	ErrWouldBlock = fault.WouldBlock
)

// JoinError is what Join returns when the room could not be entered.
type JoinError struct {
	Room string
	Err  error // a *signal.Error when the hub refused; else why it was not reached
}

func (e *JoinError) Error() string {
	room := e.Room
	if len(room) > signal.MaxName {
		room = strings.ToValidUTF8(room[:signal.MaxName], "") + "…"
	}
	return fmt.Sprintf("noom: join %q: %v", room, e.Err)
}

// Unwrap returns the cause.
func (e *JoinError) Unwrap() error { return e.Err }

// UndeliveredError is what [Room].Leave returns, inside a [*PeerError], where
// what was sent to a peer is not known to have arrived.
type UndeliveredError struct {
	Messages int // of Send
	Channels int // that were closed with something under way in them
}

func (e *UndeliveredError) Error() string {
	switch {
	case e.Channels == 0:
		return fmt.Sprintf("noom: messages not known to have arrived when we left: %d; give Leave more time", e.Messages)
	case e.Messages == 0:
		return fmt.Sprintf("noom: channels with something under way when we left: %d; give Leave more time", e.Channels)
	}
	return fmt.Sprintf("noom: messages not known to have arrived when we left: %d, channels with something under way: %d; "+
		"give Leave more time", e.Messages, e.Channels)
}

// PeerError is an error that concerns one peer.
type PeerError struct {
	Peer Peer
	Err  error
}

func (e *PeerError) Error() string { return fmt.Sprintf("noom: peer %s: %v", e.Peer.ID(), e.Err) }

// Unwrap returns the cause.
func (e *PeerError) Unwrap() error { return e.Err }
