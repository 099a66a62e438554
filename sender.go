package noom

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// Sender is one published track. One source is bound once and its packets go
// to every peer, so an encoder behind it runs once. A source that is an
// [AudioLeveler] also tells them how loud it is.
type Sender interface {
	// Name returns the name chosen at Publish.
	Name() string
	// Kind returns audio or video.
	Kind() webrtc.RTPCodecType
	// Track returns the current source, nil while paused.
	Track() webrtc.TrackLocal
	// ReplaceTrack swaps the source: nothing is negotiated, nothing freezes.
	// The old source is sent until the new one has a key frame. Nil pauses, which
	// the others are told as muted. A track of another kind or codec gives [ErrCodec]
	// and changes nothing.
	ReplaceTrack(t webrtc.TrackLocal) error
	// SetMuted stops media, or lets it flow again, and tells the others.
	SetMuted(muted bool) error
	// Muted reports what SetMuted set last.
	Muted() bool
	// Close unpublishes. It may be called twice.
	Close() error
}

// senderHooks is what a sender tells the room. They are called with nothing
// held, from whichever goroutine made the change.
type senderHooks struct {
	onChange func()                     // what its row in the table says may have changed, or whether it sends stereo
	onClose  func()                     // closed; once
	onEnd    func(s *sender, err error) // its track ended by itself; may be nil
}

// sender implements Sender: the tracks it is given are bound one after the
// other, and what they write goes to the legs, one per peer.
//
//	newSender(t webrtc.TrackLocal, o PublishOptions, hooks senderHooks) (*sender, error)
//	id, name string, kind webrtc.RTPCodecType, codec webrtc.RTPCodecParameters   immutable
//	requestKeyframe()
type sender struct {
	// Immutable once newSender has returned.
	id            string
	name          string
	kind          webrtc.RTPCodecType
	codec         webrtc.RTPCodecParameters
	keyframeStart func(payload []byte) bool
	unnumbered    func(payload []byte) (from int, first byte)
	hooks         senderHooks

	// No call leaves the sender while mu is held, but to sentSets.
	mu      sync.Mutex
	current *source // whose packets are sent; nil: paused
	next    *source // takes over with its first key frame; nil: no swap is under way
	run     *run    // what is being sent; nil: waits for a key frame
	runs    uint64  // how many there were
	legs    []*leg  // replaced whole, never changed in place
	muted   bool
	over    bool // the track has ended by itself, and no other one took its place
	closed  bool
}

var _ Sender = (*sender)(nil)

