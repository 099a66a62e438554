package fanout

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/internal/packet"
)

// ReplaceTrack swaps the source for t, which must have the same kind. The old source is sent
// until t has a key frame, and, if t has another codec, over each leg until that is detached
// because another one has begun, for up to formerTime. Codec has changed when it returns, and
// Hooks.OnChange was called. Nil pauses. Of concurrent calls, the last to return wins. Errors:
// fault.Codec, fault.Closed, and those of the track, after which nothing has changed.
//
// The encodings become those that Hooks.Layers returns for t, or else t alone. An encoding
// that was there before stays open or closed, and a further one is closed. Legs of those that
// are no longer there choose the last one, which is opened if one of those was open; they are
// sent the old source until then.
func (s *Sender) ReplaceTrack(t webrtc.TrackLocal) error {
	if t == nil {
		return s.pause()
	}
	return s.replace(t, func() bool { return true })
}

// replace is ReplaceTrack of a track, unless that is no longer wanted once it is bound. It
// asks wanted with s.mu held.
func (s *Sender) replace(t webrtc.TrackLocal, wanted func() bool) error {
	failed := func(err error) error { return fmt.Errorf("noom: replace track of %s: %w", s.name, err) }
	if kind := kindOf(t); kind != s.kind {
		return failed(fmt.Errorf("%w: it is %s; publish it as another track", fault.Codec, kind))
	}
	list, err := s.layersOf(t, nil)
	if err != nil {
		return failed(err)
	}
	to, bound, err := s.bindSomewhere(list)
	switch {
	case errors.Is(err, fault.Closed):
		return fault.Closed
	case err != nil:
		return failed(err)
	}
	s.mu.Lock()
	if s.closed || !wanted() {
		closed := s.closed
		s.mu.Unlock()
		unbindAll(bound...)
		if closed {
			return fault.Closed
		}
		return nil
	}
	s.given = t
	done := s.install(to, list, bound)
	legs, last := s.legs, s.count-1
	s.mu.Unlock()
	s.apply(done, to, legs, last)
	return nil
}

// bindSomewhere binds a list in the sender's line, in a former one, or in a new one, whatever
// its codec is. It prefers the line where the track is bound already, because some tracks
// cannot be bound twice.
func (s *Sender) bindSomewhere(list []Encoding) (to *line, bound []*source, err error) {
	s.mu.Lock()
	lines := append([]*line{s.line}, s.former...)
	if i := slices.IndexFunc(lines, func(l *line) bool { return l.feeds[0].uses(list[0].Track) }); i > 0 {
		lines = []*line{lines[i]}
	}
	carries := make([]bool, len(lines)) // the track, as far as it says
	others := slices.Clone(s.offered)
	codec := codecOf(list[0].Track, webrtc.RTPCodecCapability{})
	for i, l := range lines {
		carries[i] = packet.Carries(l.codec.RTPCodecCapability, codec)
		others = slices.DeleteFunc(others, func(c webrtc.RTPCodecParameters) bool { return c.PayloadType == l.codec.PayloadType })
	}
	s.mu.Unlock()
	for i, l := range lines {
		if bound, err = s.bindList(l, list); !errors.Is(err, fault.Codec) || carries[i] {
			return l, bound, err
		}
	}
	fits := func(c webrtc.RTPCodecParameters) bool { return packet.Carries(c.RTPCodecCapability, codec) }
	if codec.MimeType != "" && !slices.ContainsFunc(others, fits) {
		return nil, nil, packet.WrongCodec(codec, s.offered)
	}
	return s.bindAnew(list, others)
}

// bindAnew binds a list in a new line, for one of the codecs offered.
func (s *Sender) bindAnew(list []Encoding, offered []webrtc.RTPCodecParameters) (*line, []*source, error) {
	s.mu.Lock()
	l := s.newLine(len(list))
	s.mu.Unlock()
	src, codec, err := bindTrack(l.feeds[0], list[0].Track, offered)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	l.carry(codec)
	s.mu.Unlock()
	bound, err := s.bindRest(l, list, src)
	return l, bound, err
}

// bindList binds the tracks of encodings that are to be open in a line and are not bound yet.
// It binds the best one in any case, because its codec may be known only then. It returns a
// source, or nil, for each.
func (s *Sender) bindList(l *line, list []Encoding) ([]*source, error) {
	return s.bindRest(l, list, nil)
}

// bindRest is bindList where the best encoding may be bound already, by first.
func (s *Sender) bindRest(l *line, list []Encoding, first *source) ([]*source, error) {
	s.mu.Lock()
	codec := l.codec
	s.mu.Unlock()
	bound := make([]*source, len(list))
	bound[0] = first
	if err := s.sameCodec(codec, list); err != nil {
		unbindAll(first)
		return nil, err
	}
	feeds := make([]*feed, len(list)) // to bind
	s.mu.Lock()
	for i, open := range s.openOf(l, len(list)) {
		if i < len(l.feeds) && (i == 0 || open) && !l.feeds[i].uses(list[i].Track) {
			feeds[i] = l.feeds[i]
		}
	}
	closed := s.closed
	s.mu.Unlock()
	if closed {
		unbindAll(first)
		return nil, fault.Closed
	}
	for i, f := range feeds {
		if f == nil || bound[i] != nil {
			continue
		}
		src, _, err := bindTrack(f, list[i].Track, []webrtc.RTPCodecParameters{codec})
		if err != nil {
			unbindAll(bound...)
			return nil, err
		}
		bound[i] = src
	}
	return bound, nil
}

