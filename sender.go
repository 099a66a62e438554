package noom

import (
	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
)

// Sender is a published track. Its source is bound once and the packets go to every peer, so an encoder behind it runs
// once. A source that implements [AudioLeveler] also sends them its audio level.
type Sender interface {
	// Name returns the name chosen at Publish.
	Name() string
	// Kind returns audio or video.
	Kind() webrtc.RTPCodecType
	// Track returns the current source, nil while paused.
	Track() webrtc.TrackLocal
	// ReplaceTrack swaps the source, without negotiation and without a freeze: the old source is sent until the new
	// one has a key frame. Nil pauses, which the others see as muted. A track of another kind or codec gives
	// [ErrCodec] and changes nothing.
	ReplaceTrack(t webrtc.TrackLocal) error
	// SetMuted stops media, or lets it flow again, and informs the others.
	SetMuted(muted bool) error
	// Muted reports what SetMuted set last.
	Muted() bool
	// Close unpublishes the track. It may be called more than once.
	Close() error
}

// PublishOptions says how a track is published; nil works.
type PublishOptions struct {
	// Name is the name that the others see: "camera", "microphone", "screen", … Up to 128 bytes. Empty: camera for
	// video, microphone for audio.
	Name string
	// Muted publishes the track muted: nothing is sent until [Sender.SetMuted].
	Muted bool
}

// AudioLeveler is implemented by a TrackLocal that knows how loud it is, such as a microphone of package media/capture
// or a sound of package media. Its packets carry audio levels (RFC 6464), by which the others know which peer speaks.
// Any other source is sent without levels, and its sender is never the [ActiveSpeaker].
type AudioLeveler interface {
	// AudioLevel returns how loud the packet is that is being written, in dBov, from -127 (silence) to 0 (the
	// loudest); false if that is not known. It is called for each packet and must be quick.
	AudioLevel() (dBov int, ok bool)
}

var _ Sender = (*fanout.Sender)(nil)
