package noom

import (
	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
)

// Sender is one published track. One source is bound once and its packets go
// to every peer, so an encoder behind it runs once. A source that is an
// [AudioLeveler] also tells them how loud it is.
type Sender interface {
	// Name returns the name chosen at Publish.
	Name() string
	// Kind returns audio or video.
	Kind() webrtc.RTPCodecType
	// Track returns the current source, nil while paused.
	Track() webrtc.TrackLocal
	// ReplaceTrack swaps the source: nothing is negotiated, nothing freezes.
	// The old source is sent until the new one has a key frame. Nil pauses, which
	// the others are told as muted. A track of another kind or codec gives [ErrCodec]
	// and changes nothing.
	ReplaceTrack(t webrtc.TrackLocal) error
	// SetMuted stops media, or lets it flow again, and tells the others.
	SetMuted(muted bool) error
	// Muted reports what SetMuted set last.
	Muted() bool
	// Close unpublishes. It may be called twice.
	Close() error
}

// PublishOptions says how a track is published; nil works.
type PublishOptions struct {
	// Name is what the others see: "camera", "microphone", "screen", … Up to
	// 128 bytes. Empty: camera for video, microphone for audio.
	Name string
	// Muted publishes it muted: nothing is sent until [Sender.SetMuted].
	Muted bool
}

// AudioLeveler is a TrackLocal that knows how loud it is, such as a microphone
// of package media/capture or a sound of package media. It is sent with audio
// levels (RFC 6464), by which the others know who speaks; anything else goes
// without, and is never the [ActiveSpeaker].
type AudioLeveler interface {
	// AudioLevel returns how loud the packet is that is just being written, in
	// dBov: from -127, silence, to 0, the loudest there is; false: not known. It
	// is called for each packet and must be quick.
	AudioLevel() (dBov int, ok bool)
}

var _ Sender = (*fanout.Sender)(nil)
