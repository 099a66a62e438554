package media

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// OpenH264 opens an H.264 byte stream (Annex B, the format of .h264 files)
// without B-frames. Playing begins with its first IDR picture; parameter sets
// may stand anywhere before it, and go before each IDR picture that follows.
// B-frames are refused with [ErrUnsupported], those behind the first 250
// pictures or 4 MiB when playing comes to them. Such a file holds no times:
// [FileOptions].FPS says how fast it is played. Errors are a [*FileError].
func OpenH264(path string, o *FileOptions) (*Source, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	return newFile(path, input{file, file.Close}, o, readH264(o))
}

// NewH264 is [OpenH264] of what r holds. The Source reads r until it is closed
// and never closes it.
func NewH264(r io.ReadSeeker, o *FileOptions) (*Source, error) {
	return newFile("", input{r, nil}, o, readH264(o))
}

// annexB reads pictures out of a byte stream.
type annexB struct {
	input
	buf     *bufio.Reader
	fps     int
	nal     []byte // read, and not yet part of a picture
	avc     avc
	begun   bool // with a picture that can be decoded by itself
	number  int  // of pictures
	halves  int  // of pictures, twice: a field is half of one
	skipped int  // pictures before the first
	pos     int64
	nalAt   int64 // where nal begins, with its start code
	latest  h264Mark
}

// h264Mark is the latest key frame, with the parameter sets that it needs.
type h264Mark struct {
	due            time.Duration
	known          bool
	pos            int64
	number, halves int
	sets           []byte
}

// leadIn is how many pictures may lie before the first that can be decoded by
// itself, as in what was cut out of a longer stream.
const leadIn = 1000

func readH264(o *FileOptions) func(input) (frames, format, error) {
	fps := 30
	if o != nil {
		fps = min(max(cmp.Or(o.FPS, fps), 1), 120)
	}
	return func(in input) (frames, format, error) {
		r := &annexB{input: in, buf: bufio.NewReaderSize(in, 32<<10), fps: fps}
		head, err := r.buf.Peek(4)
		switch {
		case errors.Is(err, io.EOF) && len(head) == 0:
			return nil, format{}, fmt.Errorf("empty file: %w", ErrEmpty)
		case err != nil && !errors.Is(err, io.EOF):
			return nil, format{}, err
		case !bytes.HasPrefix(head, startCode) && !bytes.HasPrefix(head, []byte{0, 0, 0, 1}):
			head, _ = r.buf.Peek(8)
			return nil, format{}, foreignFileError(head, "an H.264 byte stream")
		}
		first, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil, format{}, fmt.Errorf("an H.264 byte stream with %w", ErrEmpty)
		}
		if err != nil {
			return nil, format{}, err
		}
		profile, err := firstH264(first.data)
		if err != nil {
			return nil, format{}, err
		}
		for seen := 0; seen < aheadBytes && r.number < aheadPictures && err == nil; {
			var f frame
			f, err = r.next()
			seen += len(f.data)
		}
		return r, formatH264(profile), refusalOf(err)
	}
}

// next returns the NAL units up to where the next picture begins (H.264
// section 7.4.1.2.3).
func (r *annexB) next() (frame, error) {
	for {
		data, key, at, err := r.picture()
		switch {
		case err != nil && errors.Is(err, io.EOF) && r.skipped > 0 && !r.begun:
			return frame{}, r.avc.noKey(r.skipped)
		case err != nil:
			return frame{}, err
		case !r.begun && !key:
			if r.skipped++; r.skipped == leadIn {
				return frame{}, r.avc.noKey(r.skipped)
			}
			continue
		}
		f := frame{at: r.end(), key: key, data: data}
		if key {
			r.latest = h264Mark{f.at, true, at, r.number, r.halves, append(r.latest.sets[:0], r.avc.sets()...)}
		}
		r.begun = true
		r.number++
		if r.halves++; !r.avc.field {
			r.halves++
		}
		return f, nil
	}
}

// picture reads one picture; at is where it begins.
func (r *annexB) picture() (data []byte, key bool, at int64, err error) {
	r.avc.begin()
	at = -1
	slices := false
	for {
		if len(r.nal) == 0 {
			err := r.read()
			if err != nil && (!errors.Is(err, io.EOF) || !slices) { // parameter sets without a picture are none
				return nil, false, 0, err
			}
		}
		if at < 0 {
			at = r.nalAt
		}
		if slices && (len(r.nal) == 0 || beginsPicture(r.nal)) {
			data, key, err := r.avc.finish()
			if err != nil {
				err = fmt.Errorf("picture %d: %w", r.number, err)
			}
			return data, key, at, err
		}
		slices = slices || pictureUnit(r.nal)
		if err := r.avc.add(r.nal); err != nil {
			return nil, false, 0, fmt.Errorf("%w (picture %d)", err, r.number)
		}
		r.nal = r.nal[:0]
	}
}

// read reads the next NAL unit into r.nal; io.EOF behind the last.
func (r *annexB) read() error {
	r.nal = r.nal[:0]
	zeros := 0 // read, and not yet known to belong to the unit
	for {
		v, err := r.buf.ReadByte()
		r.pos++
		switch {
		case errors.Is(err, io.EOF) && len(r.nal) > 0:
			return nil
		case err != nil:
			r.nal = r.nal[:0]
			return err
		case v == 0:
			zeros++
			continue
		case v == 1 && zeros >= 2:
			if zeros = 0; len(r.nal) > 0 {
				return nil // its start code is read: the next begins here
			}
			continue
		case len(r.nal)+zeros >= maxFrame:
			return fmt.Errorf("%w: a unit of picture %d has more than %d bytes", ErrDamaged, r.number, maxFrame)
		}
		if len(r.nal) == 0 {
			r.nalAt = r.pos - int64(len(startCode)) - 1
		}
		for ; zeros > 0; zeros-- {
			r.nal = append(r.nal, 0)
		}
		r.nal = append(r.nal, v)
	}
}

// pictureUnit reports whether a unit is of a picture.
func pictureUnit(nal []byte) bool {
	kind := nal[0] & 0x1f
	return len(nal) > 1 && kind >= nalSlice && kind <= nalIDR
}

// beginsPicture reports whether a unit behind a picture belongs to the next
// one: a delimiter, parameters, or a slice that begins with the first macroblock.
func beginsPicture(nal []byte) bool {
	switch kind := nal[0] & 0x1f; kind {
	case nalSlice, nalSliceA, nalIDR:
		return len(nal) > 1 && nal[1]&0x80 != 0
	default:
		return kind >= nalSEI && kind <= nalDelimiter
	}
}

func (r *annexB) end() time.Duration {
	return time.Duration(r.halves) * time.Second / time.Duration(2*r.fps)
}

func (r *annexB) seek(at time.Duration) error {
	if k := r.latest; k.known && k.due == at { // a request for a key frame does not make the file be read again
		r.avc.restore(k.sets)
		r.nal, r.begun, r.number, r.halves, r.pos = r.nal[:0], true, k.number, k.halves, k.pos
		return r.goTo(r.buf, k.pos)
	}
	return seekByReading(r, at)
}

func (r *annexB) rewind() error {
	r.avc.restore(nil)
	r.nal, r.begun, r.number, r.halves, r.skipped, r.pos = r.nal[:0], false, 0, 0, 0, 0
	return r.goTo(r.buf, 0)
}
