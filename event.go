package noom

import (
	"fmt"
	"log/slog"
	"reflect"
	"time"
)

// Event is something that happened in a room: one of the structs below.
type Event interface{ queueing() queueing }

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

// queueing says what the queue may do with an event that waits: see [eventQueue].
type queueing struct {
	begins, ends any    // what comes, or goes: if both wait, all about it goes unseen
	peer         string // id of whom it is about, empty: nobody; goes with that peer
	track        any    // what it is about; goes with that track
	state        any    // of what it gives the state, of which only the last is kept
	kind         eventKind
}

// eventKind says how the queue counts an event.
type eventKind uint8

const (
	eventKept   eventKind = iota // for as long as nothing cancels it
	eventChat                    // dropped when there are too many events, the oldest first, and counted
	eventAsking                  // of strangers, with names that they choose: only the newest few are kept
	eventLast                    // nothing comes behind it
)

// stateOf is the key of one of the states of a room: of whom or what, and by whom, where there are several.
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

func (e TrackAdded) queueing() queueing {
	return queueing{begins: e.Track, peer: e.Peer.ID(), track: e.Track}
}

func (e TrackRemoved) queueing() queueing {
	return queueing{ends: e.Track, peer: e.Peer.ID(), track: e.Track}
}

func (e TrackMuted) queueing() queueing {
	return queueing{peer: e.Peer.ID(), track: e.Track, state: stateOf{"muted", e.Track, nil}}
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
func (DataReceived) queueing() queueing { return queueing{} } // bounded by credit, and never dropped

func (e ChannelOpened) queueing() queueing { return queueing{peer: e.Peer.ID()} }

func (e MuteRequested) queueing() queueing {
	return queueing{kind: eventAsking, state: stateOf{"mute", e.Track, e.By.ID}}
}

func (RoomLocked) queueing() queueing        { return queueing{state: stateOf{what: "lock"}} }
func (SignalingLost) queueing() queueing     { return queueing{state: stateOf{what: "signaling"}} }
func (SignalingRestored) queueing() queueing { return queueing{state: stateOf{what: "signaling"}} }
func (Lagged) queueing() queueing            { return queueing{} } // made when it is taken
func (Closed) queueing() queueing            { return queueing{kind: eventLast} }

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
		default: // errors, and what has a String
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
func (e TrackAdded) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e TrackRemoved) LogValue() slog.Value { return logValue(e) }

// LogValue implements [slog.LogValuer].
func (e TrackMuted) LogValue() slog.Value { return logValue(e) }

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
