package media

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strings"
	"time"
)

const (
	// webmMaster bounds what is read whole of a file's head: an element with
	// its tracks or its index.
	webmMaster = 1 << 20
	// webmStill is for how long a picture may stand and still be the one that
	// is wanted there.
	webmStill = 2 * time.Second
)

// webm reads the first picture track and the first sound track of a WebM or
// Matroska file (RFC 9559).
//
// Segments and clusters are entered and never left: what can be in a cluster
// is nowhere else, so neither their sizes matter, which a recording that was
// cut off has wrong, nor whether they have any.
type webm struct {
	input
	r *ebmlReader

	// Of the head.
	scale   uint64        // nanoseconds in a unit of time
	lasts   time.Duration // as the file says; 0: it does not
	tracks  []*webmTrack  // that are played, the picture first
	segment int64         // where positions in the file are counted from
	start   mark          // where the first frame is; before it is found, the first cluster
	index   int64         // where the cues are; 0: nowhere known
	cues    []webmCue     // nil: not read
	key     mark          // the latest key frame
	skipped int           // pictures before the first key frame
	zero    time.Duration // when the first frame is, if timed
	timed   bool

	cluster time.Duration // the time of the one being read
	block   []byte
	parts   []webmPart    // of the block
	part    int           // how many of them were taken
	at      int64         // where the block's element begins
	from    time.Duration // sound before that is left out
	over    time.Duration // when what was returned so far is
}

type webmTrack struct {
	number uint64
	webmCodec
	last     time.Duration
	any      bool // last means something
	starting bool // waits for a key frame
}

type webmCue struct {
	at      time.Duration
	cluster int64
}

// readWebM reads the head and as far as the first key frame.
func readWebM(in input) (frames, []format, error) {
	r, err := newEBML(in)
	if err != nil {
		return nil, nil, err
	}
	w := &webm{input: in, r: r, scale: uint64(time.Millisecond)}
	if err := w.head(); err != nil {
		return nil, nil, err
	}
	if err := w.reset(w.start); err != nil {
		return nil, nil, err
	}
	if err := w.probe(); err != nil {
		return nil, nil, err
	}
	if err := w.lookAhead(); err != nil {
		return nil, nil, err
	}
	formats := make([]format, len(w.tracks))
	for i, t := range w.tracks {
		formats[i] = t.format
	}
	return w, formats, w.seek(0)
}

// head reads up to the first cluster.
func (w *webm) head() error {
	if w.r.size == 0 {
		return fmt.Errorf("empty file: %w", ErrEmpty)
	}
	if head, err := w.r.buf.Peek(int(min(w.r.size, 8))); err != nil {
		return err
	} else if !strings.HasPrefix(string(head), "\x1a\x45\xdf\xa3") {
		return foreignFileError(head, "a WebM or Matroska file")
	}
	for {
		at := w.r.pos
		id, size, err := w.r.next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("a WebM or Matroska file with a head and %w", ErrEmpty)
		}
		if err != nil {
			return err
		}
		switch id {
		case mkvSegment:
			w.segment = w.r.pos
		case mkvCluster:
			w.start.pos = at
			if len(w.tracks) == 0 {
				return fmt.Errorf("%w: frames before any description of tracks", ErrDamaged)
			}
			return nil
		case mkvCues:
			w.index = at
			err = w.r.skip(size)
		case ebmlHeader, mkvSeekHead, mkvInfo, mkvTracks:
			err = w.describe(id, size)
		default:
			err = w.r.skip(size)
		}
		if err != nil {
			return err
		}
	}
}

// describe takes an element of the head that says something about the rest.
func (w *webm) describe(id uint32, size int64) error {
	b, err := w.r.bytes(nil, size, webmMaster)
	if err != nil {
		return err
	}
	all := elementsIn(b)
	switch id {
	case ebmlHeader:
		for e := range all {
			kind := strings.TrimRight(string(e.data), "\x00")
			if e.id == ebmlDocType && kind != "webm" && kind != "matroska" {
				return fmt.Errorf("not a WebM or Matroska file: %w (EBML of type %.20q)", ErrForeign, kind)
			}
		}
	case mkvInfo:
		return w.info(all)
	case mkvTracks:
		w.tracks, err = webmTracks(all)
		return err
	case mkvSeekHead:
		for seek := range all {
			var what, where uint64
			for e := range elementsIn(seek.data) {
				switch e.id {
				case mkvSeekID:
					what = e.number()
				case mkvSeekPosition:
					where = e.number()
				}
			}
			if what == mkvCues && where < uint64(w.r.size) {
				w.index = w.segment + int64(where)
			}
		}
	}
	return nil
}

func (w *webm) info(all iter.Seq[ebmlElement]) error {
	length := 0.0
	for e := range all {
		switch e.id {
		case mkvScale:
			w.scale = e.number()
		case mkvDuration:
			length = e.float()
		}
	}
	if w.scale == 0 || w.scale > uint64(time.Minute) {
		return fmt.Errorf("%w: its unit of time has %d ns", ErrDamaged, w.scale)
	}
	if ns := length * float64(w.scale); ns > 0 && ns < float64(365*24*time.Hour) {
		w.lasts = time.Duration(ns)
	}
	return nil
}

