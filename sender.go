package noom

import "github.com/pion/webrtc/v4"

// Sender is one published track. One source is bound once and its packets go
// to every peer, so an encoder behind it runs once.
type Sender interface {
	// Name returns the name chosen at Publish.
	Name() string
	// Kind returns audio or video.
	Kind() webrtc.RTPCodecType
	// Track returns the current source, nil while paused.
	Track() webrtc.TrackLocal
	// ReplaceTrack swaps the source: nothing is negotiated, nothing freezes.
	// The old source is sent until the new one has a key frame. Nil pauses. A
	// track of another kind or codec gives [ErrCodec] and changes nothing.
	ReplaceTrack(t webrtc.TrackLocal) error
	// SetMuted stops media, or lets it flow again, and tells the others.
	SetMuted(muted bool) error
	// Muted reports what SetMuted set last.
	Muted() bool
	// Close unpublishes. It may be called twice.
	Close() error
}
