package noom

import (
	"iter"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// RemoteTrack is a track that a peer sends.
type RemoteTrack interface {
	// ID returns the track's id, unique among all tracks of that peer ever.
	ID() string
	// Name returns the name its sender gave it: camera, microphone, screen, …
	Name() string
	// Kind returns audio or video.
	Kind() webrtc.RTPCodecType
	// Codec returns the codec of the latest packet. It is empty until the
	// first one and may change.
	Codec() webrtc.RTPCodecParameters
	// Muted reports whether the peer has muted it.
	Muted() bool
	// ReadRTP returns the next packet and waits for one; io.EOF once the track
	// is gone. noom reads all the time into a ring of 512 packets that drops
	// the oldest, so a slow reader sees gaps in the sequence numbers.
	ReadRTP() (*rtp.Packet, error)
	// Packets is sugar over ReadRTP; it ends with the track.
	Packets() iter.Seq[*rtp.Packet]
	// RequestKeyframe asks the sender for a key frame (PLI, RFC 4585 section 6.3.1).
	RequestKeyframe() error
	// Track returns pion's track, to inspect and never to read; nil while
	// there is no connection.
	Track() *webrtc.TrackRemote
}
