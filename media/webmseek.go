package media

import (
	"math"
	"slices"
	"time"
)

// reset makes what follows m, in the file's order, come next.
func (w *webm) reset(m mark) error {
	w.cluster, w.parts, w.part = m.cluster, w.parts[:0], 0
	w.from, w.over = m.at, m.at
	for _, t := range w.tracks {
		t.any, t.starting = false, t.picture()
		switch {
		case t.avc == nil:
		case m == w.start:
			t.avc.restore(t.sets)
		default:
			t.avc.order = pictureOrder{highest: math.MinInt64}
		}
	}
	w.at = m.pos
	return w.r.goTo(m.pos)
}

// mark is a place to go on from.
type mark struct {
	pos         int64
	cluster, at time.Duration
}

// seek goes by the file's cues, as far as it has any, and reads on from there.
func (w *webm) seek(at time.Duration) error {
	found := w.start
	if at > 0 && w.key.at == at { // a request for a key frame does not make the file be read again
		return w.reset(w.key)
	}
	if at > 0 {
		var ok bool
		var err error
		if cue := w.cue(at); cue > w.start.pos {
			found, ok, err = w.find(mark{pos: cue}, at)
		}
		if !ok && err == nil {
			if found, ok, err = w.find(w.start, at); !ok {
				found = w.start
			}
		}
		if err != nil {
			return err
		}
	}
	return w.reset(found)
}

// find reads from a place up to at, and returns the latest key frame there:
// that of the picture, unless it stood then.
func (w *webm) find(from mark, at time.Duration) (mark, bool, error) {
	if err := w.reset(from); err != nil {
		return mark{}, false, err
	}
	w.over = at // wherever this is, it is not too far on
	marks := make([]mark, len(w.tracks))
	for {
		f, err := w.next()
		if err != nil || f.at > at { // damage is left to be found when playing comes to it
			break
		}
		if f.key {
			marks[f.track] = mark{w.at, w.cluster, f.at}
		}
	}
	picture := w.tracks[0]
	if len(w.tracks) > 1 && (marks[0].pos == 0 || at-picture.last > webmStill) && marks[1].pos != 0 {
		return marks[1], true, nil
	}
	return marks[0], marks[0].pos != 0, nil
}

// cue returns the position of the cluster that the cues give for at; 0: they give none.
func (w *webm) cue(at time.Duration) int64 {
	if w.cues == nil && w.index > 0 {
		w.readCues()
	}
	i, _ := slices.BinarySearchFunc(w.cues, at, func(c webmCue, at time.Duration) int {
		if c.at <= at {
			return -1
		}
		return 1
	})
	if i == 0 {
		return 0
	}
	return w.cues[i-1].cluster
}

// readCues reads the index. One that cannot be read is none.
func (w *webm) readCues() {
	index := w.index
	w.index = 0
	if w.r.goTo(index) != nil {
		return
	}
	id, size, err := w.r.next()
	if err != nil || id != mkvCues {
		return
	}
	b, err := w.r.bytes(nil, size, maxFrame)
	if err != nil {
		return
	}
	for point := range elementsIn(b) {
		if c, ok := w.cuePoint(point.data); ok {
			w.cues = append(w.cues, c)
		}
	}
	slices.SortStableFunc(w.cues, func(a, b webmCue) int { return int(min(max(a.at-b.at, -1), 1)) })
}

// cuePoint reads a place in the index, if it is of the track that leads.
func (w *webm) cuePoint(b []byte) (c webmCue, ok bool) {
	for e := range elementsIn(b) {
		switch e.id {
		case mkvCueTime:
			at, err := w.time(e.number())
			if err != nil {
				return c, false
			}
			c.at = at - w.zero
		case mkvCueTracks:
			var track, where uint64
			for e := range elementsIn(e.data) {
				switch e.id {
				case mkvCueTrack:
					track = e.number()
				case mkvCueCluster:
					where = e.number()
				}
			}
			if track == w.tracks[0].number && where < uint64(w.r.size) {
				c.cluster, ok = w.segment+int64(where), true
			}
		}
	}
	return c, ok
}
