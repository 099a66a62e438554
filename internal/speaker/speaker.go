// Package speaker decides which of several people is speaking, from their audio levels
// ten times a second. It is a pure machine: time and levels are passed in. RFC 6464 gives
// the levels, so nothing has to be decoded.
//
// Each voice by itself is talking or silent. Sound fills a voice's bucket and silence
// empties it, both in real time:
//
//	silent ── bucket holds Begin ──▸ talking ── bucket is empty ──▸ silent
//
// So a cough does not count as talking, and a pause for breath does not count as silence.
// A voice that is already talking may be fainter: it needs Faint instead of Loud.
//
// At most one of the talking voices is the active speaker:
//
//   - If there is no active speaker, the loudest voice becomes it.
//   - While the active speaker talks, it stays, unless another voice is louder by Margin
//     for all of Overtake.
//   - If the active speaker is silent, the loudest voice takes over at once. After Hold
//     without one, nobody is active.
//
// noom.js has the same machine; testdata/speech.json tests both.
package speaker

import (
	"slices"
	"time"
)

// Levels are in dBov: 0 is the loudest there is, -127 silence (RFC 6464
// section 3). Speech is around -20 to -40, a quiet room below -60.
const (
	Loud    = -45  // speech, from a silent voice
	Faint   = -55  // still speech, from a voice that is talking
	Margin  = 6    // by which one voice must be louder to overtake another
	Silence = -127 // the lowest level there is
)

// Period is how often to call Step while Detector.Idle returns false.
const Period = 100 * time.Millisecond

// The times of the rules above.
const (
	Begin    = 300 * time.Millisecond
	Full     = 800 * time.Millisecond // the size of a bucket; a shorter pause is not silence
	Hold     = time.Second
	Overtake = time.Second
)

// maxStep bounds the time that one Step counts for, however late it is.
const maxStep = 2 * Period

// Level is the highest level of one member since the last Step.
type Level struct {
	ID   string
	DBov int
}

// Detector is the machine. The zero Detector is ready, and idle.
type Detector struct {
	voices []voice       // in the order in which they began
	active string        // id of the active speaker; empty: nobody
	silent time.Duration // how long the active speaker has been silent
	rival  string        // id of the voice that is louder than the active speaker by Margin
	ahead  time.Duration // how long it has been
	last   time.Time     // of Step
}

type voice struct {
	id      string
	bucket  time.Duration
	talking bool
	audible bool    // in the last Step
	level   float64 // dBov, smoothed over its speech
}

// Active returns the id of the active speaker; empty: nobody.
func (d *Detector) Active() string { return d.active }

// Idle reports whether Step need not be called until a level is Loud or above, because it
// would change nothing.
func (d *Detector) Idle() bool { return d.active == "" && len(d.voices) == 0 }

// Remove forgets a member that is gone, and reports whether it was the active speaker.
func (d *Detector) Remove(id string) (wasActive bool) {
	d.voices = slices.DeleteFunc(d.voices, func(v voice) bool { return v.id == id })
	if d.active != id || id == "" {
		return false
	}
	d.activate("")
	return true
}

// Step takes the levels since the last Step and reports whether the active speaker has
// changed. Members without a level were silent. now must not go back.
func (d *Detector) Step(now time.Time, levels []Level) (changed bool) {
	elapsed := Period // for the first Step after being idle
	if !d.Idle() {
		elapsed = min(now.Sub(d.last), maxStep)
	}
	d.last = now
	d.update(elapsed, levels)
	before := d.active
	d.decide(elapsed)
	return d.active != before
}

// update fills and empties the buckets, and forgets voices whose bucket is empty.
func (d *Detector) update(elapsed time.Duration, levels []Level) {
	for _, l := range levels {
		if l.DBov >= Loud && d.voice(l.ID) == nil {
			d.voices = append(d.voices, voice{id: l.ID, level: float64(l.DBov)})
		}
	}
	for i := range d.voices {
		v := &d.voices[i]
		level := Silence
		if at := slices.IndexFunc(levels, func(l Level) bool { return l.ID == v.id }); at >= 0 {
			level = levels[at].DBov
		}
		v.update(elapsed, level)
	}
	d.voices = slices.DeleteFunc(d.voices, func(v voice) bool { return v.bucket == 0 })
}

func (v *voice) update(elapsed time.Duration, level int) {
	v.audible = level >= Loud || level >= Faint && v.talking
	if !v.audible {
		v.bucket = max(0, v.bucket-elapsed)
	} else {
		v.bucket = min(Full, v.bucket+elapsed)
		v.level += (float64(level) - v.level) * float64(elapsed) / float64(Begin)
	}
	switch {
	case v.bucket >= Begin:
		v.talking = true
	case v.bucket == 0:
		v.talking = false
	}
}

func (d *Detector) decide(elapsed time.Duration) {
	loudest := d.loudest()
	active := d.voice(d.active)
	if active != nil && (active.talking || active.audible) {
		d.silent = 0
	}
	switch {
	case active == nil || !active.talking:
		if d.silent += elapsed; loudest != nil {
			d.activate(loudest.id)
		} else if d.silent > Hold {
			d.activate("")
		}
	case loudest == nil: // all pause, which changes nothing
	case loudest.level < active.level+Margin:
		d.rival, d.ahead = "", 0
	default:
		if d.rival != loudest.id {
			d.rival, d.ahead = loudest.id, 0
		}
		if d.ahead += elapsed; d.ahead > Overtake {
			d.activate(loudest.id)
		}
	}
}

func (d *Detector) activate(id string) {
	d.active, d.silent, d.rival, d.ahead = id, 0, "", 0
}

func (d *Detector) voice(id string) *voice {
	if i := slices.IndexFunc(d.voices, func(v voice) bool { return v.id == id }); i >= 0 {
		return &d.voices[i]
	}
	return nil
}

// loudest returns the loudest voice that is talking and audible, or nil. Of several it
// returns the one that began first.
func (d *Detector) loudest() *voice {
	var best *voice
	for i := range d.voices {
		if v := &d.voices[i]; v.talking && v.audible && (best == nil || v.level > best.level) {
			best = v
		}
	}
	return best
}