// newSender binds t. Without a name it is called by its kind.
func newSender(t webrtc.TrackLocal, o PublishOptions, hooks senderHooks) (*sender, error) {
	if t == nil {
		return nil, errors.New("noom: publish: there is no track")
	}
	kind := kindOf(t)
	name := cmp.Or(o.Name, defaultName(kind))
	s := &sender{id: randomID(), name: name, kind: kind, hooks: hooks, muted: o.Muted}
	src, codec, err := bind(s, t, packet.CodecsFor(kind))
	if err != nil {
		return nil, fmt.Errorf("noom: publish %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codec = codec
	s.keyframeStart, s.unnumbered = packet.KeyframeStart(codec.MimeType), packet.StripPictureID(codec.MimeType)
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

// randomID returns 16 random bytes in base64url.
func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (s *sender) String() string            { return s.name + " (" + s.kind.String() + ")" }
func (s *sender) Name() string              { return s.name }
func (s *sender) Kind() webrtc.RTPCodecType { return s.kind }

func (s *sender) Track() webrtc.TrackLocal {
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

// silent reports whether the others get nothing: what the table tells as muted.
func (s *sender) silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.muted || s.over || s.current == nil && s.next == nil
}

func (s *sender) Muted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.muted
}

// ReplaceTrack: of several calls at once the last to return counts.
func (s *sender) ReplaceTrack(t webrtc.TrackLocal) error {
	if t == nil {
		return s.pause()
	}
	if kept, err := s.keep(t); kept || err != nil {
		return err
	}
	if kind := kindOf(t); kind != s.kind {
		return fmt.Errorf("noom: replace track of %s: %w: it is %s; publish it anew", s.name, ErrCodec, kind)
	}
	src, _, err := bind(s, t, []webrtc.RTPCodecParameters{s.codec})
	if errors.Is(err, ErrCodec) {
		err = fmt.Errorf("%w; publish it anew", err)
	}
	if err != nil {
		return fmt.Errorf("noom: replace track of %s: %w", s.name, err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		src.unbind()
		return ErrClosed
	}
	dropped := s.next
	// The others are told if there was nothing before, and of stereo.
	news := s.over || s.current == nil && s.next == nil || s.current != nil && src.stereo != s.current.stereo
	if s.isH264() {
		sentSets.recall(src)
	}
	s.next, s.over = src, false
	s.mu.Unlock()
	if news {
		s.hooks.onChange()
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

// keep reports whether t is what is sent, or about to be, already. A swap to
// something else is called off.
func (s *sender) keep(t webrtc.TrackLocal) (bool, error) {
	s.mu.Lock()
	var dropped *source
	kept := false
	switch {
	case s.closed:
		s.mu.Unlock()
		return false, ErrClosed
	case s.next != nil && sameTrack(s.next.track, t):
		kept = true
	case s.current != nil && sameTrack(s.current.track, t):
		kept, dropped, s.next = true, s.next, nil
	}
	s.mu.Unlock()
	if dropped != nil {
		dropped.unbind()
		s.hooks.onChange()
	}
	return kept, nil
}

// sameTrack compares two tracks; one of a type that has no == is like no other.
func sameTrack(a, b webrtc.TrackLocal) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}

// ended is told by a source whose track is over. One that is about to be
// replaced anyway is no news.
func (s *sender) ended(src *source, err error) {
	s.mu.Lock()
	news := !s.closed && (s.next == src || s.next == nil && s.current == src)
	s.over = s.over || news && (s.current == src || s.current == nil)
	s.mu.Unlock()
	if !news {
		return
	}
	s.hooks.onChange()
	if s.hooks.onEnd != nil {
		s.hooks.onEnd(s, err)
	}
}

func (s *sender) pause() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	current, next := s.takeSources()
	s.over = false
	s.mu.Unlock()
	unbindAll(current, next)
	if current != nil || next != nil {
		s.hooks.onChange()
	}
	return nil
}

// takeSources leaves the sender without any. It needs s.mu.
func (s *sender) takeSources() (current, next *source) {
	current, next = s.current, s.next
	s.current, s.next, s.run = nil, nil, nil
	return current, next
}

func unbindAll(sources ...*source) {
	for _, src := range sources {
		if src != nil {
			src.unbind()
		}
	}
}

func (s *sender) SetMuted(muted bool) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
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
	s.hooks.onChange()
	return nil
}

// Close may wait until the source has let go.
func (s *sender) Close() error {
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
	s.hooks.onClose()
	return nil
}

// addLeg and removeLeg are for leg.attach and leg.detach.
func (s *sender) addLeg(l *leg) {
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

func (s *sender) removeLeg(l *leg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.legs = slices.DeleteFunc(slices.Clone(s.legs), func(other *leg) bool { return other == l })
}

// sendsStereo reports whether what is sent, or about to be, may have two channels.
func (s *sender) sendsStereo() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil && s.current.stereo || s.next != nil && s.next.stereo
}

// requestKeyframe asks what is being sent, and what is to replace it, for a key
// frame. It may be called as often as one likes.
func (s *sender) requestKeyframe() {
	s.mu.Lock()
	current, next, idle := s.current, s.next, s.muted || s.kind != webrtc.RTPCodecTypeVideo
	s.mu.Unlock()
	if idle {
		return
	}
	for _, src := range []*source{current, next} {
		if src != nil {
			src.requestKeyframe()
		}
	}
}

// waitsFor reports whether a key frame of src would be sent to somebody who gets
// nothing without it, or lets src take over.
func (s *sender) waitsFor(src *source) bool {
	s.mu.Lock()
	next := s.next == src
	idle, silent, legs := s.current != src || s.muted, s.run == nil, s.legs
	s.mu.Unlock()
	if next || idle {
		return next
	}
	return slices.ContainsFunc(legs, func(l *leg) bool { return l.waitsFor(s, silent) })
}

// isH264 needs s.mu.
func (s *sender) isH264() bool { return s.codec.MimeType == webrtc.MimeTypeH264 }

// deliver takes a packet that from's track has written and fans it out.
func (s *sender) deliver(from *source, header *rtp.Header, payload []byte) {
	s.mu.Lock()
	h264 := s.isH264()
	if h264 || s.codec.MimeType == "" && s.kind == webrtc.RTPCodecTypeVideo { // not known yet while the first track binds
		if news := from.sets.Note(payload, header.Timestamp); news && h264 {
			sentSets.remember(from)
		}
	}
	if from != s.current && from != s.next { // still binding, or unbound already
		s.mu.Unlock()
		return
	}
	keyframe := s.startsKeyframe(from, header, payload)
	replaced := s.swap(from, keyframe)
	r := s.runOf(from, header, keyframe)
	legs := s.legs
	var sets []byte
	if h264 && r != nil && len(legs) > 0 && packet.StartsH264IDR(payload) {
		sets = from.sets.Lacking(header.Timestamp)
	}
	s.mu.Unlock()

	if replaced != nil {
		// Not here: its track may be busy writing, or wait for ours.
		go replaced.unbind()
	}
	if keyframe {
		from.keyframeSent()
	}
	if r == nil || len(legs) == 0 {
		return
	}
	at, first := s.unnumbered(payload)
	now, p := time.Now(), wrap(first, payload[at:], from.audioLevel())
	var before *parcel
	if sets != nil {
		before = wrap(sets[0], sets, nil)
		defer before.release()
	}
	for _, l := range legs {
		l.write(s, r, keyframe, header, before, p, now)
	}
	p.release()
}

// startsKeyframe reports whether a packet is the first of a key frame. An H.264
// key frame has two packets that look like it, the parameter sets and the
// picture, and who came between them needs the next one. It needs s.mu.
func (s *sender) startsKeyframe(from *source, header *rtp.Header, payload []byte) bool {
	if !s.keyframeStart(payload) {
		return false
	}
	if s.kind != webrtc.RTPCodecTypeVideo {
		return true
	}
	again := from.keyframes && from.keyframe == header.Timestamp
	from.keyframes, from.keyframe = true, header.Timestamp
	return !again
}

// swap lets from take over if it is the next source and has a key frame, and
// returns the source it replaces. It needs s.mu.
func (s *sender) swap(from *source, keyframe bool) (replaced *source) {
	if from != s.next || !keyframe {
		return nil
	}
	replaced, s.current, s.next, s.run = s.current, from, nil, nil
	return replaced
}

// runOf returns the run a packet of from belongs to, a new one where none goes
// on, or nil if the packet must not be sent. It needs s.mu.
func (s *sender) runOf(from *source, header *rtp.Header, keyframe bool) *run {
	if from != s.current || s.muted || s.run == nil && !keyframe {
		return nil
	}
	if s.run == nil || !s.run.advance(header.SequenceNumber) {
		s.runs++
		seq := header.SequenceNumber
		s.run = &run{number: s.runs, seq: seq, timestamp: header.Timestamp, last: seq}
	}
	return s.run
}
