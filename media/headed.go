package media

import (
	"io"
	"time"
)

const (
	// headPatience is how long the tracks of a file that cannot be rewritten are waited for.
	headPatience = 2 * time.Second
	// A cluster is what is lost at most when the program is killed. With a key frame another begins
	// after a quarter of its time.
	clusterTime = 2 * time.Second
	clusterSize = 1 << 20
	// maxCues bounds the table of places to jump to. When it is full every other one goes.
	maxCues = 8192
)

// clusterIsOver reports whether a frame that comes so long after the first of a cluster, and behind
// so many bytes, begins the next one.
func clusterIsOver(age time.Duration, size int, keyPicture bool) bool {
	return age >= clusterTime || size >= clusterSize || keyPicture && age >= clusterTime/4
}

// headedFile is a file that begins with the table of its tracks, while those of a call come and go. If
// it can be rewritten, the head has a fixed size and is written again when there is more to say.
// Otherwise it is written once, when the tracks are known that come soon.
type headedFile struct {
	w    io.Writer
	seek io.WriteSeeker // w, or nil if it cannot seek
	base int64          // where in seek the file begins
	kept int            // bytes for a head that can be rewritten; without seek 0

	headed bool  // the head has been written as it is; without seek that is once
	early  queue // without seek: what waits for that
	at     int64 // bytes written
}

func newHeadedFile(w io.Writer, kept int) headedFile {
	f := headedFile{w: w}
	if s, ok := w.(io.WriteSeeker); ok {
		if base, err := s.Seek(0, io.SeekCurrent); err == nil { // a pipe has the method, but cannot
			f.seek, f.base, f.kept = s, base, kept
		}
	}
	return f
}

// undecided reports whether it is not known yet which tracks there are to be.
func (f *headedFile) undecided() bool { return f.seek == nil && !f.headed }

// wait keeps a frame back until that is known; false: it is now.
func (f *headedFile) wait(p picture) bool {
	f.early.insert(p)
	return f.early.bytes < maxSettling && p.at-f.early.frames[0].at < headPatience
}

// settle writes the head for good, and by write what has waited for it.
func (f *headedFile) settle(head []byte, write func(picture) error) error {
	f.headed = true
	if err := f.put(head); err != nil {
		return err
	}
	for len(f.early.frames) > 0 {
		if err := write(f.early.take()); err != nil {
			return err
		}
	}
	return nil
}

// rewrite writes the head again, of so many bytes as are kept for it, if there is something new to
// say in it.
func (f *headedFile) rewrite(head func() []byte) error {
	if f.seek == nil || f.headed {
		return nil
	}
	f.headed = true
	if _, err := f.seek.Seek(f.base, io.SeekStart); err != nil {
		return err
	}
	if _, err := f.seek.Write(head()); err != nil {
		return err
	}
	f.at = max(f.at, int64(f.kept))
	_, err := f.seek.Seek(f.base+f.at, io.SeekStart)
	return err
}

func (f *headedFile) put(b []byte) error {
	n, err := f.w.Write(b)
	f.at += int64(n)
	return err
}

// patch writes over what was written at a place; without seek it does nothing.
func (f *headedFile) patch(where int64, b string) error {
	if f.seek == nil {
		return nil
	}
	if _, err := f.seek.Seek(f.base+where, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.WriteString(f.seek, b); err != nil {
		return err
	}
	_, err := f.seek.Seek(f.base+f.at, io.SeekStart)
	return err
}

// next returns where the next cluster will be.
func (f *headedFile) next() int64 { return max(f.at, int64(f.kept)) }

// cue is a cluster that begins with a key frame.
type cue struct {
	at    time.Duration
	track int
	where int64 // from the beginning of the file
}

// cueTable says where one can jump to.
type cueTable struct {
	cues    []cue
	skipped int // how many clusters have passed since the last cue
	every   int // how many do, less one
}

func (t *cueTable) add(c cue) {
	if t.skipped++; t.skipped <= t.every {
		return
	}
	t.skipped = 0
	if len(t.cues) == maxCues {
		for i := range maxCues / 2 {
			t.cues[i] = t.cues[2*i]
		}
		t.cues = t.cues[:maxCues/2]
		t.every = 2*t.every + 1
	}
	t.cues = append(t.cues, c)
}
