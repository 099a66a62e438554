package noom

import (
	"context"
	"iter"

	"github.com/pion/webrtc/v4"
)

// Room is a room one has joined. Its methods may be called from anywhere at
// any time, after Leave and inside an event loop included.
type Room interface {
	// Name returns the room's name in normal form.
	Name() string
	// Self returns this member as the others see it.
	Self() Member
	// May reports whether the hub lets this member do something: see [Right].
	May(right Right) bool
	// Peers returns everyone else, in join order.
	Peers() []Peer
	// Peer returns the peer with that id.
	Peer(id string) (Peer, bool)
	// Next returns the next event and waits for one. Once [Closed] was
	// delivered it returns io.EOF. Two calls at once share the events.
	Next(ctx context.Context) (Event, error)
	// Events is sugar over Next: it ends after [Closed], or with ctx.
	Events(ctx context.Context) iter.Seq[Event]
	// Publish sends t to everyone, now and later. It waits for nobody: ctx
	// bounds the binding of t alone. Errors: [ErrCodec] when t offers no codec
	// that noom registers, [ErrForbidden] without [RightPublish], [ErrClosed].
	Publish(ctx context.Context, t webrtc.TrackLocal, o *PublishOptions) (Sender, error)
	// Senders returns what Publish and Config.Tracks made, in that order,
	// without those that were closed.
	Senders() []Sender
	// Chat says text, 1 to 4096 bytes, to everyone through the hub. It returns
	// once the hub has passed it on. Where there is no hub now, it waits for one: so do
	// Rename and the other calls below that ask something of the hub, up to 256 of
	// them at a time, each until ctx ends or, if ctx has no deadline, for 30 s; TryChat
	// waits for nothing. Errors: [ErrForbidden] without [RightChat], [ErrNoHub] after
	// those 30 s, [ErrWouldBlock] beyond 256, [ErrClosed], ctx's, and a
	// [*signal.Error] with code bad_chat for a text that cannot be said.
	Chat(ctx context.Context, text string) error
	// TryChat is Chat that never waits, for neither a hub nor its answer. Errors:
	// those of Chat, and [ErrNoHub] where there is no hub now. A hub that is lost in
	// this very moment is told when it is back.
	TryChat(text string) error
	// Send sends data, up to 61440 bytes, to every peer over data channels, each as
	// [Peer.Send] does: to those that are being connected too, as soon as they are.
	// One that takes nothing makes it wait until ctx ends, when the others
	// have got theirs. The joined [*PeerError]s name those that did not take it.
	Send(ctx context.Context, data []byte) error
	// TrySend is Send that never waits: the joined [*PeerError]s name those that
	// did not take it, with [ErrWouldBlock] where one has too much to take already.
	TrySend(data []byte) error
	// Rename changes the nickname and returns once the hub has taken it. Errors:
	// [ErrForbidden] where the hub has forced one.
	Rename(ctx context.Context, name string) error
	// Kick removes a member, by its [Peer.ID], from the room and keeps it out for as
	// long as the room is open, even if the hub has lost it and only connections between
	// members are left. It takes [RightKick]. Errors: [ErrForbidden], and a
	// [*signal.Error] with code no_such_member.
	Kick(ctx context.Context, id string) error
	// Lock lets nobody in any more but who was there and lost its connection,
	// until Unlock or until the room is empty. It takes [RightLock]. Everyone
	// sees [RoomLocked]. Errors: [ErrForbidden].
	Lock(ctx context.Context) error
	// Unlock ends a Lock, whoever's it was, as Lock begins one.
	Unlock(ctx context.Context) error
	// Locked reports whether the room is locked.
	Locked() bool
	// CloseForAll ends the room for everyone; to leave it is Leave's. It takes
	// [RightClose]. Errors: [ErrForbidden].
	CloseForAll(ctx context.Context) error
	// NetworkChanged says that the network may have changed: another address or
	// route, or the machine was asleep. Hub and paths are looked at within 3 s,
	// and what is dead is mended. noom notices new addresses and sleep by itself; this
	// is for systems that tell applications and let them look at no interfaces.
	NetworkChanged()
	// Leave lets what Send, Chat and channels have accepted arrive, says goodbye,
	// closes every connection and returns when that is done. From its beginning on
	// nothing new is accepted, and what waits to be accepted ends with [ErrClosed].
	// Whether applications take what has arrived does not matter.
	//
	// ctx bounds all of it, the goodbye having the last second, or quarter if that is
	// less; without a deadline, 6 s do. A ctx that has ended makes it leave at once. It
	// may be called again, from several places too: the earliest end counts for
	// all, and each gives the same. The joined [*PeerError]s name those to whom not
	// everything is known to have arrived, each with an [*UndeliveredError]; with them
	// is [ErrNoHub] if that is so of what TryChat has taken. It is nil where the Room
	// was over before.
	Leave(ctx context.Context) error
	// Done is closed when the Room is over.
	Done() <-chan struct{}
	// Err says why it is over: nil while it is not, and after Leave.
	Err() error
}
