// Package fanout owns the sending of published tracks: the source, which is bound once, the
// legs to which its packets go, one per peer, and the runs of packets that each leg stitches
// into one continuous stream. It bounds how often a source is asked for key frames, in all
// and by each peer.
package fanout

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/internal/packet"
)

// Options says how a track is published. The zero value works.
type Options struct {
	Name  string // empty: camera for video, microphone for audio
	Muted bool   // nothing is sent until SetMuted(false)
}

// Hooks are called when a sender changes, without any lock held, from the goroutine that
// made the change.
type Hooks struct {
	OnChange func()                     // its row in the table may have changed, or whether it sends stereo
	OnClose  func()                     // it is closed; called once
	OnEnd    func(s *Sender, err error) // its track has ended by itself; may be nil
}

// Sender is one published track; noom.Sender explains it. It binds the tracks that it is
// given one after the other, and passes what they write to the legs, one per peer. Its
// methods may be called from anywhere.
type Sender struct {
	// Immutable once NewSender has returned.
	id            string
	name          string
	kind          webrtc.RTPCodecType
	codec         webrtc.RTPCodecParameters
	keyframeStart func(payload []byte) bool
	strip         func(payload []byte) (from int, first byte) // removes the source's picture id
	hooks         Hooks

	// No call leaves the sender while mu is held, except to sentSets.
	mu      sync.Mutex
	current *source    // whose packets are sent; nil: paused
	next    *source    // takes over with its first key frame; nil: no swap is under way
	run     *packetRun // what is being sent; nil: waits for a key frame
	runs    uint64     // how many there have been
	legs    []*Leg     // replaced as a whole, never changed in place
	muted   bool
	over    bool // the track has ended by itself and was not replaced
	closed  bool
}

// NewSender binds t. hooks.OnChange and hooks.OnClose must not be nil. Errors: fault.Codec,
// and those of the track.
func NewSender(t webrtc.TrackLocal, o Options, hooks Hooks) (*Sender, error) {
	if t == nil {
		return nil, errors.New("noom: publish: there is no track")
	}
	kind := kindOf(t)
	name := cmp.Or(o.Name, defaultName(kind))
	s := &Sender{id: rand.Text(), name: name, kind: kind, hooks: hooks, muted: o.Muted}
	src, codec, err := bindTrack(s, t, packet.CodecsFor(kind))
	if err != nil {
		return nil, fmt.Errorf("noom: publish %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codec = codec
	s.keyframeStart, s.strip = packet.KeyframeStart(codec.MimeType), packet.StripPictureID(codec.MimeType)
	s.current = src
	if s.isH264() {
		sentSets.recall(src)
		sentSets.remember(src)
	}
	go src.watch()
	return s, nil
}

func defaultName(kind webrtc.RTPCodecType) string {
	if kind == webrtc.RTPCodecTypeAudio {
		return "microphone"
	}
	return "camera"
}

// ID returns the id of its row in the track table, which is the same on every link.
func (s *Sender) ID() string { return s.id }

// Codec returns the format that carries its tracks, which is one of packet.CodecsFor.
func (s *Sender) Codec() webrtc.RTPCodecParameters { return s.codec }

// Name returns the name from the options, or the default one.
func (s *Sender) Name() string { return s.name }

// Kind returns audio or video.
func (s *Sender) Kind() webrtc.RTPCodecType { return s.kind }

// String returns name and kind. It is used in logs.
func (s *Sender) String() string { return s.name + " (" + s.kind.String() + ")" }

// Track returns the current source, or the one that is about to replace it; nil: paused.
func (s *Sender) Track() webrtc.TrackLocal {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.next != nil:
		return s.next.track
	case s.current != nil:
		return s.current.track
	}
	return nil
}

// Silent reports whether peers get nothing, which the table calls muted.
func (s *Sender) Silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.muted || s.over || s.current == nil && s.next == nil
}

// Muted returns what SetMuted was last given.
func (s *Sender) Muted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.muted
}

// SetMuted stops media, or lets it flow again from a key frame on. Errors: fault.Closed.
func (s *Sender) SetMuted(muted bool) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fault.Closed
	}
	changed := s.muted != muted
	s.muted, s.run = muted, nil
	s.mu.Unlock()
	if !changed {
		return nil
	}
	if !muted {
		s.requestKeyframe()
	}
	s.hooks.OnChange()
	return nil
}

// Close ends the sender and leaves its legs silent. It may wait for the source to unbind,
// and may be called more than once.
func (s *Sender) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	current, next := s.takeSources()
	legs := s.legs
	s.legs = nil
	s.mu.Unlock()
	for _, l := range legs {
		l.release(s)
	}
	unbindAll(current, next)
	s.hooks.OnClose()
	return nil
}

// addLeg and removeLeg are for Leg.Attach and Leg.Detach.
func (s *Sender) addLeg(l *Leg) {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.legs = append(slices.Clip(s.legs), l)
	}
	s.mu.Unlock()
	if closed {
		l.release(s)
	}
}

func (s *Sender) removeLeg(l *Leg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.legs = slices.DeleteFunc(slices.Clone(s.legs), func(other *Leg) bool { return other == l })
}

// SendsStereo reports whether the current or the next source may send two channels.
func (s *Sender) SendsStereo() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil && s.current.stereo || s.next != nil && s.next.stereo
}
