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
	// ReplaceTrack swaps the source, without a freeze: the old source is sent until the new one has a key frame. The
	// others have the same RemoteTrack all the time. Nil pauses, which the others see as muted.
	//
	// The new source may have another codec. Then a further media section is negotiated (RFC 9429) with each peer that
	// has none for it yet, and each peer is sent the old source until the new one flows there: for up to 8 seconds,
	// and longer while the new source has not begun, so leave the old one running until it is unbound. A peer that does
	// not take the codec loses the track ([TrackRefused]), and has it again when a source comes that it takes. A track
	// that several codecs can carry is sent in the sender's own, if that is one of them.
	//
	// A track of another kind, or of a codec that is neither one of noom's nor in [Config].Codecs, gives [ErrCodec].
	// Other errors: [ErrClosed]; those of the track. After an error nothing has changed.
	ReplaceTrack(t webrtc.TrackLocal) error
	// SetMuted stops media, or lets it flow again, and informs the others.
	SetMuted(muted bool) error
	// Muted reports what SetMuted set last.
	Muted() bool
	// Receivers returns how many peers the track goes to now: those with which it is negotiated, and whose connection
	// takes it. What a source makes while there are none is lost, so sound that must not lose its beginning waits for one.
	// A muted sender has them too.
	Receivers() int
	// Close unpublishes the track. It may be called more than once.
	Close() error
}

// Priority ranks the pictures that this member sends: what a connection takes goes to the higher ones first.
type Priority int

// The priorities. Others between and beyond them count too.
const (
	PriorityLow    Priority = -1
	PriorityNormal Priority = 0
	PriorityHigh   Priority = 1 // such as a screen that has to be readable beside a camera
)

// BitrateController is implemented by a TrackLocal whose encoder can be told how much to make, such as those of package
// media/capture. noom tells it what the connections to the peers take, so that nobody gets more than that. A track that
// is none sends what it makes; a peer whose connection takes less does not get it ([SenderPaused]). So does one that has
// the method, and one called FollowsTarget() bool that returns false.
type BitrateController interface {
	// SetTargetBitrate says how many bits per second the encoder is to make from now on, on average over a second, without
	// packet headers: at least the MinBitrate and at most the MaxBitrate of its [Encoding]. It is called when the track
	// begins to be sent, and then at most twice a second. It may be called from any goroutine, one call at a time; it
	// should return soon, because the next call waits for that.
	SetTargetBitrate(bps int)
}

// Encoding is one of several sizes in which a track is sent. All of them have the same kind and codec.
type Encoding struct {
	// Track makes the packets. It is bound only while some peer gets this encoding, and again when that changes, so that
	// an encoder runs only while somebody needs it. The first packet after that should begin a key frame.
	Track webrtc.TrackLocal
	// Height is that of the picture, in pixels. A peer that shows a smaller picture ([RemoteTrack].Want) gets the lowest
	// encoding that is as high. 0: not known, which counts as smaller than any.
	Height int
	// MaxBitrate and MinBitrate are the bounds for [BitrateController], in bits per second without packet headers. A
	// peer whose connection takes less than MinBitrate gets the next encoding, and nothing of the last.
	//
	// MaxBitrate 0: by height, 4 Mbit/s for more than 720 pixels, 2 Mbit/s for more than 480, 1 Mbit/s for more than
	// 360, 500 kbit/s for more than 180, and 200 kbit/s; 2.5 Mbit/s if it is not known; 64 kbit/s for sound.
	//
	// MinBitrate 0: the MaxBitrate of the next encoding, which looks better with so much; of the last one a tenth of its
	// MaxBitrate, within 30 and 100 kbit/s; 16 kbit/s for sound.
	MaxBitrate, MinBitrate int
}

// Layered is implemented by a TrackLocal that brings its own encodings: Publish of it is like Publish with them.
type Layered interface {
	// Encodings returns them, best first, up to 8. The first one's Track may be the track itself.
	Encodings() []Encoding
}

// PublishOptions says how a track is published; nil works.
type PublishOptions struct {
	// Name is the name that the others see: "camera", "microphone", "screen", … Up to 128 bytes. Empty: camera for
	// video, microphone for audio; of what [Forward] returns, the source's.
	Name string
	// Muted publishes the track muted: nothing is sent until [Sender.SetMuted].
	Muted bool
	// Priority ranks this track among those with pictures; sound comes before all of them. Tracks of one priority share
	// what there is. A later one keeps its MinBitrate, as far as there is enough.
	Priority Priority
	// Encodings are the sizes in which the track is sent, best first, up to 8, of which the first one's Track is the one
	// to publish. Empty: those of a track that is [Layered], otherwise one.
	//
	// With one encoding all peers get the same: what the slowest of them takes, so that nobody's picture stands still.
	// A peer that takes less than MinBitrate, or, among five peers and more, less than half of what the slower ones take,
	// gets no picture meanwhile and slows down nobody. With several, each peer gets the best that its connection takes
	// and that it shows; the lower ones are made only while some peer needs them. So two are enough for any number of
	// peers.
	Encodings []Encoding
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
