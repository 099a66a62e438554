package media

import (
	"slices"
	"time"
)

// reset makes the element at pos, in a cluster of that time, the next one.
func (w *webm) reset(pos int64, cluster time.Duration) {
	w.cluster, w.laced = cluster, nil
	w.from, w.over = 0, 0
	for _, t := range w.tracks {
		t.any, t.starting = false, t.picture()
	}
	w.at = pos
}

// mark is a place to go on from.
type mark struct {
	pos         int64
	cluster, at time.Duration
}

// seek goes by the file's cues, as far as it has any, and reads on from there.
func (w *webm) seek(at time.Duration) error {
	found := mark{pos: w.first}
	if at > 0 {
		var ok bool
		var err error
		if cue := w.cue(at); cue > w.first {
			found, ok, err = w.find(cue, at)
		}
		if !ok && err == nil {
			if found, ok, err = w.find(w.first, at); !ok {
				found = mark{pos: w.first}
			}
		}
		if err != nil {
			return err
		}
	}
	w.reset(found.pos, found.cluster)
	w.from, w.over = found.at, found.at
	return w.r.goTo(found.pos)
}

// find reads from pos, where a cluster begins, up to at, and returns the
// latest key frame there: that of the picture, unless it stood then.
func (w *webm) find(pos int64, at time.Duration) (mark, bool, error) {
	w.reset(pos, 0)
	if err := w.r.goTo(pos); err != nil {
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

// cue returns where the cluster is that the cues tell to read for at; 0: they
// do not tell.
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
	for _, point := range elementsIn(b) {
		if c, ok := w.cuePoint(point.data); ok {
			w.cues = append(w.cues, c)
		}
	}
	slices.SortStableFunc(w.cues, func(a, b webmCue) int { return int(min(max(a.at-b.at, -1), 1)) })
}

// cuePoint reads a place in the index, if it is of the track that leads.
func (w *webm) cuePoint(b []byte) (c webmCue, ok bool) {
	for _, e := range elementsIn(b) {
		switch e.id {
		case mkvCueTime:
			at, err := w.time(e.number())
			if err != nil {
				return c, false
			}
			c.at = at - w.zero
		case mkvCueTracks:
			var track, where uint64
			for _, e := range elementsIn(e.data) {
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
