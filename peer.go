package noom

import (
	"context"
	"fmt"

	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
	"noom/internal/mailbox"
	"noom/internal/recovery"
	"noom/signal"
)

// PeerState is how a connection to a peer does.
type PeerState int

// The states of a [Peer]. Connected means that data or media can move.
const (
	PeerConnecting  PeerState = iota // never connected yet
	PeerConnected                    // data channels are open
	PeerInterrupted                  // nothing arrives; being repaired
	PeerFailed                       // repair failed so far; being rebuilt, with growing pauses
	PeerClosed                       // gone for good
)

// Peer is somebody else in the room and the connection to them. It stays the
// same object over restarts and rebuilds of the connection.
type Peer interface {
	// ID returns the member id, which follows from its public key.
	ID() string
	// Name returns the nickname, which may change and need not be unique.
	Name() string
	// Member returns who it is.
	Member() Member
	// SafetyNumber returns what both ends compare over another way, to know
	// that they are each other's peer: see [SafetyNumberOf].
	SafetyNumber() SafetyNumber
	// State returns the state of the connection.
	State() PeerState
	// Tracks returns what the peer sends now, by name.
	Tracks() []RemoteTrack
	// Publish sends t to this peer alone; else as [Room.Publish].
	Publish(ctx context.Context, t webrtc.TrackLocal, o *PublishOptions) (Sender, error)
	// Send sends data, up to 61440 bytes, reliably and in order, over rebuilds
	// of the connection too. What is sent before there is a connection, or while
	// there is none, waits for one. At most 1 MiB and 4096 messages may be on their way
	// to an application that does not take them; beyond that Send blocks until ctx
	// ends. What it has accepted arrives, unless the peer goes, or [Room].Leave
	// says that it did not. Errors: [ErrTooBig], [ErrClosed], ctx's.
	Send(ctx context.Context, data []byte) error
	// TrySend is Send that never waits: where Send would block it returns
	// [ErrWouldBlock], and the peer does not get data.
	TrySend(data []byte) error
	// OpenChannel opens a data channel of your own and returns when it is open;
	// the peer gets it as [ChannelOpened]. Labels are up to 128 bytes and need
	// not be unique. Errors: [ErrNotConnected], [ErrClosed], ctx's.
	OpenChannel(ctx context.Context, label string, o *ChannelOptions) (Channel, error)
	// RequestMute asks the peer to mute its tracks of that name, all of them if
	// it is empty; its application decides ([MuteRequested]). It takes
	// [RightMute] and returns once the hub has passed it on. Errors:
	// [ErrForbidden], and a [*signal.Error] with code no_such_member.
	RequestMute(ctx context.Context, track string) error
	// RestartICE looks for a new path, and returns once that is under way. A
	// restart (RFC 8445 section 9) cannot travel over the connection that it
	// restarts; where no hub reaches the peer, a new connection is made over the
	// old one, which serves until the new one is up. Errors: [ErrNotConnected],
	// [ErrNoHub], with neither a hub nor a connection that works, [ErrClosed], ctx's.
	RestartICE(ctx context.Context) error
	// Stats returns pion's statistics of the current connection, empty if there
	// is none, with packets, bytes and loss of each RTP stream: those of webrtc-stats'
	// InboundRTPStreamStats and OutboundRTPStreamStats that noom counts itself.
	Stats() webrtc.StatsReport
	// Diagnose says why the peer is connected or is not, in words and as a
	// [Verdict]. It looks at what is known and waits for nothing on the network.
	// Errors: [ErrClosed], ctx's.
	Diagnose(ctx context.Context) (Diagnosis, error)
	// Connection returns the current connection, nil between two. It is an
	// escape hatch, to look and not to negotiate; a rebuild replaces it.
	Connection() *webrtc.PeerConnection
}

// String returns the state in lower case.
func (s PeerState) String() string {
	switch s {
	case PeerConnecting:
		return "connecting"
	case PeerConnected:
		return "connected"
	case PeerInterrupted:
		return "interrupted"
	case PeerFailed:
		return "failed"
	case PeerClosed:
		return "closed"
	}
	return "unknown"
}

// A link is the Peer that users see.
var _ Peer = (*link)(nil)

// String is for logs, as are those of room, sender and Track: printed
// without them, events would show addresses, and a peer all its insides,
// read without a lock.
func (l *link) String() string { return l.Member().String() }

func (l *link) ID() string { return l.member.ID }

func (l *link) Name() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.name
}

func (l *link) setName(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name = name
}

func (l *link) Member() Member {
	m := l.member
	l.mu.Lock()
	defer l.mu.Unlock()
	m.Name, m.Rights = l.name, l.rights
	return m
}

func (l *link) SafetyNumber() SafetyNumber { return SafetyNumberOf(l.room.self, l.member) }

func (l *link) State() PeerState {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return PeerClosed
	}
	return l.state
}

func (l *link) Tracks() []RemoteTrack {
	list := l.tracks.List()
	tracks := make([]RemoteTrack, len(list))
	for i, t := range list {
		tracks[i] = t
	}
	return tracks
}

func (l *link) Publish(ctx context.Context, t webrtc.TrackLocal, o *PublishOptions) (Sender, error) {
	if o == nil {
		o = &PublishOptions{}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.State() == PeerClosed {
		return nil, ErrClosed
	}
	if !l.room.May(RightPublish) {
		return nil, fmt.Errorf("noom: publish: %w", ErrForbidden)
	}
	name := signal.CleanName(o.Name)
	if err := signal.CheckName(name); err != nil {
		return nil, fmt.Errorf("noom: publish: %w", err)
	}
	var s *fanout.Sender
	s, err := fanout.NewSender(t, fanout.Options{Name: name, Muted: o.Muted}, fanout.Hooks{
		OnChange: l.retable, OnEnd: l.room.sourceEnded, OnClose: func() { l.unpublish(s) },
	})
	if err != nil {
		return nil, err
	}
	l.publishAlone(s)
	return s, nil
}

func (l *link) Send(ctx context.Context, data []byte) error {
	err := l.stream.Send(ctx, data)
	if err == nil {
		l.kick()
	}
	return err
}

func (l *link) TrySend(data []byte) error {
	err := l.stream.TrySend(data)
	if err == nil {
		l.kick()
	}
	return err
}

// kick makes the loop look for data to send.
func (l *link) kick() { l.mail.Post(func() {}) }

func (l *link) RequestMute(ctx context.Context, track string) error {
	track = signal.CleanName(track)
	if err := signal.CheckName(track); err != nil {
		return signal.Errorf(signal.CodeMalformed, signal.TypeMute, "noom: mute request: %v", err)
	}
	return l.room.requests.ask(ctx, signal.Message{Type: signal.TypeMute, To: l.member.ID, Name: track})
}

func (l *link) RestartICE(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	begun, err := mailbox.Ask(ctx, l.mail, l.restart)
	if err != nil {
		return err
	}
	return begun
}

// restart begins the restart that the user asked for.
func (l *link) restart() error {
	var refused recovery.Refusal
	err := l.happen(func(m *recovery.Machine) (actions []recovery.Action) {
		actions, refused = m.Restart()
		return actions
	})
	switch refused {
	case recovery.IsClosed:
		return ErrClosed
	case recovery.NotConnected:
		return ErrNotConnected
	case recovery.NoHub:
		return ErrNoHub
	case recovery.NotRefused:
	}
	return err
}

func (l *link) Connection() *webrtc.PeerConnection {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown == nil {
		return nil
	}
	return l.shown.PC
}
