package media

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"time"

	"github.com/pion/webrtc/v4"
)

// OpenIVF opens an IVF file with VP8, VP9 or AV1 and reads as far as its first
// frame, which must be a key frame. Nil options play it over and over. Errors
// are a [*FileError].
func OpenIVF(path string, o *FileOptions) (*Source, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	return newFile(path, input{file, file.Close}, o, readIVF)
}

// NewIVF is [OpenIVF] of what r holds. The Source reads r until it is closed
// and never closes it.
func NewIVF(r io.ReadSeeker, o *FileOptions) (*Source, error) {
	return newFile("", input{r, nil}, o, readIVF)
}

const (
	ivfHeader      = 32
	ivfFrameHeader = 12
	ivfShortest    = time.Millisecond // hidden frames share a timestamp with a shown one
	ivfLonely      = time.Second / 30 // how long the only frame of a file lasts
)

// ivf reads an IVF file: a 32-byte header, then frames of a 12-byte header
// (size, timestamp) and their bytes, all little endian.
type ivf struct {
	input
	buf    *bufio.Reader
	frame  []byte
	number int
	format format

	tickNum, tickDen uint64 // a tick lasts tickNum/tickDen seconds
	first            uint64 // the first frame's timestamp, in ticks
	at, gap          time.Duration

	pos int64 // of the next byte
	key ivfMark
}

// ivfMark is the latest key frame, with what was known before it.
type ivfMark struct {
	due     time.Duration
	pos     int64 // 0: there was none
	number  int
	at, gap time.Duration
}

// readIVF reads the header and the first frame, and rewinds.
func readIVF(in input) (frames, format, error) {
	r := &ivf{input: in, buf: bufio.NewReaderSize(in, 32<<10)}
	fourCC, err := r.header()
	if err != nil {
		return nil, format{}, err
	}
	f, ok := ivfFormats[fourCC]
	r.format = f
	if !ok {
		return nil, format{}, fmt.Errorf("codec %q in IVF %w, only VP8, VP9 and AV1 can", fourCC, ErrUnsupported)
	}
	first, err := r.next()
	if errors.Is(err, io.EOF) {
		return nil, format{}, fmt.Errorf("an IVF file with a header and %w", ErrEmpty)
	}
	if err != nil {
		return nil, format{}, err
	}
	if f.profile, err = f.check(first.data); err != nil {
		return nil, format{}, err
	}
	return r, f, nil
}

var ivfFormats = map[string]format{
	"VP80": {mime: webrtc.MimeTypeVP8, clock: 90000, payloader: payloadVP8, check: firstVP8},
	"VP90": {mime: webrtc.MimeTypeVP9, clock: 90000, payloader: payloadVP9, check: firstVP9},
	"AV01": {mime: webrtc.MimeTypeAV1, clock: 90000, payloader: payloadAV1, check: firstAV1, bound: boundAV1},
}

// header reads the file's header and returns the codec's four letters.
func (r *ivf) header() (fourCC string, err error) {
	h := make([]byte, ivfHeader)
	n, err := io.ReadFull(r.buf, h)
	switch {
	case errors.Is(err, io.EOF):
		return "", fmt.Errorf("empty file: %w", ErrEmpty)
	case n >= 4 && string(h[:4]) != "DKIF":
		return "", foreignFileError(h[:min(n, 8)], "an IVF file")
	case err != nil:
		return "", truncation(err, "the IVF header, after %d of %d bytes", n, ivfHeader)
	}
	version, length := binary.LittleEndian.Uint16(h[4:]), binary.LittleEndian.Uint16(h[6:])
	r.tickDen, r.tickNum = uint64(binary.LittleEndian.Uint32(h[16:])), uint64(binary.LittleEndian.Uint32(h[20:]))
	switch {
	case version != 0:
		return "", fmt.Errorf("version %d of IVF %w, only 0 can", version, ErrUnsupported)
	case length < ivfHeader:
		return "", fmt.Errorf("%w IVF header: it gives its own length as %d, not %d", ErrDamaged, length, ivfHeader)
	case r.tickDen == 0 || r.tickNum == 0:
		return "", fmt.Errorf("%w IVF header: time base %d/%d", ErrDamaged, r.tickNum, r.tickDen)
	}
	if _, err := r.buf.Discard(int(length) - ivfHeader); err != nil {
		return "", truncation(err, "the IVF header")
	}
	r.pos = int64(length)
	return string(h[8:12]), nil
}

