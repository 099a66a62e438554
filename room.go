package noom

import (
	"context"
	"iter"

	"github.com/pion/webrtc/v4"
)

// Room is a room that this program has joined. Its methods may be called from any goroutine at any time, also after
// Leave and inside a loop over its events.
type Room interface {
	// Name returns the room's name in normal form.
	Name() string
	// Self returns this member as the others see it.
	Self() Member
	// May reports whether this member has a right, which the hub grants: see [Right].
	May(right Right) bool
	// Peers returns all other members, in join order.
	Peers() []Peer
	// Peer returns the peer with that id, and whether there is one.
	Peer(id string) (Peer, bool)
	// Next returns the next event, and waits until there is one. After it has returned [Closed], it returns io.EOF.
	// Concurrent calls share the events: each event goes to one of them.
	Next(ctx context.Context) (Event, error)
	// Events yields what Next returns, until [Closed] or until ctx ends.
	Events(ctx context.Context) iter.Seq[Event]
	// Publish sends t to every peer, present and future. It does not wait for any of them; it returns ctx's error if
	// ctx has ended already. Pictures that nobody gets, for example because the room is empty, are unbound meanwhile: a
	// camera is not encoded, and a file of pictures waits. Sound stays bound, because it costs little and has to be there
	// at once: a file of sound plays on unheard, and so does a film that has sound ([Sender].Receivers says who gets it).
	// Errors: [ErrCodec] if t offers no codec that noom registers, [ErrForbidden] without [RightPublish], [ErrClosed].
	Publish(ctx context.Context, t webrtc.TrackLocal, o *PublishOptions) (Sender, error)
	// Senders returns the senders of Config.Tracks and Publish that are not closed, in the order in which they were
	// published.
	Senders() []Sender
	// Chat sends text, 1 to 4096 bytes of UTF-8, to everyone through the hub, signed, and returns once the hub has passed
	// it on. Newcomers get it too, from the members that keep it: see Config.History. While there is no connection to the hub, it waits for one. So do Rename, Kick, Lock, Unlock, CloseForAll and
	// [Peer].RequestMute: up to 256 of these calls may wait at a time, each until ctx ends or, if ctx has no deadline,
	// for 30 s. TryChat never waits. Errors: [ErrForbidden] without [RightChat], [ErrNoHub] after those 30 s,
	// [ErrWouldBlock] beyond 256, [ErrClosed], ctx's, and a [*signal.Error] with code bad_chat if text is not as above.
	Chat(ctx context.Context, text string) error
	// TryChat is Chat without waiting, neither for a hub nor for its answer. Errors: those of Chat, and [ErrNoHub] if
	// there is no hub now. If the connection to the hub is lost at this very moment, text is sent when it is back.
	TryChat(text string) error
	// Send sends data, up to 61440 bytes, to every peer, each as [Peer.Send] does: a peer that is being connected
	// gets it once it is connected. If a peer takes nothing, Send blocks until ctx ends; by then the other peers
	// have it. The error joins a [*PeerError] for each peer that did not take data.
	Send(ctx context.Context, data []byte) error
	// TrySend is Send without waiting. A peer with too much in flight does not get data, and its [*PeerError] wraps
	// [ErrWouldBlock].
	TrySend(data []byte) error
	// SendTopic is Send with a topic: see [Peer.SendTopic]. Nobody gets data if the topic is refused.
	SendTopic(ctx context.Context, topic string, data []byte) error
	// TrySendTopic is SendTopic without waiting, as TrySend is Send.
	TrySendTopic(topic string, data []byte) error
	// State returns the map of small values that the members share.
	State() *State
	// SetAttributes sets what every member sees as [Peer].Attributes of this one, in the place of all that was set before.
	// It is kept as part of this member's [State], at most 4096 bytes as JSON, and ends with the membership. Errors:
	// [ErrTooBig], [ErrStateFull], [ErrClosed], ctx's.
	SetAttributes(ctx context.Context, attributes map[string]string) error
	// Handle has f called for each question that a peer asks under a topic: see [Peer.Ask] and [QuestionHandler]. It
	// replaces the function that the topic had before; nil: the topic has none any longer. Questions under a topic
	// without a function get [ErrNotHandled], so call Handle right behind [Join]: peers are not connected then. The
	// error says what is wrong with the topic, which is a name of up to 128 bytes.
	Handle(topic string, f QuestionHandler) error
	// Rename changes the nickname, and returns once the hub has taken it. Errors: [ErrForbidden] if the hub has
	// assigned the name.
	Rename(ctx context.Context, name string) error
	// Kick removes the member with that [Peer.ID] from the room and keeps it out while the room is open, even if the
	// hub has lost it and only connections between members are left. To kick it again changes nothing. It needs
	// [RightKick]. Errors: [ErrForbidden], and a [*signal.Error] with code no_such_member.
	Kick(ctx context.Context, id string) error
	// Lock keeps newcomers out until Unlock, or until the room is empty; members who lost their connection may return.
	// It needs [RightLock]. Everyone sees [RoomLocked]. Errors: [ErrForbidden].
	Lock(ctx context.Context) error
	// Unlock ends a Lock, another member's too. It needs [RightLock]. Everyone sees [RoomLocked]. Errors:
	// [ErrForbidden].
	Unlock(ctx context.Context) error
	// Locked reports whether the room is locked.
	Locked() bool
	// CloseForAll ends the room for everyone; use Leave to leave it open for others. It needs [RightClose]. Errors:
	// [ErrForbidden].
	CloseForAll(ctx context.Context) error
	// NetworkChanged makes noom check the connection to the hub and the path to every peer within 3 s, and repair
	// what is dead. Call it when the network may have changed: another address or route, or the machine was asleep.
	// noom notices new addresses and sleep by itself; this is for systems that notify applications of a change but
	// do not let them list interfaces.
	NetworkChanged()
	// Leave lets what Send, Chat and channels have accepted arrive, says goodbye, closes every connection, and returns
	// when that is done. From its beginning on, nothing new is accepted, and calls that wait to have something
	// accepted return [ErrClosed]. Leave does not wait for applications to take what has arrived.
	//
	// ctx bounds all of it. The last second of that time is kept for the goodbye, or its last quarter if that is less.
	// Without a deadline, the bound is 6 s. If ctx has ended already, Leave leaves at once. It may be called again,
	// also concurrently: the earliest end counts for all calls, and all return the same.
	//
	// The error joins a [*PeerError] with an [*UndeliveredError] for each peer to which not everything is known to have
	// arrived. It also joins [ErrNoHub] if the hub is not known to have all the chat that TryChat has accepted. It is
	// nil if the Room was over before.
	Leave(ctx context.Context) error
	// Done returns a channel that is closed when the Room is over.
	Done() <-chan struct{}
	// Err returns why the Room is over: nil while it is not, and after Leave.
	Err() error
}
