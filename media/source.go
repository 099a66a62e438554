package media

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
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
	path     string
	streamID string
	once     bool
	level    int // dBov; 0: not known
	done     chan struct{}

	// Of the player: at most one goroutine in play, handed on through played.
	frames    frames
	payloader rtp.Payloader
	sequence  uint16
	timestamp uint32    // at origin
	origin    time.Time // when the first frame ever was due

	mu       sync.Mutex // guards what follows, and is held over no call
	bindings []binding  // never changed in place: the player keeps a copy
	stop     context.CancelFunc
	played   chan struct{} // closed when the latest player has gone; nil before the first
	closed   bool
	err      error
}

// binding is one place to send to.
type binding struct {
	id          string
	ssrc        uint32
	payloadType uint8
	to          webrtc.TrackLocalWriter
}

func newSource(f format, from frames) *Source {
	var random [6]byte
	rand.Read(random[:])
	return &Source{
		format: f, frames: from, payloader: f.payloader(), streamID: rand.Text(), done: make(chan struct{}),
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
	s := newSource(f, from)
	s.path, s.once = path, o != nil && o.Once
	return s, nil
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return webrtc.RTPCodecParameters{}, ErrClosed
	}
	s.bindings = append(slices.Clone(s.bindings), b)
	if s.stop == nil {
		playing, stop := context.WithCancel(context.Background())
		before, played := s.played, make(chan struct{})
		s.stop, s.played = stop, played
		go s.run(playing, before, played)
	}
	return codec, nil
}

// Unbind stops sending there. A packet that is under way may still arrive.
func (s *Source) Unbind(ctx webrtc.TrackLocalContext) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(s.bindings), func(b binding) bool { return b.id == ctx.ID() })
	if len(left) == len(s.bindings) {
		return webrtc.ErrUnbindFailed
	}
	s.bindings = left
	if len(left) == 0 {
		s.halt()
	}
	return nil
}

// Close stops playing for good and lets go of the file. It may be called twice.
func (s *Source) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed, s.bindings = true, nil
	s.halt()
	played := s.played
	close(s.done)
	s.mu.Unlock()
	if played != nil {
		<-played
	}
	return s.frames.Close()
}

// halt stops the player, if there is one. It is called with mu held.
func (s *Source) halt() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// Done is closed when the Source will send no more: after Close, and at the
// end of a file that is played once.
func (s *Source) Done() <-chan struct{} { return s.done }

// Err returns a [*FileError] if the file turned out to be damaged or cut off
// somewhere behind its beginning, else nil. What comes before is played.
func (s *Source) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ID returns "video" or "audio".
func (s *Source) ID() string { return s.format.kind().String() }

// StreamID returns a random name, different for each Source.
func (s *Source) StreamID() string { return s.streamID }

// RID returns "": a Source is not simulcast.
func (s *Source) RID() string { return "" }

// Kind returns audio or video.
func (s *Source) Kind() webrtc.RTPCodecType { return s.format.kind() }

// Codec returns what is sent: video/VP8, video/VP9, video/H264, video/AV1 or audio/opus.
func (s *Source) Codec() webrtc.RTPCodecCapability { return s.format.capability() }

// note keeps the first thing found wrong.
func (s *Source) note(err error) {
	if err == nil || errors.Is(err, io.EOF) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = openError(s.path, err)
	}
}
