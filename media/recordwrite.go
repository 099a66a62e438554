package media

import (
	"fmt"
	"time"
)

// This file is the part of a recording that owns its line of time and its file: one goroutine.

// picture is a frame on its way into the file: a picture or a piece of sound.
type picture struct {
	stream *stream
	at     time.Duration // since the recording began
	key    bool
	data   []byte
}

// stream is what one track sends in one codec.
type stream struct {
	name   string
	format recordFormat
	number int // in the file; 0 before the first frame. Of the goroutine in run
	last   time.Duration
	failed bool
}

// muxer writes a kind of file. It knows no clock and belongs to one goroutine.
type muxer interface {
	// add makes room for a stream that begins with first, and numbers it.
	add(s *stream, first []byte) error
	// write writes a frame; those of one stream rise by at least a millisecond.
	write(p picture) error
	// close completes the file. It does not close what is written to.
	close() error
}

// run puts frames in order and into the file.
func (r *Recording) run() {
	defer close(r.done)
	defer r.forget()
	defer r.stop()
	for {
		select {
		case a := <-r.frames:
			r.take(a)
			if err := r.writeDue(false); err != nil {
				r.note(&WriteError{err})
				return
			}
			continue
		case <-r.quit:
		}
		for len(r.frames) > 0 { // it has no other reader
			r.take(<-r.frames)
		}
		if err := r.writeDue(true); err != nil {
			r.note(&WriteError{err})
			return
		}
		if err := r.mux.close(); err != nil {
			r.note(&WriteError{err})
		}
		return
	}
}

// take gives the timeline what a reader has.
func (r *Recording) take(a arrivedFrame) {
	if a.over {
		r.timeline.leave(a.lane)
		return
	}
	if a.rate != 0 {
		a.lane.restart(a.rate)
	}
	r.timeline.take(a.lane, a.picture, a.timestamp, a.came, a.now)
	if !a.report.at.IsZero() {
		a.lane.report(a.report, a.came)
	}
}

// writeDue writes the frames that are due, or all.
func (r *Recording) writeDue(all bool) error {
	for {
		p, ok := r.timeline.next(all)
		if !ok {
			return nil
		}
		if err := r.write(p); err != nil {
			return err
		}
	}
}

// write returns errors of the writer alone.
func (r *Recording) write(p picture) error {
	s := p.stream
	if s.failed {
		return nil
	}
	if s.number == 0 {
		if err := r.mux.add(s, p.data); err != nil {
			s.failed = true
			r.note(fmt.Errorf("media: record %s: %w", s.name, err))
			return nil
		}
	} else {
		p.at = max(p.at, s.last+time.Millisecond)
	}
	s.last = p.at
	return r.mux.write(p)
}
