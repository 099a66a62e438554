// Package fanout owns the sending of published tracks: the source, which is bound once, the
// legs to which its packets go, one per peer, and the runs of packets that each leg stitches
// into one continuous stream. It bounds how often a source is asked for key frames, in all
// and by each peer.
package fanout

import (
	"cmp"
	"crypto/rand"
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

	Priority int // what Sender.Priority returns

	// Encodings, best first, up to maxEncodings. The first one's track is the one that is
	// published. Empty: those that Hooks.Layers returns, or else one.
	Encodings []Encoding

	Codecs []webrtc.RTPCodecParameters // that are offered in addition to noom's
}

// Hooks are called when a sender changes, without any lock held, from the goroutine that
// made the change.
type Hooks struct {
	OnChange func()                     // its row in the table may have changed, or whether it sends stereo
	OnClose  func()                     // it is closed; called once
	OnEnd    func(s *Sender, err error) // its track has ended by itself; may be nil

	// Layers returns the encodings that a track itself brings, best first, or none. It may be nil.
	Layers func(t webrtc.TrackLocal) []Encoding
}

// Sender is one published track; noom.Sender explains it. It binds the tracks that it is
// given one after the other, and passes what they write to the legs, one per peer. Its
// methods may be called from anywhere.
type Sender struct {
	// Immutable once NewSender has returned.
	id       string
	name     string
	priority int
	kind     webrtc.RTPCodecType
	offered  []webrtc.RTPCodecParameters // to its tracks
	hooks    Hooks

	// No call leaves the sender while mu is held, except to sentSets.
	mu     sync.Mutex
	given  webrtc.TrackLocal // the current track, or the one that is about to replace it; nil: paused
	*line                    // of the codec of the track that was given last
	former []*line           // those before that still go on, the latest last
	turns  uint64            // how often line has changed
	runs   uint64            // how many there have been
	legs   []*Leg            // replaced as a whole, never changed in place
	muted  bool
	over   bool // the track has ended by itself and was not replaced
	closed bool
}

// NewSender binds t, which is the best encoding; the others wait for SetOpen. hooks.OnChange and
// hooks.OnClose must not be nil. Errors: fault.Codec, and those of the track.
func NewSender(t webrtc.TrackLocal, o Options, hooks Hooks) (*Sender, error) {
	if t == nil {
		return nil, errNoTrack
	}
	kind := kindOf(t)
	name := cmp.Or(o.Name, defaultName(kind))
	s := &Sender{
		id: rand.Text(), name: name, priority: o.Priority, kind: kind, hooks: hooks, muted: o.Muted,
		offered: packet.WithExtra(kind, o.Codecs),
	}
	list, err := s.layersOf(t, o.Encodings)
	if err != nil {
		return nil, err
	}
	s.line = s.newLine(len(list))
	src, codec, err := bindTrack(s.feeds[0], list[0].Track, s.offered)
	if err != nil {
		return nil, fmt.Errorf("noom: publish %s: %w", name, err)
	}
	s.mu.Lock() // its packets may come already
	s.carry(codec)
	s.mu.Unlock()
	if err = s.sameCodec(codec, list); err != nil {
		src.unbind()
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given, s.feeds[0].current, s.feeds[0].open = t, src, true
	for i, e := range list {
		s.feeds[i].set(e)
	}
	if s.isH264() {
		sentSets.recall(src)
		sentSets.remember(src)
	}
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

// Codec returns the format that carries its track, which is one of packet.WithExtra.
func (s *Sender) Codec() webrtc.RTPCodecParameters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.codec
}

// Name returns the name from the options, or the default one.
func (s *Sender) Name() string { return s.name }

// Priority returns the priority from the options.
func (s *Sender) Priority() int { return s.priority }

// Kind returns audio or video.
func (s *Sender) Kind() webrtc.RTPCodecType { return s.kind }

// String returns name and kind. It is used in logs.
func (s *Sender) String() string { return s.name + " (" + s.kind.String() + ")" }

// Track returns the current track, or the one that is about to replace it; nil: paused.
func (s *Sender) Track() webrtc.TrackLocal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}

// Silent reports whether peers get nothing, which the table calls muted.
func (s *Sender) Silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.muted || s.over || s.given == nil || s.feeds[0].hushed
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
	s.muted = muted
	for _, f := range s.allFeeds() {
		f.run = nil
	}
	count := s.count
	s.mu.Unlock()
	if !changed {
		return nil
	}
	if !muted {
		for i := range count {
			s.requestKeyframe(nil, i)
		}
	}
	s.hooks.OnChange()
	return nil
}

// Closed reports whether Close was called.
func (s *Sender) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
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
	sources := s.takeSources()
	legs := s.legs
	s.legs = nil
	s.mu.Unlock()
	for _, l := range legs {
		l.release(s)
	}
	unbindAll(sources...)
	s.hooks.OnClose()
	return nil
}

// addLeg and removeLeg are for Leg.Attach and Leg.Detach.
func (s *Sender) addLeg(l *Leg) {
	s.mu.Lock()
	closed := s.closed
	if !closed && !slices.Contains(s.legs, l) {
		s.legs = append(slices.Clip(s.legs), l)
	}
	s.mu.Unlock()
	if closed {
		l.release(s)
	}
}

func (s *Sender) removeLeg(l *Leg) {
	s.mu.Lock()
	s.legs = slices.DeleteFunc(slices.Clone(s.legs), func(other *Leg) bool { return other == l })
	s.mu.Unlock()
	s.sweep()
}

// Receivers returns over how many legs a packet goes that a source of the sender writes now.
func (s *Sender) Receivers() (n int) {
	s.mu.Lock()
	legs := s.legs
	s.mu.Unlock()
	for _, l := range legs {
		if l.carries(s) {
			n++
		}
	}
	return n
}

// lastEncoding returns the number of the last encoding.
func (s *Sender) lastEncoding() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count - 1
}

// bestOpen returns the best encoding that is open, or 0 if none is.
func (s *Sender) bestOpen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, slices.IndexFunc(s.feeds[:s.count], func(f *feed) bool { return f.open }))
}

// SendsStereo reports whether the current or the next source may send two channels.
func (s *Sender) SendsStereo() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	current, next := s.feeds[0].current, s.feeds[0].next
	return current != nil && current.stereo || next != nil && next.stereo
}