func (r *ivf) next() (frame, error) {
	before := ivfMark{pos: r.pos, number: r.number, at: r.at, gap: r.gap}
	var h [ivfFrameHeader]byte
	if _, err := io.ReadFull(r.buf, h[:]); errors.Is(err, io.EOF) {
		return frame{}, io.EOF
	} else if err != nil {
		return frame{}, truncation(err, "the header of frame %d", r.number)
	}
	size, pts := binary.LittleEndian.Uint32(h[:]), binary.LittleEndian.Uint64(h[4:])
	if size == 0 || size > maxFrame {
		return frame{}, fmt.Errorf("%w: frame %d has %d bytes, want 1 to %d", ErrDamaged, r.number, size, maxFrame)
	}
	if err := r.schedule(pts); err != nil {
		return frame{}, err
	}
	if err := r.read(int(size)); err != nil {
		return frame{}, truncation(err, "frame %d", r.number)
	}
	if r.format.bound != nil {
		if err := r.format.bound(r.frame); err != nil {
			return frame{}, fmt.Errorf("%w (frame %d)", err, r.number)
		}
	}
	r.number++
	r.pos += ivfFrameHeader + int64(size)
	_, notKey := r.format.check(r.frame)
	if notKey == nil {
		before.due = r.at
		r.key = before
	}
	return frame{at: r.at, key: notKey == nil, data: r.frame}, nil
}

// read fills r.frame with the next size bytes. It grows with what is really
// there, so that a lying size costs no memory.
func (r *ivf) read(size int) error {
	r.frame = r.frame[:0]
	for len(r.frame) < size {
		have := len(r.frame)
		r.frame = append(r.frame, make([]byte, min(size-have, 64<<10))...)
		if _, err := io.ReadFull(r.buf, r.frame[have:]); err != nil {
			return err
		}
	}
	return nil
}

// schedule sets when the frame with timestamp pts is due.
func (r *ivf) schedule(pts uint64) error {
	if r.number == 0 {
		r.first, r.at, r.gap = pts, 0, ivfLonely
		return nil
	}
	if pts < r.first {
		return fmt.Errorf("%w: the timestamp of frame %d lies before the first one's", ErrDamaged, r.number)
	}
	at, ok := duration(pts-r.first, r.tickNum, r.tickDen)
	if !ok || at-r.at > absurdPause {
		return fmt.Errorf("%w: frame %d comes more than %v after the one before it", ErrDamaged, r.number, absurdPause)
	}
	if r.at-at > absurdBack {
		return fmt.Errorf("%w: the timestamp of frame %d goes back", ErrDamaged, r.number)
	}
	at = max(at, r.at+ivfShortest)
	r.at, r.gap = at, at-r.at
	return nil
}

// duration returns ticks of num/den seconds each, false if that is absurd.
func duration(ticks, num, den uint64) (time.Duration, bool) {
	high, low := bits.Mul64(ticks, num*uint64(time.Second)) // num < 2³², a second < 2³⁰
	if high >= den {
		return 0, false
	}
	ns, _ := bits.Div64(high, low, den)
	return time.Duration(ns), ns < uint64(365*24*time.Hour)
}

func (r *ivf) end() time.Duration { return r.at + r.gap }

func (r *ivf) seek(at time.Duration) error {
	if k := r.key; k.pos > 0 && k.due == at { // a request for a key frame does not make the file be read again
		r.pos, r.number, r.at, r.gap = k.pos, k.number, k.at, k.gap
		return r.goTo(r.buf, k.pos)
	}
	return seekByReading(r, at)
}

func (r *ivf) rewind() error {
	if err := r.goTo(r.buf, 0); err != nil {
		return err
	}
	r.number = 0
	_, err := r.header()
	return err
}
