package fanout

import (
	"slices"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// line is what a sender has of one codec: its encodings. A sender has one line. When it is
// given a track of another codec it gets another line, and the former one goes on while legs
// still send it: a leg carries one codec, and its peer has to agree on a further section
// first.
type line struct {
	// Guarded by the sender's mu.
	codec         webrtc.RTPCodecParameters // empty while the first track binds
	keyframeStart func(payload []byte) bool
	strip         func(payload []byte) (from int, first byte) // removes the source's picture id
	feeds         []*feed                                     // the encodings, best first; behind count, those of the track before
	count         int                                         // how many encodings there are; at least one
}

// formerTime bounds for how long a former line goes on once the new one has a key frame, so
// that no peer that is cut off keeps an encoder running.
const formerTime = 8 * time.Second

// newLine returns a line of n encodings, all closed. It needs s.mu.
func (s *Sender) newLine(n int) *line {
	l := &line{}
	s.grow(l, n)
	return l
}

// grow makes n encodings, of which new ones are closed. It needs s.mu.
func (s *Sender) grow(l *line, n int) {
	for len(l.feeds) < n {
		l.feeds = append(l.feeds, &feed{sender: s, line: l, index: len(l.feeds)})
	}
	l.count = n
}

// carry makes codec that of the line. It needs the sender's mu.
func (l *line) carry(codec webrtc.RTPCodecParameters) {
	l.codec = codec
	l.keyframeStart, l.strip = packet.KeyframeStart(codec.MimeType), packet.StripPictureID(codec.MimeType)
}

// isH264 needs the sender's mu.
func (l *line) isH264() bool { return l.codec.MimeType == webrtc.MimeTypeH264 }

// fits reports whether a leg for that codec can carry the line. It needs the sender's mu.
func (l *line) fits(codec webrtc.RTPCodecCapability) bool {
	return packet.Carries(codec, l.codec.RTPCodecCapability) && packet.Carries(l.codec.RTPCodecCapability, codec)
}

// openOf returns which of n encodings of l are to be open. If that becomes the sender's line,
// those are that were open before. It needs s.mu.
func (s *Sender) openOf(l *line, n int) []bool {
	open := make([]bool, n)
	for i, f := range s.feeds[:s.count] {
		if i < n || l != s.line {
			open[min(i, n-1)] = open[min(i, n-1)] || f.open
		}
	}
	return open
}

// starts reports whether the line has a track that waits for its first key frame. It needs
// the sender's mu.
func (l *line) starts() bool {
	has := func(f *feed) bool { return f.current != nil }
	waits := func(f *feed) bool { return f.next != nil }
	return slices.ContainsFunc(l.feeds, waits) && !slices.ContainsFunc(l.feeds, has)
}

// lineFor returns the line for a leg of that codec: the sender's, or else a former one; nil:
// none fits. at says of which change of lines that is.
func (s *Sender) lineFor(codec webrtc.RTPCodecCapability) (fitting *line, at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fits(codec) {
		return s.line, s.turns
	}
	for _, l := range slices.Backward(s.former) {
		if l.fits(codec) {
			return l, s.turns
		}
	}
	return nil, s.turns
}

// turn makes l, which may be new, the sender's line, and lets the one before go on. It
// reports whether l is another one. It needs s.mu.
func (s *Sender) turn(l *line, c *change) bool {
	before := s.line
	if before == l {
		return false
	}
	open := s.openOf(l, l.count)
	s.turns++
	s.line = l
	s.former = append(slices.DeleteFunc(s.former, func(o *line) bool { return o == l }), before)
	for i, open := range open {
		f := l.feeds[i]
		f.open = open
		if i < before.count {
			f.target = before.feeds[i].target
		}
		if f.closing != nil {
			f.closing.Stop()
			f.closing = nil
		}
	}
	for _, f := range before.feeds {
		f.open = false
		f.set(Encoding{})
		c.dropped, f.next = append(c.dropped, f.next), nil
		s.linger(f)
	}
	return true
}

// allFeeds returns the feeds of all lines. It needs s.mu.
func (s *Sender) allFeeds() []*feed {
	feeds := s.line.feeds
	for _, l := range s.former {
		feeds = append(slices.Clip(feeds), l.feeds...)
	}
	return feeds
}

// forget drops former lines of which nothing is bound any longer. It needs s.mu.
func (s *Sender) forget() {
	s.former = slices.DeleteFunc(s.former, func(l *line) bool {
		return !slices.ContainsFunc(l.feeds, func(f *feed) bool { return f.current != nil || f.next != nil })
	})
}

// adopt makes the leg send the line of s that fits it.
func (l *Leg) adopt(s *Sender) {
	fitting, at := s.lineFor(l.codec)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sender == s && fitting != nil && at >= l.lineAt {
		l.line, l.lineAt = fitting, at
	}
}

// Has reports whether s was attached to the leg, and neither has ended since.
func (l *Leg) Has(s *Sender) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sender == s
}

// OnFlow has f called, in a goroutine of its own, when the leg begins to send what it now waits for.
func (l *Leg) OnFlow(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.run != nil {
		go f()
		return
	}
	l.flows = f
}

// lingers returns for how long the source of a closed encoding is still bound. It needs s.mu.
func (s *Sender) lingers(f *feed) time.Duration {
	if f.line != s.line {
		return formerTime
	}
	return lingerTime
}
