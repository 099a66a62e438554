package noom

import (
	"errors"
	"fmt"
	"strings"

	"noom/internal/fault"
	"noom/signal"
)

// Reason says why a member left; see the constants.
type Reason = signal.Reason

// The reasons for which a member leaves.
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

// The rights of a member; [Member.May] checks them. Unless the hub says otherwise, everyone may publish and chat.
const (
	RightPublish = signal.RightPublish
	RightChat    = signal.RightChat
	RightKick    = signal.RightKick
	RightLock    = signal.RightLock
	RightMute    = signal.RightMute
	RightClose   = signal.RightClose
)

// Errors to compare with errors.Is. A refusal by the hub wraps a [*signal.Error].
var (
	// ErrClosed: the room, peer or sender is closed. It matches net.ErrClosed.
	ErrClosed = fault.Closed
	// ErrCodec: the track's codec is neither one of noom's nor in [Config].Codecs, or is not accepted by the peer; the
	// track is sound and should be a picture, or the reverse; or a codec in Config.Codecs cannot be offered. The error
	// that wraps it names the codec, and those that would work.
	ErrCodec = fault.Codec
	// ErrRoomClosed, ErrReplaced, ErrExpired and ErrKicked: what [Room].Err returns after the hub has ended our
	// membership.
	ErrRoomClosed = errors.New("noom: the room was closed")
	ErrReplaced   = errors.New("noom: the same identity joined from elsewhere")
	ErrExpired    = fault.Expired
	// ErrKicked: this member was removed from the room. ErrForbidden: the hub does not allow this member to do that.
	// ErrLocked: the room admits no newcomers. They match any [*signal.Error] with their code, such as that in a
	// [*JoinError].
	ErrKicked    error = &signal.Error{Code: signal.CodeKicked, Message: "removed from the room"}
	ErrForbidden error = &signal.Error{Code: signal.CodeForbidden, Message: "this member may not do that here"}
	ErrLocked    error = &signal.Error{Code: signal.CodeLocked, Message: "the room is locked"}
	// ErrNotConnected: the peer has no connection now.
	ErrNotConnected = fault.NotConnected
	// ErrNoHub: there is no connection to the hub now, or the hub does not answer.
	ErrNoHub = fault.NoHub
	// ErrDescription: a peer's description, or another of its frames, could not be applied. PeerStateChanged.Err wraps
	// it, and the connection is rebuilt.
	ErrDescription = fault.Description
	// ErrTooMany: a description has no room for one more track. A member can send 24 tracks of VP8, 16 of
	// H.264 or 33 of Opus to another member, and fewer if the other member sends many too. A closed Sender leaves its place to the next one
	// of its codec.
	ErrTooMany = fault.TooMany
	// ErrTooBig: the message is larger than allowed.
	ErrTooBig = fault.TooBig
	// ErrStateKey: what cannot be a key of [Room].State. ErrStateFull: this member has 64 KiB or 256 keys there already.
	ErrStateKey  = fault.StateKey
	ErrStateFull = fault.StateFull
	// ErrUnsupported: the peer runs an earlier noom, which knows no questions. It matches errors.ErrUnsupported.
	ErrUnsupported = fault.Unsupported
	// ErrWouldBlock: too much waits already for a call that does not wait.
	ErrWouldBlock = fault.WouldBlock
)

// JoinError is what Join returns when the room could not be entered.
type JoinError struct {
	Room string
	Err  error // a *signal.Error if the hub refused, a *signal.HubsError if none of several could be used; otherwise why it was not reached
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

// UndeliveredError is what [Room].Leave returns, inside a [*PeerError], if something that was sent to a peer is not
// known to have arrived.
type UndeliveredError struct {
	Messages int // sent with Send
	Channels int // closed with something in flight
}

func (e *UndeliveredError) Error() string {
	switch {
	case e.Channels == 0:
		return fmt.Sprintf("noom: messages not known to have arrived when we left: %d; give Leave more time", e.Messages)
	case e.Messages == 0:
		return fmt.Sprintf("noom: channels with something in flight when we left: %d; give Leave more time", e.Channels)
	}
	return fmt.Sprintf("noom: messages not known to have arrived when we left: %d, channels with something in flight: %d; "+
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
