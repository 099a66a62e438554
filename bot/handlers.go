package bot

import (
	"context"

	"noom"
)

// Handler is a function that is called for an event of a room. Each runs in a goroutine of its own, as [Handlers] says, so
// it may wait: for the network, for a model, for its ctx. It returns soon after ctx has ended.
type Handler[E noom.Event] func(ctx context.Context, room noom.Room, event E)

// Question is what a member asks with [noom.Peer].Ask.
type Question struct {
	Peer  noom.Peer
	Topic string
	Data  []byte
}

// Handlers are called for what happens in the room; any may be nil. One member holds up no other, and one kind no other
// kind: for each member and each field there is one call at a time, in the order of the events, except for Track, Channel
// and Question, which are called at once for each. What a handler shares with others needs a lock.
type Handlers struct {
	// Entered is called each time that the room was entered. ctx ends when that is over. Tracks for everybody are published
	// here, or are in Config.Join.
	Entered func(ctx context.Context, room noom.Room)
	// Joined is called for each member that is there or comes, and may stay as long as the member does: ctx ends when it
	// leaves. Of one that came and left while an earlier call was still busy with it, nothing is reported.
	Joined Handler[noom.PeerJoined]
	// Left is called for each member that has left, once Joined has returned. ctx ends with the room.
	Left Handler[noom.PeerLeft]
	// Connected is called once for each member, when data and media can move for the first time. ctx ends when it leaves.
	Connected Handler[noom.PeerStateChanged]
	// Track is called for each track of a member. ctx ends when the track is gone.
	Track Handler[noom.TrackAdded]
	// Channel is called for each channel that a member opens. ctx ends when the member leaves.
	Channel Handler[noom.ChannelOpened]
	// Chat is called for each message. ctx ends with the room. If more than Config.Backlog of a member wait, the oldest is
	// dropped, and Event gets a [noom.Lagged] that counts them.
	Chat Handler[noom.ChatReceived]
	// Data is called for each message of a member. ctx ends when the member leaves. None is dropped: a member that sends
	// more than is handled waits, after 1 MiB or 4096 messages, because only what a handler has is acknowledged.
	Data Handler[noom.DataReceived]
	// Question is called for each question of a member, up to 64 of each at a time, and returns the answer, or an error: see
	// [noom.QuestionHandler]. Topics that it does not know are for [noom.ErrNotHandled]. ctx ends when nobody wants the
	// answer any longer, or with the room. Questions under topics that have a function by [noom.Room].Handle go there.
	Question func(ctx context.Context, room noom.Room, q Question) ([]byte, error)
	// Event is called for all events that have no field here, one at a time, whatever member they are about. ctx ends with
	// the room. If more than Config.Backlog wait, the oldest is dropped, and counted by a [noom.Lagged].
	Event Handler[noom.Event]
}
