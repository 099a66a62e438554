package fanout

import (
	"slices"
	"time"

	"github.com/pion/webrtc/v4"
)

// lingerTime bounds for how long the source of a closed encoding is still bound, because legs
// wait for a key frame of another one.
const lingerTime = 4 * time.Second

// feed is one encoding of a sender: its track, the source while it is bound, and the run of
// packets that it sends.
type feed struct {
	// Immutable.
	sender *Sender
	line   *line
	index  int

	// Guarded by the sender's mu.
	track            webrtc.TrackLocal // to bind while it is open; nil: paused
	watched          chan struct{}     // closed when it is no longer this one; nil: paused
	height, max, min int
	open             bool
	ended            bool        // the track has ended by itself
	hushed           bool        // what the track follows sends nothing
	closing          *time.Timer // ends the time for which a closed one is still bound; nil: it is open, or not bound
	current          *source     // whose packets are sent; nil: not bound, or has no key frame yet
	next             *source     // takes over with its first key frame; nil: no swap is under way
	run              *packetRun  // what is being sent; nil: waits for a key frame
	target           int         // in bits per second; 0: none
	meter            meter
}

// has reports whether the track is bound already. It needs the sender's mu.
func (f *feed) has(t webrtc.TrackLocal) bool {
	return f.next != nil && sameTrack(f.next.track, t) || f.next == nil && f.current != nil && sameTrack(f.current.track, t)
}

// uses reports whether the track is bound, be it the next one or the current. It needs the
// sender's mu.
func (f *feed) uses(t webrtc.TrackLocal) bool {
	return f.next != nil && sameTrack(f.next.track, t) || f.current != nil && sameTrack(f.current.track, t)
}

// take makes src the next source, and returns the one that no longer is. It needs the
// sender's mu.
func (f *feed) take(src *source) (dropped *source) {
	dropped, f.next = f.next, src
	if f.line.isH264() {
		sentSets.recall(src)
		sentSets.remember(src)
	}
	return dropped
}

// set gives the encoding a track, which is watched from now on. It needs the sender's mu.
func (f *feed) set(e Encoding) {
	f.height, f.max, f.min = e.Height, e.MaxBitrate, e.MinBitrate
	f.target = f.within(f.target)
	if f.watched != nil {
		if e.Track != nil && sameTrack(f.track, e.Track) {
			return
		}
		close(f.watched)
		f.watched = nil
	}
	f.track, f.ended, f.hushed = e.Track, false, false
	if e.Track != nil {
		f.watched = make(chan struct{})
		go f.watch(e.Track, f.watched)
	}
}

// clear leaves the encoding without a source, and returns those it had. It needs the
// sender's mu.
func (f *feed) clear() []*source {
	sources := []*source{f.current, f.next}
	f.current, f.next, f.run = nil, nil, nil
	f.meter = meter{}
	if f.closing != nil {
		f.closing.Stop()
		f.closing = nil
	}
	return sources
}

// follower is a track that sends what another one does. Follow reports whether that sends
// nothing now, and returns the track that is to take its place because it has another codec,
// or nil. Another answer may come once changed is closed.
type follower interface {
	Follow() (silent bool, next webrtc.TrackLocal, changed <-chan struct{})
}

// watch waits until the encoding has another track, or this one ends by itself, which it
// reports to the sender. It does what a follower says meanwhile.
func (f *feed) watch(t webrtc.TrackLocal, over <-chan struct{}) {
	ending, ends := t.(interface {
		Done() <-chan struct{}
		Err() error
	})
	leading, follows := t.(follower)
	var done, changed <-chan struct{}
	if ends {
		done = ending.Done()
	}
	for ends || follows {
		if follows {
			var err error
			if changed, err = f.follow(leading, over); err != nil {
				f.sender.ended(f, over, err)
				return
			}
		}
		select {
		case <-over:
			return
		case <-done:
			f.sender.ended(f, over, ending.Err())
			return
		case <-changed:
		}
	}
}

// follow does what a follower says, and returns when to ask it again. The error says why
// there is nothing to go on with.
func (f *feed) follow(t follower, watched <-chan struct{}) (changed <-chan struct{}, err error) {
	silent, next, changed := t.Follow()
	if next != nil && f.index == 0 {
		return nil, f.sender.replace(next, func() bool { return f.watched == watched })
	}
	f.sender.hush(f, watched, silent)
	return changed, nil
}

// swap makes from the current source if it is the next one and has a key frame, and
// returns the source that it replaces. It needs the sender's mu.
func (f *feed) swap(from *source, keyframe bool) (replaced *source) {
	if from != f.next || !keyframe {
		return nil
	}
	replaced, f.current, f.next, f.run = f.current, from, nil, nil
	return replaced
}

// linger is for an encoding that is closed now. It reports whether it has a source, which
// sweep unbinds as soon as no leg needs it. It needs s.mu.
func (s *Sender) linger(f *feed) bool {
	if f.current == nil && f.next == nil {
		return false
	}
	if f.closing == nil {
		f.closing = time.AfterFunc(s.lingers(f), func() { s.expire(f) })
	}
	return true
}

// expire unbinds the source of a closed encoding, whatever legs still wait for.
func (s *Sender) expire(f *feed) {
	s.mu.Lock()
	if f.closing == nil {
		s.mu.Unlock()
		return
	}
	// While a whole track is swapped, the old one is sent until the new one has a key frame.
	if f.line == s.line && f.index >= s.count && s.feeds[s.count-1].next != nil || f.line != s.line && s.starts() {
		f.closing.Reset(s.lingers(f))
		s.mu.Unlock()
		return
	}
	sources := f.clear()
	s.forget()
	s.mu.Unlock()
	unbindAll(sources...)
}

// sweep unbinds the sources of closed encodings that no leg is sent any longer.
func (s *Sender) sweep() {
	s.mu.Lock()
	legs := s.legs
	var closed []*feed
	for _, f := range s.allFeeds() {
		if f.closing != nil {
			closed = append(closed, f)
		}
	}
	current, last := s.line, s.count-1
	s.mu.Unlock()
	for _, f := range closed {
		if slices.ContainsFunc(legs, func(l *Leg) bool { return l.needs(f, current, last) }) {
			continue
		}
		s.mu.Lock()
		var sources []*source
		if f.closing != nil {
			sources = f.clear()
			s.forget()
		}
		s.mu.Unlock()
		unbindAll(sources...)
	}
}

func unbindAll(sources ...*source) {
	for _, src := range sources {
		if src != nil {
			src.unbind()
		}
	}
}
