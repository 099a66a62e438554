package media

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"math"
	"math/bits"
)

// ebmlReader reads the elements of an EBML file one after the other. A size in
// the file is believed only as far as there are bytes: nothing is allocated
// for what is not there, and what is skipped is not read.
type ebmlReader struct {
	file io.ReadSeeker
	buf  *bufio.Reader
	pos  int64 // of the next byte
	size int64 // of the file
}

// ebmlUnknown is the size of an element that says it goes on until another
// begins that cannot be in it.
const ebmlUnknown = math.MaxInt64

func newEBML(file io.ReadSeeker) (*ebmlReader, error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	r := &ebmlReader{file: file, buf: bufio.NewReaderSize(file, 32<<10), size: size}
	return r, r.goTo(0)
}

func (r *ebmlReader) goTo(pos int64) error {
	if _, err := r.file.Seek(pos, io.SeekStart); err != nil {
		return err
	}
	r.buf.Reset(r.file)
	r.pos = pos
	return nil
}

// next reads an element's id and size; io.EOF at the end of the file.
func (r *ebmlReader) next() (id uint32, size int64, err error) {
	at := r.pos
	raw, _, err := r.vint(4)
	if err != nil {
		return 0, 0, err
	}
	length, width, err := r.vint(8)
	if err != nil {
		return 0, 0, truncation(err, "the element at byte %d", at)
	}
	if length &= 1<<(7*width) - 1; length == 1<<(7*width)-1 {
		return uint32(raw), ebmlUnknown, nil
	}
	return uint32(raw), int64(length), nil
}

// vint reads a number of variable length (RFC 8794 section 4) with its length
// marker.
func (r *ebmlReader) vint(most int) (v uint64, width int, err error) {
	first, err := r.buf.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	r.pos++
	if width = bits.LeadingZeros8(first) + 1; width > most {
		return 0, 0, fmt.Errorf("%w: no element begins at byte %d", ErrDamaged, r.pos-1)
	}
	v = uint64(first)
	for range width - 1 {
		b, err := r.buf.ReadByte()
		if err != nil {
			return 0, 0, truncation(err, "the element at byte %d", r.pos)
		}
		r.pos++
		v = v<<8 | uint64(b)
	}
	return v, width, nil
}

// fits reports whether there are so many bytes more.
func (r *ebmlReader) fits(size int64) bool { return size <= r.size-r.pos }

// bytes reads an element of at most most bytes into b.
func (r *ebmlReader) bytes(b []byte, size, most int64) ([]byte, error) {
	switch {
	case size > most:
		return b[:0], fmt.Errorf("%w: the element at byte %d has %s, more than %d", ErrDamaged, r.pos, ebmlSize(size), most)
	case !r.fits(size):
		return b[:0], fmt.Errorf("%w in the element at byte %d", ErrTruncated, r.pos)
	}
	if b = b[:0]; int64(cap(b)) < size {
		b = make([]byte, 0, size)
	}
	b = b[:size]
	n, err := io.ReadFull(r.buf, b)
	r.pos += int64(n)
	return b, truncation(err, "the element at byte %d", r.pos)
}

func ebmlSize(size int64) string {
	if size == ebmlUnknown {
		return "no size"
	}
	return fmt.Sprintf("%d bytes", size)
}

// skip goes on behind an element.
func (r *ebmlReader) skip(size int64) error {
	switch {
	case size == ebmlUnknown:
		return fmt.Errorf("%w: an element of no size ends at byte %d", ErrDamaged, r.pos)
	case !r.fits(size):
		return fmt.Errorf("%w in the element at byte %d", ErrTruncated, r.pos)
	case size <= int64(r.buf.Buffered()):
		n, err := r.buf.Discard(int(size))
		r.pos += int64(n)
		return err
	}
	return r.goTo(r.pos + size)
}

// ebmlElement is an element within another that was read whole.
type ebmlElement struct {
	id   uint32
	data []byte
}

// elementsIn takes b apart, one element at a time: an element may have two
// bytes, and a list of them many times what it is made of. What does not fit
// into b ends it.
func elementsIn(b []byte) iter.Seq[ebmlElement] {
	return func(yield func(ebmlElement) bool) {
		for rest := b; len(rest) > 0; {
			id, n, ok := vintIn(rest, 4)
			if !ok {
				return
			}
			size, m, ok := vintIn(rest[n:], 8)
			size &= 1<<(7*m) - 1
			if rest = rest[n+m:]; !ok || size > uint64(len(rest)) || !yield(ebmlElement{uint32(id), rest[:size]}) {
				return
			}
			rest = rest[size:]
		}
	}
}

// vintIn reads a number of variable length, with its marker, off b.
func vintIn(b []byte, most int) (v uint64, width int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	if width = bits.LeadingZeros8(b[0]) + 1; width > most || width > len(b) {
		return 0, 0, false
	}
	for _, c := range b[:width] {
		v = v<<8 | uint64(c)
	}
	return v, width, true
}

func (e ebmlElement) number() (v uint64) {
	for _, c := range e.data[:min(len(e.data), 8)] {
		v = v<<8 | uint64(c)
	}
	return v
}

// float returns 0 for what is none.
func (e ebmlElement) float() float64 {
	switch len(e.data) {
	case 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(e.data)))
	case 8:
		return math.Float64frombits(binary.BigEndian.Uint64(e.data))
	}
	return 0
}
