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

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

// OpenH264 opens an H.264 byte stream (Annex B, the format of .h264 files)
// without B-frames and reads as far as its first picture, which must be an IDR
// picture with its parameter sets. Such a file holds no times:
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
	buf    *bufio.Reader
	fps    int
	nal    []byte // read, and not yet part of a picture; with its start code
	data   []byte
	number int
}

func payloadH264() rtp.Payloader { return &codecs.H264Payloader{} }

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
		case !bytes.HasPrefix(head, []byte{0, 0, 1}) && !bytes.HasPrefix(head, []byte{0, 0, 0, 1}):
			head, _ = r.buf.Peek(8)
			return nil, format{}, foreign(head, "an H.264 byte stream")
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
		f := format{mime: webrtc.MimeTypeH264, clock: 90000, payloader: payloadH264, profile: profile}
		return r, f, nil
	}
}

// next returns the NAL units up to where the next picture begins (H.264
// section 7.4.1.2.3).
func (r *annexB) next() (frame, error) {
	r.data = append(r.data[:0], r.nal...)
	picture := pictureUnit(r.nal)
	r.nal = r.nal[:0]
	for {
		err := r.read()
		over := errors.Is(err, io.EOF)
		if err != nil && (!over || !picture) { // parameter sets without a picture are none
			return frame{}, err
		}
		if over || picture && beginsPicture(r.nal) {
			f := frame{at: r.end(), key: annexBUnit(r.data, nalIDR) != nil && annexBUnit(r.data, nalSPS) != nil, data: r.data}
			r.number++
			return f, nil
		}
		picture = picture || pictureUnit(r.nal)
		r.data = append(r.data, r.nal...)
		r.nal = r.nal[:0]
		if len(r.data) > maxFrame {
			return frame{}, fmt.Errorf("%w: picture %d has more than %d bytes", ErrDamaged, r.number, maxFrame)
		}
	}
}

// read reads the next NAL unit into r.nal; io.EOF behind the last.
func (r *annexB) read() error {
	r.nal = append(r.nal[:0], 0, 0, 1)
	zeros := 0 // in a row, at the end of what was read
	for {
		v, err := r.buf.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && len(r.nal)-zeros > 3:
			r.nal = r.nal[:len(r.nal)-zeros]
			return nil
		case err != nil:
			r.nal = r.nal[:0]
			return err
		case v == 1 && zeros >= 2:
			r.nal = r.nal[:len(r.nal)-zeros]
			if len(r.nal) > 3 {
				return nil
			}
			zeros = 0
			continue
		case v == 0:
			zeros++
		default:
			zeros = 0
		}
		if r.nal = append(r.nal, v); len(r.nal) > maxFrame {
			return fmt.Errorf("%w: a unit of picture %d has more than %d bytes", ErrDamaged, r.number, maxFrame)
		}
	}
}

// pictureUnit reports whether a unit, behind its start code, is of a picture.
func pictureUnit(nal []byte) bool {
	return len(nal) > 4 && nal[3]&0x1f >= 1 && nal[3]&0x1f <= nalIDR
}

// beginsPicture reports whether a unit behind a picture belongs to the next
// one: a delimiter, parameters, or a slice that begins with the first macroblock.
func beginsPicture(nal []byte) bool {
	if pictureUnit(nal) {
		return nal[4]&0x80 != 0
	}
	kind := nal[3] & 0x1f
	return kind >= 6 && kind <= 9
}

// annexBUnit returns the first NAL unit of that type.
func annexBUnit(data []byte, kind byte) []byte {
	for nal := range bytes.SplitSeq(data, []byte{0, 0, 1}) {
		if len(nal) > 3 && nal[0]&0x1f == kind {
			return nal
		}
	}
	return nil
}

func (r *annexB) end() time.Duration {
	return time.Duration(r.number) * time.Second / time.Duration(r.fps)
}

func (r *annexB) seek(at time.Duration) error { return seekByReading(r, at) }

func (r *annexB) rewind() error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r.buf.Reset(r.input)
	r.nal, r.number = r.nal[:0], 0
	return nil
}
