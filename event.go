package noom

import (
	"fmt"
	"log/slog"
	"reflect"
	"time"
)

// Event is something that happened in a room. It is one of these structs:
//
//   - about members: [PeerJoined], [PeerLeft], [PeerRenamed], [PeerStateChanged], [QualityChanged], [ActiveSpeaker]
//   - about media: [TrackAdded], [TrackRemoved], [TrackMuted], [TrackPaused], [SenderPaused], [TrackRefused],
//     [SourceEnded], [MuteRequested]
//   - messages: [ChatReceived], [DataReceived], [ChannelOpened], [FileOffered], [Lagged]
//   - the room's state: [StateChanged], [AttributesChanged]
//   - about the room and the hub: [RoomLocked], [SignalingLost], [SignalingRestored], [Closed]
type Event interface{ queueing() queueing }

type (
	// PeerJoined says that another member is in the room. Existing: it was there before us.
	PeerJoined struct {
		Peer     Peer
		Existing bool
	}
	// PeerLeft says that a member is gone and its Peer is closed.
	PeerLeft struct {
		Member Member
		Reason Reason
	}
	// PeerRenamed says that the peer has changed its name; Old is the one before.
	PeerRenamed struct {
		Peer Peer
		Old  string
	}
	// PeerStateChanged says that the connection to a peer is in another state; Err says why it is not connected.
	PeerStateChanged struct {
		Peer  Peer
		State PeerState
		Err   error
	}
	// QualityChanged says that the connection to a peer is better or worse than before.
	QualityChanged struct {
		Peer    Peer
		Quality Quality
	}
	// TrackAdded says that the peer sends another track.
	TrackAdded struct {
		Peer  Peer
		Track RemoteTrack
	}
	// TrackRemoved says that the peer no longer sends a track; its ReadRTP returns io.EOF.
	TrackRemoved struct {
		Peer  Peer
		Track RemoteTrack
	}
	// TrackMuted says that the peer has muted or unmuted a track.
	TrackMuted struct {
		Peer  Peer
		Track RemoteTrack
		Muted bool
	}
	// TrackPaused says that the peer no longer sends us a track, because the connection takes too little for it, or that
	// it does again: from 2 s after the connection takes enough. What others get of the track is not affected, nor is
	// what is muted. Nothing of this follows from [RemoteTrack].Want.
	TrackPaused struct {
		Peer   Peer
		Track  RemoteTrack
		Paused bool
	}
	// SenderPaused says that this peer no longer gets what Sender sends, because the connection to it takes too little,
	// or that it does again: what the peer sees as [TrackPaused], if its noom knows that. The other peers still get it. A
	// picture that the peer does not show is not sent either, of which there is no event.
	SenderPaused struct {
		Peer   Peer
		Sender Sender
		Paused bool
	}
	// TrackRefused says that this peer does not get what Sender sends: it does not know the codec, or too many tracks
	// are shared with it already. Other tracks and peers are not affected. After a [Sender].ReplaceTrack by a track of
	// another codec it is tried again.
	TrackRefused struct {
		Peer   Peer
		Sender Sender
		Codec  string // MIME type, such as video/AV1
		Err    error  // ErrCodec or ErrTooMany
	}
	// ActiveSpeaker says which peer is speaking now; Peer is nil if none is. It follows from the audio levels that come
	// with the sound (RFC 6464), so nothing is decoded: a peer that sends no levels, or is muted, is silent. A cough, a
	// pause or a short word of another peer changes nothing.
	ActiveSpeaker struct{ Peer Peer }
	// SourceEnded says that the source of one of our Senders has ended by itself: a camera was unplugged, and Err says
	// so, or a file is over, and Err is nil. The call goes on; the Sender is silent until ReplaceTrack. noom notices
	// the end of tracks that have the methods Done() <-chan struct{} and Err() error, such as those of the packages
	// media and media/capture.
	SourceEnded struct {
		Sender Sender
		Err    error
	}
	// ChatReceived is a chat message of another member, or one that this member has said in an earlier session.
	ChatReceived struct {
		From Member // it may have gone; its Name is what it called itself then
		Text string
		At   time.Time // by the hub's clock; the same as Sent if it did not come by the hub
		Sent time.Time // by From's clock, which From has signed; zero unless Signed
		// Signed says that From has signed the message. Others are the hub's word. Of a member that signs, no others come.
		Signed bool
		// History says that the message was said before we came, or while we missed it: other members have kept it (see
		// Config.History), or it comes late. Its place is among what was said before, by Sent.
		History bool
		// Missing is how many messages From had said or seen before this one which have not come, as when a hub drops them.
		// If other members have them, they follow with History set. From may also have given them up.
		Missing int
	}
	// DataReceived is a message that a peer sent with Send or SendTopic. It comes after the event that says that the peer is
	// connected. Taking the event acknowledges the message.
	DataReceived struct {
		Peer  Peer
		Topic string // of up to 128 bytes, which the peer has chosen; empty: the message has none
		Data  []byte
	}
	// ChannelOpened is a channel that the peer opened with OpenChannel. At most 64 of a peer's channels are open, or
	// wait for Next, at a time.
	ChannelOpened struct {
		Peer    Peer
		Channel Channel
	}
	// FileOffered is a file that the peer wants to send: nothing of it comes unless File is accepted. 16 offers of a peer
	// may wait for a decision, or for Next.
	FileOffered struct {
		Peer Peer
		File OfferedFile
	}
	// StateChanged says that another member has changed what [Room].State shows under a key, by writing, deleting,
	// coming or leaving. Value is nil if nothing shows now, and empty, not nil, if an empty value does. By has written
	// Value or, if that is nil, deleted it or left. What this member writes is not reported to itself.
	StateChanged struct {
		Key   string
		Value []byte
		By    Member
	}
	// AttributesChanged says that [Peer].Attributes returns something else. The first ones come after [PeerJoined].
	AttributesChanged struct{ Peer Peer }
	// MuteRequested says that By asks us to mute our track of that name, or all tracks if it is empty. The application
	// decides.
	MuteRequested struct {
		By    Member
		Track string
	}
	// RoomLocked says that the room admits no newcomers, or admits them again. By is zero if the hub's owner did it, or
	// if it happened while we had no hub.
	RoomLocked struct {
		Locked bool
		By     Member
	}
	// SignalingLost says that the connection to the hub is lost; calls go on, and noom redials.
	SignalingLost struct{ Err error }
	// SignalingRestored says that there is a connection to a hub again.
	SignalingRestored struct{}
	// Lagged says how many chat messages, and changes of the room's state beyond 4096 keys, were dropped because Next was
	// not called in time. [Room].State has all that shows.
	Lagged struct{ Dropped int }
	// Closed says that the room is over; Err is that of Room.Err. It is the last event.
	Closed struct{ Err error }
)

