package fanout

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
)

// ReplaceTrack swaps the source for t, which must have the same kind and codec. The old
// source is sent until t has a key frame. Nil pauses. Of concurrent calls, the last to return
// wins. Errors: fault.Codec, fault.Closed, and those of the track.
func (s *Sender) ReplaceTrack(t webrtc.TrackLocal) error {
	if t == nil {
		return s.pause()
	}
	if kept, err := s.keep(t); kept || err != nil {
		return err
	}
	if kind := kindOf(t); kind != s.kind {
		return fmt.Errorf("noom: replace track of %s: %w: it is %s; publish it as another track", s.name, fault.Codec, kind)
	}
	src, _, err := bindTrack(s, t, []webrtc.RTPCodecParameters{s.codec})
	if errors.Is(err, fault.Codec) {
		err = fmt.Errorf("%w; publish it as another track", err)
	}
	if err != nil {
		return fmt.Errorf("noom: replace track of %s: %w", s.name, err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		src.unbind()
		return fault.Closed
	}
	dropped := s.next
	// Peers need to know if there was no source before, or if stereo begins or ends.
	news := s.over || s.current == nil && s.next == nil || s.current != nil && src.stereo != s.current.stereo
	if s.isH264() {
		sentSets.recall(src)
	}
	s.next, s.over = src, false
	s.mu.Unlock()
	if news {
		s.hooks.OnChange()
	}
	go src.watch()
	if dropped != nil {
		dropped.unbind()
	}
	if s.kind == webrtc.RTPCodecTypeVideo {
		src.requestKeyframe()
	}
	return nil
}

// keep reports whether t is the current source, or the next one, already. A swap away
// from it is called off.
func (s *Sender) keep(t webrtc.TrackLocal) (bool, error) {
	s.mu.Lock()
	var dropped *source
	kept := false
	switch {
	case s.closed:
		s.mu.Unlock()
		return false, fault.Closed
	case s.next != nil && sameTrack(s.next.track, t):
		kept = true
	case s.current != nil && sameTrack(s.current.track, t):
		kept, dropped, s.next = true, s.next, nil
	}
	s.mu.Unlock()
	if dropped != nil {
		dropped.unbind()
		s.hooks.OnChange()
	}
	return kept, nil
}

// sameTrack reports whether two tracks are the same. A track whose type is not comparable
// equals no other.
func sameTrack(a, b webrtc.TrackLocal) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}

// ended is called by a source whose track has ended. It reports nothing for a source that
// is about to be replaced.
func (s *Sender) ended(src *source, err error) {
	s.mu.Lock()
	news := !s.closed && (s.next == src || s.next == nil && s.current == src)
	s.over = s.over || news && (s.current == src || s.current == nil)
	s.mu.Unlock()
	if !news {
		return
	}
	s.hooks.OnChange()
	if s.hooks.OnEnd != nil {
		s.hooks.OnEnd(s, err)
	}
}

func (s *Sender) pause() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fault.Closed
	}
	current, next := s.takeSources()
	s.over = false
	s.mu.Unlock()
	unbindAll(current, next)
	if current != nil || next != nil {
		s.hooks.OnChange()
	}
	return nil
}

// takeSources leaves the sender without sources and returns those it had. It needs s.mu.
func (s *Sender) takeSources() (current, next *source) {
	current, next = s.current, s.next
	s.current, s.next, s.run = nil, nil, nil
	return current, next
}

// swap makes from the current source if it is the next one and has a key frame, and
// returns the source that it replaces. It needs s.mu.
func (s *Sender) swap(from *source, keyframe bool) (replaced *source) {
	if from != s.next || !keyframe {
		return nil
	}
	replaced, s.current, s.next, s.run = s.current, from, nil, nil
	return replaced
}

func unbindAll(sources ...*source) {
	for _, src := range sources {
		if src != nil {
			src.unbind()
		}
	}
}
