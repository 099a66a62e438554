package media

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// FileOptions says how a file is played; nil works.
type FileOptions struct {
	// Once plays the file to its end and then ends the Source. The default is
	// to play it over and over.
	Once bool
	// FPS is how many pictures a second an H.264 byte stream has, 1 to 120. 0:
	// 30. Other files know it themselves.
	FPS int
}

// Source is a track that plays by itself while it is bound somewhere. It is a
// [webrtc.TrackLocal]; its methods may be called from anywhere at any time.
type Source struct {
	// Immutable.
	format   format
	reel     *reel
	streamID string
	setRate  func(bps int) // nil: it has the rate of its file
	level    int           // dBov, if it is always the same; else 0
	done     chan struct{}

	asked atomic.Bool  // for how loud it is
	loud  atomic.Int32 // dBov of what is being sent; 0: not known

	// Of the player.
	payloader rtp.Payloader
	sequence  uint16
	timestamp uint32 // at the reel's origin
	ear       ear

	// Guarded by the reel's mu.
	bindings []binding // never changed in place: the player keeps a copy
	closed   bool
}

// binding is one place to send to.
type binding struct {
	id          string
	ssrc        uint32
	payloadType uint8
	to          webrtc.TrackLocalWriter
}

func newSource(f format, r *reel) *Source {
	var random [6]byte
	rand.Read(random[:])
	return &Source{
		format: f, reel: r, payloader: f.payloader(), streamID: r.id, done: make(chan struct{}),
		sequence: binary.LittleEndian.Uint16(random[:]), timestamp: binary.LittleEndian.Uint32(random[2:]),
	}
}

// newFile makes a Source of in, or closes it.
func newFile(path string, in input, o *FileOptions, read func(input) (frames, format, error)) (*Source, error) {
	from, f, err := read(in)
	if err != nil {
		_ = in.Close()
		return nil, openError(path, err)
	}
	return newReel(path, o, from, f).tracks[0], nil
}

// openError adds the path, once.
func openError(path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok && path != "" {
		err = e.Err
	}
	return &FileError{path, err}
}

// Bind begins to play, unless the Source is playing already. It takes the
// first codec on offer that fits; if none does it returns
// [webrtc.ErrUnsupportedCodec], and [ErrClosed] once the Source is over.
func (s *Source) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec, ok := s.format.choose(ctx.CodecParameters())
	if !ok {
		return webrtc.RTPCodecParameters{}, fmt.Errorf("media: %s: %w", s.format.mime, webrtc.ErrUnsupportedCodec)
	}
	b := binding{ctx.ID(), uint32(ctx.SSRC()), uint8(codec.PayloadType), ctx.WriteStream()}
	r := s.reel
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.closed {
		return webrtc.RTPCodecParameters{}, ErrClosed
	}
	s.bindings = append(slices.Clone(s.bindings), b)
	r.begin()
	if requests := ctx.RTCPReader(); requests != nil && r.asks != nil && s.Kind() == webrtc.RTPCodecTypeVideo {
		go r.listen(requests)
	}
	return codec, nil
}

// Unbind stops sending there. A packet that is under way may still arrive.
func (s *Source) Unbind(ctx webrtc.TrackLocalContext) error {
	s.reel.mu.Lock()
	defer s.reel.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(s.bindings), func(b binding) bool { return b.id == ctx.ID() })
	if len(left) == len(s.bindings) {
		return webrtc.ErrUnbindFailed
	}
	s.bindings = left
	s.reel.pause()
	return nil
}

// SetTargetBitrate asks for so many bits a second. A Room that publishes the Source calls it as the network changes. The
// test pattern then shows fewer frames a second, but at least one. Others do nothing: what is in a file cannot be made
// smaller.
func (s *Source) SetTargetBitrate(bps int) {
	if s.setRate != nil {
		s.setRate(bps)
	}
}

// FollowsTarget reports whether SetTargetBitrate has an effect: a Room sends what has not only where it fits.
func (s *Source) FollowsTarget() bool { return s.setRate != nil }

// Seek makes playing go on at the latest key frame that is due at or before
// at, counted from the beginning of the file, with all tracks of a [Film]
// together; beyond the end that is the last one. A Source that is bound nowhere
// will begin there. Seek does not wait.
func (s *Source) Seek(at time.Duration) { s.reel.seek(at) }

// Close ends the Source for good and lets go of the file, with the last track
// of it where there are two. It may be called more than once.
func (s *Source) Close() error { return s.reel.close(s) }

// Done is closed when the Source will send no more: after Close, and at the
// end of a file that is played once.
func (s *Source) Done() <-chan struct{} { return s.done }

// Err returns a [*FileError] if the file turned out to be damaged or cut off
// somewhere behind its beginning, else nil. What comes before is played.
func (s *Source) Err() error { return s.reel.failure() }

// ID returns "video" or "audio".
func (s *Source) ID() string { return s.format.kind().String() }

// StreamID returns a random name, the same for the tracks of one [Film] alone.
func (s *Source) StreamID() string { return s.streamID }

// RID returns "": a Source is not simulcast.
func (s *Source) RID() string { return "" }

// Kind returns audio or video.
func (s *Source) Kind() webrtc.RTPCodecType { return s.format.kind() }

// Codec returns what is sent: video/VP8, video/VP9, video/H264, video/AV1 or audio/opus.
func (s *Source) Codec() webrtc.RTPCodecCapability { return s.format.capability() }
