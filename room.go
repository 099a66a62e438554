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
	// once the hub has passed it on. Errors: [ErrForbidden] without [RightChat].
	Chat(ctx context.Context, text string) error
	// Send sends data, up to 61440 bytes, to every connected peer over data
	// channels, each as [Peer.Send] does. The joined [*PeerError]s name those
	// that got nothing.
	Send(ctx context.Context, data []byte) error
	// Rename changes the nickname and returns once the hub has taken it. Errors:
	// [ErrForbidden] where the hub has forced one.
	Rename(ctx context.Context, name string) error
	// Kick removes a member from the room and keeps it out for as long as the
	// room is open. It takes [RightKick]. Errors: [ErrForbidden], and a
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
	// Leave says goodbye, closes every connection and returns when that is
	// done; ctx bounds the goodbye. It may be called again, and gives nil.
	Leave(ctx context.Context) error
	// Done is closed when the Room is over.
	Done() <-chan struct{}
	// Err says why it is over: nil while it is not, and after Leave.
	Err() error
}

// PublishOptions says how a track is published; nil works.
type PublishOptions struct {
	// Name is what the others see: "camera", "microphone", "screen", … Up to
	// 128 bytes. Empty: camera for video, microphone for audio.
	Name string
	// Muted publishes it muted: nothing is sent until [Sender.SetMuted].
	Muted bool
}