// queueing says what the queue may do with an event that waits: see [eventQueue].
type queueing struct {
	begins, ends any    // what comes, or goes: if both events wait, all events about it are dropped
	peer         string // id of the peer that it is about, empty: none; dropped with that peer
	track        any    // the track that it is about; dropped with that track
	state        any    // the key of the state that it reports; only the last of a state is kept
	kind         eventKind
}

// eventKind says how the queue counts an event.
type eventKind uint8

const (
	eventKept   eventKind = iota // kept as long as nothing cancels it
	eventChat                    // dropped when there are too many events, the oldest first, and counted
	eventAsking                  // from other members, about names that they choose: only the newest few are kept
	eventEntry                   // about a key that other members choose: only those of the newest few are kept, and counted
)

// stateOf is the key of one state in a room: which state, of which object and, where that matters, by which.
type stateOf struct {
	what   string
	of, by any
}

func (e PeerJoined) queueing() queueing {
	return queueing{begins: e.Peer.ID(), peer: e.Peer.ID()}
}

func (e PeerLeft) queueing() queueing {
	return queueing{ends: e.Member.ID, peer: e.Member.ID}
}

func (e PeerRenamed) queueing() queueing {
	return queueing{peer: e.Peer.ID(), state: stateOf{"name", e.Peer.ID(), nil}}
}

func (e PeerStateChanged) queueing() queueing {
	return queueing{peer: e.Peer.ID(), state: stateOf{"connection", e.Peer, nil}}
}

func (e QualityChanged) queueing() queueing {
	return queueing{peer: e.Peer.ID(), state: stateOf{"quality", e.Peer, nil}}
}

func (e TrackAdded) queueing() queueing {
	return queueing{begins: e.Track, peer: e.Peer.ID(), track: e.Track}
}

func (e TrackRemoved) queueing() queueing {
	return queueing{ends: e.Track, peer: e.Peer.ID(), track: e.Track}
}

