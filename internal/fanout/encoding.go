package fanout

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/internal/packet"
)

// maxEncodings bounds the encodings of one sender.
const maxEncodings = 8

// Encoding is one of the qualities in which a track is sent. Each has a source of its own,
// which is bound only while the encoding is open, so that an encoder runs only while somebody
// needs it. All encodings of a sender have the same kind and codec.
type Encoding struct {
	Track      webrtc.TrackLocal
	Height     int // of the picture, in pixels; 0: unknown
	MaxBitrate int // in bits per second; 0: no bound
	MinBitrate int // in bits per second; 0: no bound
}

// EncodingState is what there is to know of an encoding.
type EncodingState struct {
	Height, MaxBitrate, MinBitrate int // as in Encoding

	Open    bool // as set by SetOpen
	Ended   bool // its track has ended by itself
	Follows bool // its track can be told how much to make
	Target  int  // what SetRate was last given, within the bounds, in bits per second; 0: nothing
	Rate    int  // what its source has made in the last second, in bits per second, with RTP headers; 0: nothing
}

// bitrateController is noom.BitrateController: a track whose encoder can be told how many
// bits per second to make.
type bitrateController interface{ SetTargetBitrate(bps int) }

// controllerOf returns a track as one that can be told how much to make, nil if it cannot, or says that it cannot.
func controllerOf(t webrtc.TrackLocal) bitrateController {
	if f, ok := t.(interface{ FollowsTarget() bool }); ok && !f.FollowsTarget() {
		return nil
	}
	c, _ := t.(bitrateController)
	return c
}

// Encodings returns the encodings, best first. There is at least one.
func (s *Sender) Encodings() []EncodingState {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]EncodingState, s.count)
	for i, f := range s.feeds[:s.count] {
		states[i] = EncodingState{
			Height: f.height, MaxBitrate: f.max, MinBitrate: f.min,
			Open: f.open, Ended: f.ended, Follows: controllerOf(f.track) != nil, Target: f.target, Rate: f.rate(),
		}
	}
	return states
}

// SetOpen binds the source of an encoding, or unbinds it because no leg needs it. At first
// only the best encoding is open. A leg that was sent a closed encoding and waits for another
// one is sent the old one until then, for up to lingerTime, and only then is it unbound. So
// the order to move legs in is: Choose the new encoding for each, SetOpen it, and SetOpen the
// old one to false.
//
// It may wait for the track. Errors: fault.Closed; fault.Codec, if the track has another
// codec than the best one, and those of the track, after which the encoding is closed; and
// that there is no such encoding. While the sender is paused it only notes what to do later.
func (s *Sender) SetOpen(encoding int, open bool) error {
	s.mu.Lock()
	f, err := s.feedAt(encoding)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	changed := f.open != open
	f.open = open
	if !changed {
		s.mu.Unlock()
		return nil
	}
	if open {
		s.mu.Unlock()
		return s.bind(f)
	}
	linger := s.linger(f)
	s.mu.Unlock()
	if linger {
		s.sweep()
	}
	return nil
}

// feedAt returns an encoding. It needs s.mu.
func (s *Sender) feedAt(encoding int) (*feed, error) {
	switch {
	case s.closed:
		return nil, fault.Closed
	case encoding < 0 || encoding >= s.count:
		return nil, fmt.Errorf("noom: %s has no encoding %d: there are %d", s.name, encoding, s.count)
	}
	return s.feeds[encoding], nil
}

// bind binds the track of an encoding that was opened, unless there is no track, or it is
// bound already.
func (s *Sender) bind(f *feed) error {
	s.mu.Lock()
	track := f.track
	if f.open && f.closing != nil {
		f.closing.Stop()
		f.closing = nil
	}
	if s.closed || !f.open || track == nil || f.has(track) {
		s.mu.Unlock()
		return nil
	}
	offered := []webrtc.RTPCodecParameters{f.line.codec}
	s.mu.Unlock()
	src, _, err := bindTrack(f, track, offered)
	s.mu.Lock()
	if err != nil {
		// What was asked of the encoding in the meantime counts, not the error.
		if lost := f.open && f.track != nil && sameTrack(f.track, track) && !f.has(track); lost {
			f.open = false
			s.mu.Unlock()
			return fmt.Errorf("noom: open encoding %d of %s: %w", f.index, s.name, err)
		}
		s.mu.Unlock()
		return nil
	}
	if s.closed || !f.open || f.track == nil || !sameTrack(f.track, track) || f.has(track) {
		s.mu.Unlock()
		src.unbind()
		return nil
	}
	dropped := f.take(src)
	s.mu.Unlock()
	unbindAll(dropped)
	s.begin(src)
	return nil
}

// begin tells a source that has been bound what is wanted of it. It asks for a key frame if the
// source takes over with it, or a leg can send it. Otherwise the request would delay the one
// that Connected makes.
func (s *Sender) begin(src *source) {
	s.mu.Lock()
	target, swap, legs := src.feed.target, src.feed.current != nil && src.feed.current != src, s.legs
	s.mu.Unlock()
	src.aim(target)
	if s.kind == webrtc.RTPCodecTypeVideo && (swap || slices.ContainsFunc(legs, (*Leg).Opened)) {
		src.requestKeyframe()
	}
}

// layersOf returns the encodings of t: those that were given, or that the track itself has,
// or one.
func (s *Sender) layersOf(t webrtc.TrackLocal, given []Encoding) ([]Encoding, error) {
	list := given
	if len(list) == 0 && s.hooks.Layers != nil {
		list = s.hooks.Layers(t)
	}
	if len(list) == 0 {
		return []Encoding{{Track: t}}, nil
	}
	if len(list) > maxEncodings {
		return nil, fmt.Errorf("noom: %s: %d encodings, the most is %d", s.name, len(list), maxEncodings)
	}
	for i, e := range list {
		if e.Track == nil {
			return nil, fmt.Errorf("noom: %s: encoding %d has no track", s.name, i)
		}
		if kind := kindOf(e.Track); kind != s.kind {
			return nil, fmt.Errorf("noom: %s: encoding %d: %w: it is %s", s.name, i, fault.Codec, kind)
		}
	}
	return list, nil
}

// sameCodec checks the codecs of encodings, as far as their tracks say them before they are
// bound.
func (s *Sender) sameCodec(wanted webrtc.RTPCodecParameters, list []Encoding) error {
	for i, e := range list {
		codec := codecOf(e.Track, wanted.RTPCodecCapability)
		if !packet.Carries(wanted.RTPCodecCapability, codec) {
			err := packet.WrongCodec(codec, []webrtc.RTPCodecParameters{wanted})
			return fmt.Errorf("noom: encoding %d of %s: %w; all encodings have the same", i, s.name, err)
		}
	}
	return nil
}

var errNoTrack = errors.New("noom: publish: there is no track")