// change is what is left to do, without the lock, after tracks were installed.
type change struct {
	news    bool      // the others need to know
	dropped []*source // to unbind
	fresh   []*source // that begin
	late    []*feed   // to bind
}

// install gives the encodings of a line their tracks, of which some are bound, and makes it the
// sender's. It needs s.mu.
func (s *Sender) install(to *line, list []Encoding, bound []*source) (c change) {
	// Peers need to know if there was no source before, if it has another codec, or if stereo begins or ends.
	before := s.count
	absent := s.feeds[0].track == nil
	s.grow(to, len(list))
	c.news = s.turn(to, &c) || s.over || absent
	first := s.feeds[0]
	c.news = c.news || s.count != before
	for i, e := range list {
		f, src := s.feeds[i], bound[i]
		switch {
		case f.next != nil && sameTrack(f.next.track, e.Track):
		case f.current != nil && sameTrack(f.current.track, e.Track):
			c.news = c.news || f.next != nil // a swap away from it is called off
			c.dropped, f.next = append(c.dropped, f.next), nil
		case !f.open:
		case src == nil: // it was opened in the meantime
			c.late = append(c.late, f)
		default:
			c.news = c.news || f.current != nil && src.stereo != f.current.stereo
			c.dropped = append(c.dropped, f.take(src))
			c.fresh = append(c.fresh, src)
			src = nil
		}
		c.dropped = append(c.dropped, src)
		f.set(e)
	}
	s.over = s.over && first.ended
	s.retire(&c)
	return c
}

// retire closes the encodings that are no longer there. It needs s.mu.
func (s *Sender) retire(c *change) {
	heir := s.feeds[s.count-1]
	for _, f := range s.feeds[s.count:] {
		if f.open && !heir.open {
			heir.open = true
			c.late = append(c.late, heir)
		}
		f.open, f.target = false, 0
		f.set(Encoding{})
		c.dropped, f.next = append(c.dropped, f.next), nil
		s.linger(f)
	}
}

// apply does what is left of a change. last is the last encoding, which legs of those that
// are no longer there get.
func (s *Sender) apply(c change, to *line, legs []*Leg, last int) {
	for _, l := range legs {
		l.adopt(s)
	}
	if c.news {
		s.hooks.OnChange()
	}
	unbindAll(c.dropped...)
	for _, src := range c.fresh {
		s.begin(src)
	}
	for _, f := range c.late {
		_ = s.bind(f) // it is closed then, as its state says
	}
	needs := false
	for _, l := range legs {
		needs = l.clamp(s, to, last) || needs
	}
	if needs {
		s.requestKeyframe(to, last)
	}
	s.sweep()
}

// sameTrack reports whether two tracks are the same. A track whose type is not comparable
// equals no other.
func sameTrack(a, b webrtc.TrackLocal) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}

// ended is called by an encoding whose track has ended by itself. watched says which track.
// Only the end of the best one's is that of the sender's track.
func (s *Sender) ended(f *feed, watched <-chan struct{}, err error) {
	s.mu.Lock()
	if s.closed || f.watched != watched {
		s.mu.Unlock()
		return
	}
	f.ended = true
	best := f.index == 0
	s.over = s.over || best && (f.current == nil || f.next == nil)
	s.mu.Unlock()
	s.hooks.OnChange()
	if best && s.hooks.OnEnd != nil {
		s.hooks.OnEnd(s, err)
	}
}

// hush notes whether what the track of an encoding follows sends nothing. watched says which
// track. Only the best one's counts.
func (s *Sender) hush(f *feed, watched <-chan struct{}, silent bool) {
	s.mu.Lock()
	news := !s.closed && f.watched == watched && f.hushed != silent
	if news {
		f.hushed = silent
	}
	s.mu.Unlock()
	if news && f.index == 0 {
		s.hooks.OnChange()
	}
}

func (s *Sender) pause() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fault.Closed
	}
	news := s.given != nil
	sources := s.takeSources()
	s.over = false
	s.mu.Unlock()
	unbindAll(sources...)
	if news {
		s.hooks.OnChange()
	}
	return nil
}

// takeSources leaves the sender without tracks and returns the sources it had. It needs s.mu.
func (s *Sender) takeSources() (sources []*source) {
	s.given = nil
	for _, f := range s.allFeeds() {
		f.set(Encoding{Height: f.height, MaxBitrate: f.max, MinBitrate: f.min})
		sources = append(sources, f.clear()...)
	}
	s.former = nil
	return sources
}
