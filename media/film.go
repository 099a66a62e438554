package media

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
)

// Film is a picture, a sound or both that play in sync, out of one file or
// several. Its tracks are Sources, to be published one by one; the film begins
// when the first of them is bound and stands while none is. What is bound
// later joins in where the film is.
type Film struct {
	reel  *reel
	lasts time.Duration
}

// OpenWebM opens a WebM or Matroska file with VP8, VP9, AV1, H.264 without
// B-frames, Opus, or one of these and Opus, and reads as far as its first key
// frame. Of several tracks of a kind the first that can be sent is played.
// Recordings that were cut off play as far as they go. Nil options play it
// over and over. Errors are a [*FileError].
func OpenWebM(path string, o *FileOptions) (*Film, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	return newFilm(path, input{file, file.Close}, o, readWebM)
}

// NewWebM is [OpenWebM] of what r holds. The Film reads r until it is closed
// and never closes it.
func NewWebM(r io.ReadSeeker, o *FileOptions) (*Film, error) {
	return newFilm("", input{r, nil}, o, readWebM)
}

func newFilm(path string, in input, o *FileOptions, read func(input) (frames, []format, error)) (*Film, error) {
	from, formats, err := read(in)
	if err != nil {
		_ = in.Close()
		return nil, openError(path, err)
	}
	f := &Film{reel: newReel(path, o, from, formats...)}
	if w, ok := from.(*webm); ok {
		f.lasts = w.lasts
	}
	return f, nil
}

// OpenFilm opens files that are played together from their beginnings: a WebM
// or Matroska file alone, or an IVF or H.264 file, an Ogg file or both. What a
// file is follows from what is in it and not from its name. Errors are a
// [*FileError].
func OpenFilm(o *FileOptions, paths ...string) (*Film, error) {
	both := &mergedParts{}
	var formats []format
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			_ = both.Close() // was only read
			return nil, openError(path, err)
		}
		from, of, err := readAny(input{file, file.Close}, o)
		if err == nil {
			err = checkFormats(append(slices.Clone(formats), of...))
		}
		if err != nil {
			_, _ = file.Close(), both.Close() // were only read
			return nil, openError(path, err)
		}
		formats = append(formats, of...)
		both.parts = append(both.parts, part{frames: from, tracks: len(of)})
	}
	switch len(both.parts) {
	case 0:
		return nil, openError("", fmt.Errorf("no file: %w", ErrEmpty))
	case 1:
		from := both.parts[0].frames
		return newFilm(paths[0], input{}, o, func(input) (frames, []format, error) { return from, formats, nil })
	}
	if formats[0].kind() == webrtc.RTPCodecTypeAudio { // the picture leads
		slices.Reverse(formats)
		slices.Reverse(both.parts)
	}
	return newFilm(strings.Join(paths, " and "), input{}, o, func(input) (frames, []format, error) { return both, formats, nil })
}

// readAny reads whatever it is.
func readAny(in input, o *FileOptions) (frames, []format, error) {
	head, err := bufio.NewReaderSize(in, 16).Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	if _, err = in.Seek(0, io.SeekStart); err != nil {
		return nil, nil, err
	}
	read := readH264(o)
	switch string(head) {
	case "":
		return nil, nil, fmt.Errorf("empty file: %w", ErrEmpty)
	case "\x1a\x45\xdf\xa3":
		return readWebM(in)
	case "DKIF":
		read = readIVF
	case "OggS":
		read = readOgg
	case "\x00\x00\x00\x01":
	default:
		if string(head[:min(3, len(head))]) != "\x00\x00\x01" {
			return nil, nil, foreignFileError(head, "a WebM, IVF, Ogg or H.264 file")
		}
	}
	from, f, err := read(in)
	return from, []format{f}, err
}

// checkFormats reports whether these tracks make a film.
func checkFormats(formats []format) error {
	var kinds [3]int
	for _, f := range formats {
		if kinds[f.kind()]++; kinds[f.kind()] > 1 {
			return fmt.Errorf("a second %s track in one film %w", f.kind(), ErrUnsupported)
		}
	}
	return nil
}

// Tracks returns what there is, the picture first: one Source or two.
func (f *Film) Tracks() []*Source { return slices.Clone(f.reel.tracks) }

// Video returns the picture, nil if there is none.
func (f *Film) Video() *Source { return f.track(webrtc.RTPCodecTypeVideo) }

// Audio returns the sound, nil if there is none.
func (f *Film) Audio() *Source { return f.track(webrtc.RTPCodecTypeAudio) }

func (f *Film) track(kind webrtc.RTPCodecType) *Source {
	for _, s := range f.reel.tracks {
		if s.Kind() == kind {
			return s
		}
	}
	return nil
}

// Duration returns how long the film is if its file says so, as a completed WebM file does,
// otherwise 0.
func (f *Film) Duration() time.Duration { return f.lasts }

// Seek makes playing go on at the latest key frame that is due at or before
// at, as [Source.Seek] does.
func (f *Film) Seek(at time.Duration) { f.reel.seek(at) }

// Close ends all tracks for good and lets go of the files. It may be called more than once.
func (f *Film) Close() error { return f.reel.close(f.reel.tracks...) }

// Done is closed when nothing more will be sent: after Close, and at the end
// of a film that is played once.
func (f *Film) Done() <-chan struct{} { return f.reel.done }

// Err is as [Source.Err].
func (f *Film) Err() error { return f.reel.failure() }

// mergedParts plays the frames of several files in the order of their times.
type mergedParts struct{ parts []part }

// part is one of the files.
type part struct {
	frames
	tracks int
	ahead  frame // if ready: the next one
	ready  bool
	err    error // why there is no further one
}

func (p *part) fill() {
	if !p.ready && p.err == nil {
		p.ahead, p.err = p.frames.next()
		p.ready = p.err == nil
	}
}

func (t *mergedParts) next() (frame, error) {
	first, track := -1, 0
	for i := range t.parts {
		p := &t.parts[i]
		if p.fill(); p.ready && (first < 0 || p.ahead.at < t.parts[first].ahead.at) {
			first = i
		}
	}
	if first < 0 {
		for _, p := range t.parts {
			if !errors.Is(p.err, io.EOF) {
				return frame{}, p.err
			}
		}
		return frame{}, io.EOF
	}
	for i := range first {
		track += t.parts[i].tracks
	}
	p := &t.parts[first]
	p.ready = false
	f := p.ahead
	f.track += track
	return f, nil
}

func (t *mergedParts) end() time.Duration {
	return slices.MaxFunc(t.parts, func(a, b part) int { return cmp.Compare(a.end(), b.end()) }).end()
}

// seek lets the first part, the picture, say where to.
func (t *mergedParts) seek(at time.Duration) error {
	for i := range t.parts {
		p := &t.parts[i]
		p.ready, p.err = false, nil
		if err := p.frames.seek(at); err != nil {
			return err
		}
		if p.fill(); i == 0 && p.ready {
			at = p.ahead.at
		}
	}
	return nil
}

func (t *mergedParts) Close() error {
	var errs []error
	for _, p := range t.parts {
		errs = append(errs, p.frames.Close())
	}
	return errors.Join(errs...)
}