func (e TrackMuted) queueing() queueing {
	return queueing{peer: e.Peer.ID(), track: e.Track, state: stateOf{"muted", e.Track, nil}}
}

func (e TrackPaused) queueing() queueing {
	return queueing{peer: e.Peer.ID(), track: e.Track, state: stateOf{"paused", e.Track, nil}}
}

func (e SenderPaused) queueing() queueing {
	return queueing{peer: e.Peer.ID(), state: stateOf{"sends", e.Peer, e.Sender}}
}

func (e TrackRefused) queueing() queueing {
	return queueing{peer: e.Peer.ID(), state: stateOf{"refused", e.Peer, e.Sender}}
}

func (e ActiveSpeaker) queueing() queueing {
	q := queueing{state: stateOf{what: "speaker"}}
	if e.Peer != nil {
		q.peer = e.Peer.ID()
	}
	return q
}

func (e SourceEnded) queueing() queueing {
	return queueing{state: stateOf{"source", e.Sender, nil}}
}

func (ChatReceived) queueing() queueing { return queueing{kind: eventChat} }
func (DataReceived) queueing() queueing { return queueing{} } // never dropped, because credit bounds it

func (e ChannelOpened) queueing() queueing { return queueing{peer: e.Peer.ID()} }

func (e FileOffered) queueing() queueing { return queueing{peer: e.Peer.ID()} }

func (e MuteRequested) queueing() queueing {
	return queueing{kind: eventAsking, state: stateOf{"mute", e.Track, e.By.ID}}
}

func (e StateChanged) queueing() queueing {
	return queueing{kind: eventEntry, state: stateOf{"entry", e.Key, nil}}
}

func (e AttributesChanged) queueing() queueing {
	return queueing{peer: e.Peer.ID(), state: stateOf{"attributes", e.Peer.ID(), nil}}
}

func (RoomLocked) queueing() queueing        { return queueing{state: stateOf{what: "lock"}} }
func (SignalingLost) queueing() queueing     { return queueing{state: stateOf{what: "signaling"}} }
func (SignalingRestored) queueing() queueing { return queueing{state: stateOf{what: "signaling"}} }
func (Lagged) queueing() queueing            { return queueing{} } // made when it is taken
func (Closed) queueing() queueing            { return queueing{} } // nothing comes after it

// For logs: text from others is quoted, and data is a number of bytes.

// String is for logs.
func (e ChatReceived) String() string {
	return fmt.Sprintf("{From:%v Text:%q At:%v Sent:%v Signed:%v History:%v Missing:%d}",
		e.From, e.Text, e.At, e.Sent, e.Signed, e.History, e.Missing)
}

// String is for logs.
func (e DataReceived) String() string {
	return fmt.Sprintf("{Peer:%v Topic:%q Data:%d bytes}", e.Peer, e.Topic, len(e.Data))
}

// String is for logs.
func (e StateChanged) String() string {
	return fmt.Sprintf("{Key:%q Value:%d bytes By:%v}", e.Key, len(e.Value), e.By)
}

// logValue returns an event as a group of its fields, with its type.
func logValue(e Event) slog.Value {
	v := reflect.ValueOf(e)
	attrs := []slog.Attr{slog.String("type", v.Type().Name())}
	for field, value := range v.Fields() {
		switch x := value.Interface().(type) {
		case nil:
		case []byte:
			attrs = append(attrs, slog.Int(field.Name, len(x)))
		case time.Time, bool, int, string:
			attrs = append(attrs, slog.Any(field.Name, x))
		default: // errors, and values with a String method
			attrs = append(attrs, slog.String(field.Name, fmt.Sprint(x)))
		}
	}
	return slog.GroupValue(attrs...)
}

// LogValue implements [slog.LogValuer].
func (e PeerJoined) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e PeerLeft) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e PeerRenamed) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e PeerStateChanged) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e QualityChanged) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e TrackAdded) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e TrackRemoved) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e TrackMuted) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e TrackPaused) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e SenderPaused) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e TrackRefused) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e ActiveSpeaker) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e SourceEnded) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e ChatReceived) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e DataReceived) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e ChannelOpened) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e FileOffered) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e StateChanged) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e AttributesChanged) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e MuteRequested) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e RoomLocked) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e SignalingLost) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e SignalingRestored) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e Lagged) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e Closed) LogValue() slog.Value { return logValue(e) }
