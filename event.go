package noom

import (
	"fmt"
	"log/slog"
	"reflect"
	"time"
)

// Event is something that happened in a room: one of the structs below.
type Event interface{ event() }

type (
	// PeerJoined says that somebody is in the room; Existing: was there before us.
	PeerJoined struct {
		Peer     Peer
		Existing bool
	}
	// PeerLeft says that somebody is gone, and its Peer closed.
	PeerLeft struct {
		Member Member
		Reason Reason
	}
	// PeerRenamed says that Peer.Name was Old before.
	PeerRenamed struct {
		Peer Peer
		Old  string
	}
	// PeerStateChanged tells the connection's state; Err why it is not connected.
	PeerStateChanged struct {
		Peer  Peer
		State PeerState
		Err   error
	}
	// TrackAdded says that the peer sends a further track.
	TrackAdded struct {
		Peer  Peer
		Track RemoteTrack
	}
	// TrackRemoved says that the peer sends it no longer; its ReadRTP gives io.EOF.
	TrackRemoved struct {
		Peer  Peer
		Track RemoteTrack
	}
	// TrackMuted says that the peer muted or unmuted it.
	TrackMuted struct {
		Peer  Peer
		Track RemoteTrack
		Muted bool
	}
	// TrackRefused says that this peer does not get what Sender sends: it does
	// not know the codec, or the two share too many tracks already. The other
	// tracks and peers are not disturbed.
	TrackRefused struct {
		Peer   Peer
		Sender Sender
		Codec  string // MIME type, such as video/AV1
		Err    error  // ErrCodec or ErrTooMany
	}
	// ActiveSpeaker says who of the others is speaking now; Peer is nil when
	// nobody is. It follows from the audio levels that come with the sound (RFC
	// 6464), so nothing is decoded: whoever sends none, or is muted, is silent.
	// A cough, a pause and a short word of somebody else change nothing.
	ActiveSpeaker struct{ Peer Peer }
	// SourceEnded says that the track that a Sender of ours sends has ended by
	// itself: a camera was unplugged, and Err says so, or a file is over and Err is
	// nil. The call goes on; the Sender is silent until ReplaceTrack. It is told of
	// tracks that have the methods Done() <-chan struct{} and Err() error, as those of
	// the packages media and media/capture.
	SourceEnded struct {
		Sender Sender
		Err    error
	}
	// ChatReceived is what somebody else said; At is the hub's clock.
	ChatReceived struct {
		From Member
		Text string
		At   time.Time
	}
	// DataReceived is what a peer sent with Send; its PeerConnected came before.
	// Taking the event acknowledges it.
	DataReceived struct {
		Peer Peer
		Data []byte
	}
	// ChannelOpened is a channel that the peer opened with OpenChannel. At most 64
	// of its channels are open, or wait for Next, at a time.
	ChannelOpened struct {
		Peer    Peer
		Channel Channel
	}
	// MuteRequested says that By asks us to mute our track of that name, all of
	// them if it is empty. What becomes of it is the application's to decide.
	MuteRequested struct {
		By    Member
		Track string
	}
	// RoomLocked says that nobody can join any more, or can again; By is zero
	// where it was the hub's owner, or happened while there was no hub.
	RoomLocked struct {
		Locked bool
		By     Member
	}
	// SignalingLost says that there is no hub; calls go on, and noom redials.
	SignalingLost struct{ Err error }
	// SignalingRestored says that we are back at a hub.
	SignalingRestored struct{}
	// Lagged says how many chat messages were dropped because Next was not called.
	Lagged struct{ Dropped int }
	// Closed says that the room is over, and is the last event; Err as Room.Err.
	Closed struct{ Err error }
)

func (PeerJoined) event()        {}
func (PeerLeft) event()          {}
func (PeerRenamed) event()       {}
func (PeerStateChanged) event()  {}
func (TrackAdded) event()        {}
func (TrackRemoved) event()      {}
func (TrackMuted) event()        {}
func (TrackRefused) event()      {}
func (ActiveSpeaker) event()     {}
func (SourceEnded) event()       {}
func (ChatReceived) event()      {}
func (DataReceived) event()      {}
func (ChannelOpened) event()     {}
func (MuteRequested) event()     {}
func (RoomLocked) event()        {}
func (SignalingLost) event()     {}
func (SignalingRestored) event() {}
func (Lagged) event()            {}
func (Closed) event()            {}

// For logs: what strangers wrote is quoted, and data is a number of bytes.

// String is for logs.
func (e ChatReceived) String() string {
	return fmt.Sprintf("{From:%v Text:%q At:%v}", e.From, e.Text, e.At)
}

// String is for logs.
func (e DataReceived) String() string {
	return fmt.Sprintf("{Peer:%v Data:%d bytes}", e.Peer, len(e.Data))
}

// logged is an event as a group of its fields, with its type.
func logged(e Event) slog.Value {
	v := reflect.ValueOf(e)
	attrs := []slog.Attr{slog.String("type", v.Type().Name())}
	for field, value := range v.Fields() {
		switch x := value.Interface().(type) {
		case nil:
		case []byte:
			attrs = append(attrs, slog.Int(field.Name, len(x)))
		case time.Time, bool, int, string:
			attrs = append(attrs, slog.Any(field.Name, x))
		default: // errors, and what has a String
			attrs = append(attrs, slog.String(field.Name, fmt.Sprint(x)))
		}
	}
	return slog.GroupValue(attrs...)
}

// LogValue implements [slog.LogValuer].
func (e PeerJoined) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e PeerLeft) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e PeerRenamed) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e PeerStateChanged) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e TrackAdded) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e TrackRemoved) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e TrackMuted) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e TrackRefused) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e ActiveSpeaker) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e SourceEnded) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e ChatReceived) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e DataReceived) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e ChannelOpened) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e MuteRequested) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e RoomLocked) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e SignalingLost) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e SignalingRestored) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e Lagged) LogValue() slog.Value { return logged(e) }

// LogValue implements [slog.LogValuer].
func (e Closed) LogValue() slog.Value { return logged(e) }
