// Package speaker decides who of several people is speaking, from how loud
// each of them is ten times a second. It is a pure machine: time and levels are
// passed in, and nobody decodes anything (RFC 6464 gives the levels).
//
// Talking is judged for each voice alone. What is loud enough fills a voice's
// bucket, what is not empties it, both at the pace of time:
//
//	silent ── bucket holds Begin ──▸ talking ── bucket is empty ──▸ silent
//
// so a cough is nobody talking, and a pause for breath is no silence. Whoever
// talks already may be fainter by the difference of Loud and Faint.
//
// One of those who talk is the active speaker:
//
//   - nobody is: the loudest who talks becomes it;
//   - it talks: it stays, unless one other is louder by Margin for all of Overtake;
//   - it is silent: the loudest who talks takes over at once, and after Hold
//     without one nobody is active.
//
// noom.js has the same machine; testdata/speech.json is a test for both.
package speaker

import (
	"slices"
	"time"
)

// Levels are in dBov: 0 is the loudest there is, -127 silence (RFC 6464
// section 3). Speech is around -20 to -40, a quiet room below -60.
const (
	Loud    = -45  // is speech
	Faint   = -55  // is still speech, from whoever talks
	Margin  = 6    // that much louder is plainly louder
	Silence = -127 // what nobody is heard at
)

// Period is how often Step is to be called while Detector.Idle says false.
const Period = 100 * time.Millisecond

// The times of the rules above.
const (
	Begin    = 300 * time.Millisecond
	Full     = 800 * time.Millisecond // what a bucket holds: so long a pause is no silence
	Hold     = time.Second
	Overtake = time.Second
)

// maxStep is the most that one Step counts for, however late it comes.
const maxStep = 2 * Period

// Level is how loud somebody was at most since the Step before.
type Level struct {
	ID   string
	DBov int
}

// Detector is the machine. The zero Detector is ready, and idle.
type Detector struct {
	voices []voice       // in the order they were first heard
	active string        // ID of the active speaker; empty: nobody
	silent time.Duration // so long the active one has been silent
	rival  string        // who is plainly louder than the active one
	ahead  time.Duration // so long it has been
	last   time.Time
}

type voice struct {
	id      string
	bucket  time.Duration
	talking bool
	audible bool    // in the step just taken
	level   float64 // dBov, smoothed over what was speech
}

// Active returns who is speaking; empty: nobody.
func (d *Detector) Active() string { return d.active }

// Idle reports whether a Step without anyone at Loud or above would change
// nothing: none is needed until then.
func (d *Detector) Idle() bool { return d.active == "" && len(d.voices) == 0 }

// Remove forgets somebody who is gone, and reports whether it was the active
// speaker.
func (d *Detector) Remove(id string) (wasActive bool) {
	d.voices = slices.DeleteFunc(d.voices, func(v voice) bool { return v.id == id })
	if d.active != id || id == "" {
		return false
	}
	d.activate("")
	return true
}

// Step takes what was heard since the last one and reports whether the active
// speaker changed. Whoever is not among heard was silent. now must not go back.
func (d *Detector) Step(now time.Time, heard []Level) (changed bool) {
	elapsed := Period // at first, and after an idle time
	if !d.Idle() {
		elapsed = min(now.Sub(d.last), maxStep)
	}
	d.last = now
	d.listen(elapsed, heard)
	before := d.active
	d.decide(elapsed)
	return d.active != before
}

// listen fills and empties the buckets. Voices that are of no further
// consequence are forgotten.
func (d *Detector) listen(elapsed time.Duration, heard []Level) {
	for _, h := range heard {
		if h.DBov >= Loud && d.voice(h.ID) == nil {
			d.voices = append(d.voices, voice{id: h.ID, level: float64(h.DBov)})
		}
	}
	for i := range d.voices {
		v := &d.voices[i]
		level := Silence
		if at := slices.IndexFunc(heard, func(h Level) bool { return h.ID == v.id }); at >= 0 {
			level = heard[at].DBov
		}
		v.hear(elapsed, level)
	}
	d.voices = slices.DeleteFunc(d.voices, func(v voice) bool { return v.bucket == 0 })
}

func (v *voice) hear(elapsed time.Duration, level int) {
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
	case loudest == nil: // a pause says nothing
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

// loudest returns the loudest of those who talk and were just heard, the first
// to have begun if there are several; nil: there is none.
func (d *Detector) loudest() *voice {
	var best *voice
	for i := range d.voices {
		if v := &d.voices[i]; v.talking && v.audible && (best == nil || v.level > best.level) {
			best = v
		}
	}
	return best
}
