package noom

import (
	"context"
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
	// Codec returns the codec of the latest packet. It is empty until the first one and may change, when the peer swaps
	// its source: from a packet on that has another SSRC and PayloadType and begins a key frame. Packets from before that
	// may still wait for ReadRTP; their PayloadType is not that of Codec.
	Codec() webrtc.RTPCodecParameters
	// Muted reports whether the peer sends nothing: it has muted or paused the track, or its source has ended.
	Muted() bool
	// Paused reports whether the peer sends us nothing of the track, because the connection takes too little for it. It
	// comes back by itself; see [TrackPaused].
	Paused() bool
	// ReadRTP returns the next packet, and waits until there is one; io.EOF once the track is gone. noom reads all the
	// time into a ring of 512 packets that drops the oldest, so a slow reader sees gaps in the sequence numbers. Header
	// extensions have the ids that were negotiated, except the dependency descriptor, which has id 255, as in what a
	// [webrtc.TrackLocal] writes: published again, a track keeps its layers.
	//
	// A packet with another SSRC than the one before begins anew: its sequence number and timestamp have nothing to do
	// with those before, and the clock rate may be another. That is so when the peer swaps its source for one of another
	// codec, and when a browser's connection is replaced. Give such a packet to a new jitter buffer (of pion, a new
	// samplebuilder.SampleBuilder): one that has seen the numbers before takes it for one that comes far too late.
	ReadRTP() (*rtp.Packet, error)
	// ReadRTPContext is ReadRTP until ctx ends. Errors: io.EOF, ctx's.
	ReadRTPContext(ctx context.Context) (*rtp.Packet, error)
	// Dropped returns how many packets ReadRTP will never return, because it was called too late: they had to make room
	// for newer ones. A track that nobody reads drops all but the last 512.
	Dropped() int
	// Packets yields what ReadRTP returns, until the track is gone.
	Packets() iter.Seq[*rtp.Packet]
	// Tap returns a reader with a ring of its own, alongside ReadRTP and other taps. Each of them gets all packets; a
	// tap begins with those that wait for ReadRTP when it is made. They share the packets, so no reader may change
	// one. Close a tap when it is no longer needed; otherwise it costs its ring until the track ends.
	Tap() PacketReader
	// AudioLevel returns how loud the latest packet was, as its sender reports it (RFC 6464), in dBov, from -127
	// (silence) to 0 (the loudest); false if the sender does not report it.
	AudioLevel() (dBov int, ok bool)
	// Done returns a channel that is closed when the track is gone.
	Done() <-chan struct{}
	// Want says how large the track is shown, so that its sender need not make and send more. height is that of the
	// largest picture, in pixels of the screen, up to 16384; 0: it is shown or played nowhere, and the peer stops sending
	// it; negative, or more than 16384: all of it is wanted, as at first. Of sound only 0 counts. It holds until the next
	// call, through rebuilds. The peer learns of a change at once, or half a second after the one before, and decides
	// what it sends: a client that does not know of this, and a source that has nothing smaller, go on as before. A track
	// that is not wanted is neither muted nor gone. ReadRTP returns what is still on its way, and then waits until the
	// track is wanted again; a video begins again with a key frame. A bot that only listens calls Want(0) for each video
	// in [TrackAdded], and costs its peers no picture.
	//
	// If the peer sends several sizes anyway, ReadRTP returns one stream of the one that is wanted, without a break. Of
	// several encodings (RFC 8853), at most 4 and the smallest first, that is the smallest that is high enough, or else
	// the largest that comes. Of spatial layers in one stream (VP9, AV1 with the dependency descriptor), if it says how
	// high they are, it is those up to that layer. It returns none for 0. Another encoding, and a higher layer, begin with
	// a key frame, which is asked for at most twice a second. A packet may have no payload.
	Want(height int)
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
	// ReadRTPContext is ReadRTP until ctx ends. Errors: io.EOF, ctx's.
	ReadRTPContext(ctx context.Context) (*rtp.Packet, error)
	// Dropped returns how many packets this reader has missed since it was made, because it read too late.
	Dropped() int
	// Close ends the reader, and a ReadRTP that waits. It may be called more than once, and never fails.
	Close() error
}
