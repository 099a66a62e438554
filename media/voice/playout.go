package voice

import (
	"slices"
	"time"
)

const (
	// restAfter is how much silence is sent behind sound. Then nothing is, until there is sound again.
	restAfter = time.Second
	// playoutMemory is for how long it is known when which sound was sent: no round trip that counts is longer.
	playoutMemory = 5 * time.Second
)

// playout says when a speaker sends its frames of 20 ms, which timestamps they have, and how much of the sound can have
// been heard. It is pure: time comes in as an argument, and it has no lock.
//
// Its clock is the wall's. A frame that is late by less than a frame is sent at once, and the next one when it would
// have been due. Where more time was lost, the timestamps have a gap, so that nothing is sent faster than it is played.
type playout struct {
	began  bool
	start  time.Time // of the first frame
	due    time.Time // of the next one
	quiet  int       // frames of silence in a row, up to now
	resume bool      // the next packet begins after nothing was sent (RFC 3551 section 4.1)

	sound time.Duration // that was sent in all
	log   []sentSound   // oldest first
}

// sentSound is a frame with sound in it.
type sentSound struct {
	at     time.Time
	before time.Duration // sound that was sent before
	sound  time.Duration
}

// playoutStep is what to do now: rest, wait, or send a frame.
type playoutStep struct {
	rest   bool
	wait   time.Duration // 0: send now
	at     time.Duration // when the frame was due, since the first one: its timestamp
	marker bool          // it begins after a gap
}

// next says what to do now. sound reports whether there is some to send.
func (p *playout) next(now time.Time, sound bool) playoutStep {
	switch {
	case !sound && (!p.began || p.quiet >= int(restAfter/frameTime)):
		return playoutStep{rest: true}
	case !p.began:
		p.began, p.start, p.due, p.resume = true, now, now, true
	}
	if p.due.After(now) {
		return playoutStep{wait: p.due.Sub(now)}
	}
	if now.Sub(p.due) >= frameTime {
		p.due, p.resume = now, true
	}
	step := playoutStep{at: p.due.Sub(p.start), marker: p.resume}
	p.due = p.due.Add(frameTime)
	p.resume = false
	return step
}

// sent notes what was in the frame that next wanted: so much sound, the rest of it silence.
func (p *playout) sent(now time.Time, sound time.Duration) {
	if sound == 0 {
		p.quiet++
		return
	}
	p.quiet = 0
	old := 0
	for old < len(p.log) && now.Sub(p.log[old].at) > playoutMemory {
		old++
	}
	p.log = append(p.log[:copy(p.log, p.log[old:])], sentSound{now, p.sound, sound})
	p.sound += sound
}

// heard returns how much of the sound that was sent can have been heard by a listener whom it takes so long to reach.
func (p *playout) heard(now time.Time, way time.Duration) time.Duration {
	arrived := now.Add(-min(max(way, 0), playoutMemory))
	for _, s := range slices.Backward(p.log) {
		if !s.at.After(arrived) {
			return s.before + min(s.sound, arrived.Sub(s.at))
		}
	}
	if len(p.log) > 0 {
		return p.log[0].before
	}
	return p.sound
}
