package media

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

var errNoPage = fmt.Errorf("%w: no Ogg page begins", ErrDamaged)

// oggPages reads the pages of an Ogg file (RFC 3533 section 6).
type oggPages struct {
	from   *bufio.Reader
	number int // of pages read

	flags   byte
	serial  uint32
	lacing  []byte // segment sizes not yet taken
	payload []byte // their bytes
	page    [27 + 255 + 255*255]byte
}

func (p *oggPages) continues() bool { return p.flags&1 != 0 }

func (p *oggPages) begins() bool { return p.flags&2 != 0 }

func (p *oggPages) ends() bool { return p.flags&4 != 0 }

func (p *oggPages) skip() { p.lacing, p.payload = nil, nil }

func (p *oggPages) reset(from io.Reader) {
	p.from.Reset(from)
	p.number, p.flags = 0, 0
	p.skip()
}

// read reads the next page; io.EOF behind the last.
func (p *oggPages) read() error {
	p.skip()
	n, err := io.ReadFull(p.from, p.page[:27])
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case n == 0 && err != nil:
		return err
	case !strings.HasPrefix("OggS", string(p.page[:min(n, 4)])):
		if p.number == 0 {
			return foreignFileError(p.page[:min(n, 8)], "an Ogg file")
		}
		return fmt.Errorf("%w behind page %d", errNoPage, p.number)
	case err != nil:
		return truncation(err, "the header of Ogg page %d", p.number+1)
	case p.page[4] != 0:
		return fmt.Errorf("version %d of Ogg %w, only 0 can", p.page[4], ErrUnsupported)
	}
	body := 27 + int(p.page[26])
	if _, err := io.ReadFull(p.from, p.page[27:body]); err != nil {
		return truncation(err, "the header of Ogg page %d", p.number+1)
	}
	end := body
	for _, size := range p.page[27:body] {
		end += int(size)
	}
	if _, err := io.ReadFull(p.from, p.page[body:end]); err != nil {
		return truncation(err, "Ogg page %d", p.number+1)
	}
	sum := binary.LittleEndian.Uint32(p.page[22:])
	clear(p.page[22:26])
	if oggSum(p.page[:end]) != sum {
		return fmt.Errorf("%w: wrong checksum of Ogg page %d", ErrDamaged, p.number+1)
	}
	p.number++
	p.flags, p.serial = p.page[5], binary.LittleEndian.Uint32(p.page[14:])
	p.lacing, p.payload = p.page[27:body], p.page[body:end]
	return nil
}

// granule is where the last packet that ends on the page ends; false: none does.
func (p *oggPages) granule() (int64, bool) {
	at := binary.LittleEndian.Uint64(p.page[6:])
	return int64(at), at <= math.MaxInt64
}

// lasts is how long the Opus packets last that end on the page, of the first of which
// before is what came on earlier ones.
func (p *oggPages) lasts(before []byte) (all time.Duration) {
	var head [2]byte // of a packet: all that its length follows from
	n := copy(head[:], before)
	rest := p.payload
	for _, size := range p.lacing {
		n += copy(head[n:], rest[:size])
		if rest = rest[size:]; size < 255 {
			if lasts, ok := opusDuration(head[:n]); ok {
				all += lasts
			}
			n = 0
		}
	}
	return all
}

// segment takes the next segment off the page. More: its packet goes on in the
// next one. False: the page is used up.
func (p *oggPages) segment() (segment []byte, more, ok bool) {
	if len(p.lacing) == 0 {
		return nil, false, false
	}
	size := p.lacing[0]
	segment = p.payload[:size]
	p.lacing, p.payload = p.lacing[1:], p.payload[size:]
	return segment, size == 255, true
}

var oggSums = func() (table [256]uint32) {
	for i := range table {
		r := uint32(i) << 24
		for range 8 {
			r = r<<1 ^ (r>>31)*0x04c11db7
		}
		table[i] = r
	}
	return
}()

// oggSum is Ogg's checksum: the CRC-32 polynomial, neither reflected nor inverted.
func oggSum(b []byte) (sum uint32) {
	for _, v := range b {
		sum = sum<<8 ^ oggSums[byte(sum>>24)^v]
	}
	return sum
}
