package media

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Track is what can be recorded and listened to; every noom.RemoteTrack is one. If it has a Tap, as
// that has, its packets are read through one, and other readers miss none; otherwise they go to one
// reader.
type Track interface {
	// ID is unique among the tracks of one Origin.
	ID() string
	Name() string
	Kind() webrtc.RTPCodecType
	// Codec is that of the latest packet.
	Codec() webrtc.RTPCodecParameters
	// ReadRTP waits for the next packet; an error ends the track.
	ReadRTP() (*rtp.Packet, error)
	RequestKeyframe() error
}

// Origin is the sender of a track; every noom.Peer is one. The tracks of one ID are played in sync
// by the sender's clock, if they report it.
type Origin interface {
	ID() string
	Name() string
}

// SenderClock is what a [Track] may have in addition, so that it is recorded in sync with the
// others of its Origin, however long each is on its way: a moment of the sender's clock and the RTP
// timestamp that belongs to it, out of the latest RTCP sender report (RFC 3550 section 6.4.1) of
// the stream with that SSRC; false before the first.
type SenderClock interface {
	SenderTime(ssrc uint32) (at time.Time, timestamp uint32, ok bool)
}

// Recording writes tracks into one file until it is closed. Its methods may be
// called from anywhere at any time.
type Recording struct {
	// Immutable.
	began  time.Time
	frames chan arrivedFrame
	quit   chan struct{} // closed by the first Close
	done   chan struct{} // closed when the file is complete
	once   sync.Once
	forget func() bool

	// Of the goroutine in run.
	mux      muxer
	timeline timeline

	mu      sync.Mutex         // held over no call but a Track's Tap
	origins map[string]*origin // also of members that have gone, a number of them
	reading map[Track]packets
	stopped bool // quit is closed
	stills  map[Track][]byte
	err     error
}

// What can be wrong with a recording, to compare with errors.Is.
var (
	// ErrLate: w cannot seek, so its table of tracks was written once, and this
	// track came after it.
	ErrLate = errors.New("media: the track came too late for a file that cannot be rewritten")
	// ErrCodec: this kind of file does not hold what the track sends; the error says which does.
	ErrCodec = errors.New("cannot be recorded here")
	// ErrFull: the file takes no further track.
	ErrFull = errors.New("media: no room for a further track in this file")
)

// WriteError says that a recording ended because what it was written to failed:
// a full disk (errors.Is syscall.ENOSPC), a reader of a pipe that has gone
// (io.ErrClosedPipe, syscall.EPIPE). What was written before is left as a
// killed program leaves it.
type WriteError struct{ Err error }

func (e *WriteError) Error() string {
	return "media: the recording ended, because it could not be written: " + e.Err.Error()
}

// Unwrap returns the writer's error.
func (e *WriteError) Unwrap() error { return e.Err }

// Record begins a Matroska file, which is WebM unless there is H.264 in it. It
// ends with ctx or [Recording.Close], whichever comes first.
//
// If w can seek, as a file can, tracks may come and go at any time, and the
// file is playable up to the last few seconds however the program ends. If w
// cannot, as a pipe can not, the tracks in the file are those that have sent
// something within two seconds after the first; the others are left out with
// [ErrLate].
func Record(ctx context.Context, w io.Writer) *Recording {
	return newRecording(ctx, newMatroska(w))
}

// RecordIVF begins an IVF file, which holds one video track in VP8, VP9 or AV1.
func RecordIVF(ctx context.Context, w io.Writer) *Recording {
	return newRecording(ctx, &ivfWriter{w: w})
}

// RecordOgg begins an Ogg file, which holds one Opus track. Where nothing came,
// it holds silence; a sender's clock that runs fast or slow is made up for by a
// packet that is left out or there twice.
func RecordOgg(ctx context.Context, w io.Writer) *Recording {
	return newRecording(ctx, &oggWriter{w: w})
}

func newRecording(ctx context.Context, mux muxer) *Recording {
	r := &Recording{
		began:  time.Now(),
		frames: make(chan arrivedFrame, 64),
		quit:   make(chan struct{}),
		done:   make(chan struct{}),
		mux:    mux, origins: make(map[string]*origin), reading: make(map[Track]packets), stills: make(map[Track][]byte),
	}
	r.forget = context.AfterFunc(ctx, r.stop)
	go r.run()
	return r
}

// Add records a track from now to its end. Video begins with a key frame, which is asked for. What
// cannot be recorded is left out, and [Recording.Err] reports it; the rest goes on. A track that is
// being recorded already stays as it is.
func (r *Recording) Add(from Origin, t Track) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, twice := r.reading[t]; twice || r.stopped {
		return
	}
	in := tap(t)
	r.reading[t] = in
	o := r.origins[from.ID()]
	if o == nil {
		o = &origin{retired: make(map[streamKey]*stream)}
		r.origins[from.ID()] = o
	}
	o.readers++
	go func() {
		r.read(o, cmp.Or(from.Name(), from.ID()), t, in)
		r.mu.Lock()
		defer r.mu.Unlock()
		if o.readers--; o.readers == 0 && len(r.origins) > maxGone {
			delete(r.origins, from.ID())
		}
	}()
}

// maxGone is how many members that have gone keep the place of their tracks in the file; and how
// many tracks of each. There are fewer in any file.
const maxGone = 256

// Close completes the file and returns what [Recording.Err] does. It does not
// close what was written to. It may be called more than once.
func (r *Recording) Close() error {
	r.stop()
	<-r.done
	return r.Err()
}

func (r *Recording) stop() {
	r.once.Do(func() {
		close(r.quit)
		r.mu.Lock()
		r.stopped = true
		readers := slices.Collect(maps.Values(r.reading))
		r.mu.Unlock()
		for _, in := range readers {
			_ = in.Close()
		}
	})
}

// Done is closed when nothing more will be written: after Close, after the end
// of Record's ctx, and when writing failed.
func (r *Recording) Done() <-chan struct{} { return r.done }

// Err returns the first thing that went wrong: a [*WriteError], which ends the
// recording, or what kept a track out of it.
func (r *Recording) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *Recording) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

// Still returns the latest key frame of a VP8 track that is being recorded.
func (r *Recording) Still(t Track) (image.Image, error) {
	r.mu.Lock()
	data := r.stills[t]
	r.mu.Unlock()
	if data == nil {
		return nil, fmt.Errorf("media: still of %s: no VP8 key frame yet", t.Name())
	}
	return decodeVP8(data)
}
