package media

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
)

// reel is a file, or something like one, that plays while any of its tracks is
// bound: one goroutine reads it and gives each frame to the track it is of, so
// that they cannot run apart.
type reel struct {
	// Immutable.
	id     string
	path   string
	once   bool
	tracks []*Source
	done   chan struct{}

	seeks chan time.Duration // holds the latest wish that is not fulfilled
	asks  chan struct{}      // holds a request for a key frame

	// Of the player: at most one goroutine in play, handed on through played.
	frames frames
	origin time.Time // when the first frame ever was due
	keys   keys

	mu     sync.Mutex // guards what follows, and is held over no call
	stop   context.CancelFunc
	played chan struct{} // closed when the latest player has gone; nil before the first
	closed bool
	err    error
}

// newReel makes a reel of frames whose tracks have these formats.
func newReel(path string, o *FileOptions, from frames, formats ...format) *reel {
	r := &reel{
		id: rand.Text(), path: path, once: o != nil && o.Once, frames: from, done: make(chan struct{}),
		seeks: make(chan time.Duration, 1), asks: make(chan struct{}, 1),
	}
	for _, f := range formats {
		r.tracks = append(r.tracks, newSource(f, r))
	}
	return r
}

// begin begins to play, unless it does already. It is called with mu held.
func (r *reel) begin() {
	if r.stop != nil {
		return
	}
	playing, stop := context.WithCancel(context.Background())
	before, played := r.played, make(chan struct{})
	r.stop, r.played = stop, played
	go r.run(playing, before, played)
}

// pause stops the player if no track is bound. It is called with mu held.
func (r *reel) pause() {
	bound := slices.ContainsFunc(r.tracks, func(s *Source) bool { return len(s.bindings) > 0 })
	if !bound && r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

func (r *reel) seek(at time.Duration) {
	for {
		select {
		case r.seeks <- max(at, 0):
			return
		case <-r.seeks: // an older wish
		}
	}
}

// listen passes on requests for key frames (PLI and FIR, RFC 4585 section 6.3.1 and RFC 5104
// section 4.3.1) until there is nothing left to read from, as after Unbind.
func (r *reel) listen(from interceptor.RTCPReader) {
	b := make([]byte, 1500)
	for {
		n, _, err := from.Read(b, nil)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(b[:n])
		if err != nil {
			continue
		}
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				select {
				case r.asks <- struct{}{}:
				default:
				}
			}
		}
	}
}

// close ends tracks, and the reel with the last of them.
func (r *reel) close(tracks ...*Source) error {
	r.mu.Lock()
	for _, s := range tracks {
		if !s.closed {
			s.closed, s.bindings = true, nil
			close(s.done)
		}
	}
	r.pause()
	open := slices.ContainsFunc(r.tracks, func(s *Source) bool { return !s.closed })
	if open || r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	close(r.done)
	played := r.played
	r.mu.Unlock()
	if played != nil {
		<-played
	}
	return r.frames.Close()
}

func (r *reel) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// note keeps the first thing found wrong.
func (r *reel) note(err error) {
	if err == nil || errors.Is(err, io.EOF) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = openError(r.path, err)
	}
}
