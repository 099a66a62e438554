package noom

import (
	"iter"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/inbound"
)

// RemoteTrack is a track that a peer sends.
type RemoteTrack interface {
	// ID returns the track's id, unique among all tracks that the peer ever sends.
	ID() string
	// Name returns the name that the peer gave it: camera, microphone, screen, …
	Name() string
	// Kind returns audio or video.
	Kind() webrtc.RTPCodecType
	// Codec returns the codec of the latest packet. It is empty until the first one and may change.
	Codec() webrtc.RTPCodecParameters
	// Muted reports whether the peer sends nothing: it has muted or paused the track, or its source has ended.
	Muted() bool
	// ReadRTP returns the next packet, and waits until there is one; io.EOF once the track is gone. noom reads all the
	// time into a ring of 512 packets that drops the oldest, so a slow reader sees gaps in the sequence numbers.
	ReadRTP() (*rtp.Packet, error)
	// Packets yields what ReadRTP returns, until the track is gone.
	Packets() iter.Seq[*rtp.Packet]
	// Tap returns a reader with a ring of its own, alongside ReadRTP and other taps. Each of them gets all packets; a
	// tap begins with those that wait for ReadRTP when it is made. They share the packets, so no reader may change
	// one. Close a tap when it is no longer needed; otherwise it costs its ring until the track ends.
	Tap() PacketReader
	// AudioLevel returns how loud the latest packet was, as its sender reports it (RFC 6464), in dBov, from -127
	// (silence) to 0 (the loudest); false if the sender does not report it.
	AudioLevel() (dBov int, ok bool)
	// RequestKeyframe asks the sender for a key frame (PLI, RFC 4585 section 6.3.1).
	RequestKeyframe() error
	// SenderTime returns the time on the peer's clock at which it sent something with that RTP timestamp, from the
	// latest RTCP sender report about packets with that SSRC (RFC 3550 section 6.4.1); false before the first report,
	// about a second after the first packet. All tracks of one peer use one clock.
	SenderTime(ssrc uint32) (at time.Time, timestamp uint32, ok bool)
	// Track returns pion's track, to inspect and never to read; nil while there is no connection.
	Track() *webrtc.TrackRemote
}

var _ RemoteTrack = (*inbound.Track)(nil)

// PacketReader reads a track alongside other readers; see [RemoteTrack].
type PacketReader = interface {
	// ReadRTP returns the next packet, and waits until there is one; io.EOF once the track is gone or the reader is
	// closed.
	ReadRTP() (*rtp.Packet, error)
	// Close ends the reader, and a ReadRTP that waits. It may be called more than once, and never fails.
	Close() error
}
