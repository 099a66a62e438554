package noom

import (
	"context"

	"github.com/pion/webrtc/v4"
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
	// State returns the state of the connection.
	State() PeerState
	// Tracks returns what the peer sends now, by track id.
	Tracks() []RemoteTrack
	// Publish sends t to this peer alone; else as [Room.Publish].
	Publish(ctx context.Context, t webrtc.TrackLocal, o *PublishOptions) (Sender, error)
	// Send sends data, up to 61440 bytes, reliably and in order, over rebuilds
	// of the connection too. At most 1 MiB may be on its way to an application
	// that does not take it; beyond that Send blocks until ctx ends.
	Send(ctx context.Context, data []byte) error
	// RestartICE looks for a new path. It returns once the restart is under way.
	RestartICE(ctx context.Context) error
	// Stats returns pion's statistics of the current connection, empty if there is none.
	Stats() webrtc.StatsReport
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
