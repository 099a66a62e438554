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
	// ID returns the track's id, unique among all tracks of that peer ever.
	ID() string
	// Name returns the name its sender gave it: camera, microphone, screen, …
	Name() string
	// Kind returns audio or video.
	Kind() webrtc.RTPCodecType
	// Codec returns the codec of the latest packet. It is empty until the
	// first one and may change.
	Codec() webrtc.RTPCodecParameters
	// Muted reports whether the peer sends nothing of it: it has muted or paused it,
	// or its source has ended.
	Muted() bool
	// ReadRTP returns the next packet and waits for one; io.EOF once the track
	// is gone. noom reads all the time into a ring of 512 packets that drops
	// the oldest, so a slow reader sees gaps in the sequence numbers.
	ReadRTP() (*rtp.Packet, error)
	// Packets is sugar over ReadRTP; it ends with the track.
	Packets() iter.Seq[*rtp.Packet]
	// Tap returns a reader beside ReadRTP and other taps, with a ring of its
	// own: each gets all packets, a tap from those on that wait for ReadRTP
	// when it is made. The packets are shared, so nobody may change one. A tap
	// is to be closed; if it is not, it costs its ring until the track ends.
	Tap() PacketReader
	// AudioLevel returns how loud the latest packet was, as its sender tells
	// (RFC 6464): from -127 dBov, silence, to 0, the loudest there is; false
	// if it does not tell.
	AudioLevel() (dBov int, ok bool)
	// RequestKeyframe asks the sender for a key frame (PLI, RFC 4585 section 6.3.1).
	RequestKeyframe() error
	// SenderTime returns what the peer's clock showed when it sent something of
	// that RTP timestamp: the latest RTCP sender report of packets with that
	// SSRC (RFC 3550 section 6.4.1); false before the first, about a second
	// after the first packet. All tracks of one peer go by one clock.
	SenderTime(ssrc uint32) (at time.Time, timestamp uint32, ok bool)
	// Track returns pion's track, to inspect and never to read; nil while
	// there is no connection.
	Track() *webrtc.TrackRemote
}

var _ RemoteTrack = (*inbound.Track)(nil)

// PacketReader reads a track beside others who do; see [RemoteTrack].
type PacketReader = interface {
	// ReadRTP returns the next packet and waits for one; io.EOF once the track
	// is gone or the reader closed.
	ReadRTP() (*rtp.Packet, error)
	// Close ends the reader and whoever waits in it. It may be called twice,
	// and never fails.
	Close() error
}