// time converts the file's time, with an error in place of an absurd one.
func (w *webm) time(units uint64) (time.Duration, error) {
	if units > uint64(math.MaxInt64)/4/w.scale {
		return 0, fmt.Errorf("%w: a time of %d × %d ns at byte %d", ErrDamaged, units, w.scale, w.r.pos)
	}
	return time.Duration(units * w.scale), nil
}

// probe finds out when the file begins and what its pictures are like.
func (w *webm) probe() error {
	for found := false; ; {
		f, err := w.next()
		switch {
		case errors.Is(err, io.EOF) && w.timed && w.tracks[0].avc != nil:
			return w.tracks[0].avc.noKey(w.skipped)
		case errors.Is(err, io.EOF) && w.timed:
			return fmt.Errorf("%w: pictures without a key frame", ErrDamaged)
		case errors.Is(err, io.EOF):
			return fmt.Errorf("a WebM or Matroska file with a head and %w", ErrEmpty)
		case err != nil:
			return err
		}
		if !found { // whatever lies before it is not read again
			found, w.start = true, mark{pos: w.at, cluster: w.cluster}
		}
		t := w.tracks[0]
		if f.track != 0 {
			continue
		}
		if t.format.check != nil {
			t.format.profile, err = t.format.check(f.data)
		}
		if t.avc != nil {
			t.sets = bytes.Clone(t.avc.sets())
		}
		return err
	}
}

// lookAhead looks for B-frames.
func (w *webm) lookAhead() error {
	if w.tracks[0].avc == nil {
		return nil
	}
	for until, n := w.r.pos+aheadBytes, 0; n < aheadPictures && w.r.pos < until; {
		f, err := w.next()
		if err != nil {
			return refusalOf(err)
		}
		if f.track == 0 {
			n++
		}
	}
	return nil
}

func (w *webm) next() (frame, error) {
	for {
		for w.part < len(w.parts) {
			w.part++
			if f, ok, err := w.open(w.parts[w.part-1]); ok || err != nil {
				return f, err
			}
		}
		w.parts, w.part = w.parts[:0], 0
		w.at = w.r.pos
		id, size, err := w.r.next()
		if err != nil {
			return frame{}, err
		}
		switch id {
		case mkvSegment, mkvCluster:
		case ebmlHeader: // another file behind this one
			return frame{}, io.EOF
		case mkvTimestamp, mkvSimpleBlock, mkvBlockGroup:
			if w.block, err = w.r.bytes(w.block, size, maxFrame+webmMaster); err == nil {
				err = w.take(id)
			}
		default:
			err = w.r.skip(size)
		}
		if err != nil {
			return frame{}, err
		}
	}
}

// open makes a frame of a part; false: it is left out.
func (w *webm) open(p webmPart) (frame, bool, error) {
	data, key, err := w.tracks[p.track].open(p.data, p.flagged)
	if err != nil {
		return frame{}, false, fmt.Errorf("%w (in the block at byte %d)", err, w.at)
	}
	if len(data) == 0 || len(data) > maxFrame {
		return frame{}, false, nil
	}
	f := frame{track: p.track, at: p.at, key: key, data: data}
	ok, err := w.schedule(&f)
	return f, ok, err
}

// take takes what was read into w.block.
func (w *webm) take(id uint32) (err error) {
	switch id {
	case mkvTimestamp:
		w.cluster, err = w.time(ebmlElement{data: w.block}.number())
	case mkvSimpleBlock:
		err = w.unlace(w.block, false)
	case mkvBlockGroup:
		var block []byte
		refers := false
		for e := range elementsIn(w.block) {
			switch e.id {
			case mkvBlock:
				block = e.data
			case mkvReference:
				refers = true
			}
		}
		err = w.unlace(block, !refers)
	}
	return err
}

// schedule makes a frame's time one to play by; false: it is left out.
func (w *webm) schedule(f *frame) (bool, error) {
	t := w.tracks[f.track]
	if !w.timed {
		w.timed, w.zero = true, f.at
	}
	f.at = max(f.at-w.zero, 0)
	if t.starting && !f.key {
		w.skipped++
		return false, nil
	}
	if !t.picture() && f.at < w.from {
		return false, nil
	}
	t.starting = false
	switch {
	case f.at-w.over > absurdPause:
		return false, fmt.Errorf("%w: nothing for %v before byte %d", ErrDamaged, f.at-w.over, w.at)
	case t.any && t.last-f.at > absurdBack:
		return false, fmt.Errorf("%w: time goes back by %v at byte %d", ErrDamaged, t.last-f.at, w.at)
	case t.any:
		f.at = max(f.at, t.last+ivfShortest)
	}
	lasts := ivfLonely
	if !t.picture() {
		lasts, _ = opusDuration(f.data)
	}
	t.any, t.last = true, f.at
	if f.track == 0 && f.key {
		w.key = mark{w.at, w.cluster, f.at}
	}
	w.over = max(w.over, f.at+lasts)
	return true, nil
}

func (w *webm) end() time.Duration { return w.over }
