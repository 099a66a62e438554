package fanout

// Paused is what Choose is given to send nothing.
const Paused = -1

// Choose chooses the encoding that the leg sends, 0 being the best, or Paused. The leg goes
// on with the one it has until the chosen one has a key frame; after a pause it begins with
// that. The key frame is charged to the peer's budget, because what the peer reports and
// wants is what the choice follows, and waits if that is used up. While paused nothing is
// sent, and the peer's requests for key frames reach no encoder. A number behind the last
// encoding stands for the last. Attach chooses the best one that is open. Without a sender it
// does nothing.
func (l *Leg) Choose(encoding int) {
	l.mu.Lock()
	s := l.sender
	l.mu.Unlock()
	if s == nil {
		return
	}
	encoding = min(max(encoding, Paused), s.lastEncoding())
	l.mu.Lock()
	if l.sender != s || l.want == encoding {
		l.mu.Unlock()
		return
	}
	if encoding == Paused {
		l.pauses++
	}
	l.want = encoding
	needs := l.turn()
	l.mu.Unlock()
	if needs {
		l.requestKeyframe()
	}
	s.sweep()
}

// turn acts on a change of what the leg wants, and reports whether it needs a key frame of
// it. It needs l.mu.
func (l *Leg) turn() (needs bool) {
	l.served()
	if l.want == Paused {
		l.halt()
		return false
	}
	l.turning = l.open && (l.run == nil || l.run.feed.index != l.want || l.run.feed.line != l.line)
	return l.turning
}

// clamp makes the leg want the last encoding of s, if it wants one that is no longer there.
// It reports whether it needs a key frame of it.
func (l *Leg) clamp(s *Sender, current *line, last int) (needs bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sender != s || l.line != current || l.want <= last {
		return false
	}
	l.want = last
	l.pending = l.turn()
	return l.pending
}

// needs reports whether the leg sends f, which is closed, until another encoding has a key
// frame, or its peer has agreed on another codec. current is the sender's line, and last its last
// encoding.
func (l *Leg) needs(f *feed, current *line, last int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sender != f.sender {
		return false
	}
	sends := l.run != nil && l.run.feed == f
	if f.line != current {
		return sends || l.line == f.line && l.open && l.want != Paused
	}
	return sends && min(l.want, last) != f.index
}

// Chosen returns what Choose, or Attach, has chosen: an encoding, or Paused.
func (l *Leg) Chosen() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.want
}

// Paused reports whether Choose has paused the leg.
func (l *Leg) Paused() bool { return l.Chosen() == Paused }

// Encoding returns the encoding of which packets are sent now, which may differ from what is
// chosen until that has a key frame. ok is false while there is none.
func (l *Leg) Encoding() (encoding int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.run == nil {
		return 0, false
	}
	return l.run.feed.index, true
}

// Pauses returns how often Choose has paused the leg.
func (l *Leg) Pauses() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pauses
}

// AllLayers is what Limit is given to send all temporal layers.
const AllLayers = 7

// Limit leaves out the temporal layers above highest, from 0, the base, to AllLayers. It has
// no effect where the source does not mark its layers (VP8, RFC 7741; VP9, RFC 9628). A
// lower limit takes effect with the next frame, a higher one with the next frame at which the
// source says that it may. Attach resets it to AllLayers.
func (l *Leg) Limit(highest int) {
	l.limit.Store(int32(min(max(highest, 0), AllLayers)))
}

// SetAboveShare says whether the leg sends more than its share of the connection. While it
// does, the requests for key frames of its peer, and those because of packets that were left
// out, do not reach the encoder: a key frame would only make it worse for all. The last one
// is made when that is over. Requests because of Attach, Choose and Connected are made as ever.
func (l *Leg) SetAboveShare(above bool) {
	l.mu.Lock()
	missed := l.missed && !above
	l.above, l.missed = above, l.missed && above
	l.mu.Unlock()
	if missed {
		l.requestKeyframe()
	}
}
