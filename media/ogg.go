package media

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// OpenOgg opens an Ogg file with Opus in it (RFC 7845, one or two channels)
// and reads as far as its first packet. Of several streams in the file the
// first Opus stream is played. Nil options play it over and over. Errors are a
// [*FileError].
func OpenOgg(path string, o *FileOptions) (*Source, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	return newFile(path, input{file, file.Close}, o, readOgg)
}

// NewOgg is [OpenOgg] of what r holds. The Source reads r until it is closed
// and never closes it.
func NewOgg(r io.ReadSeeker, o *FileOptions) (*Source, error) {
	return newFile("", input{r, nil}, o, readOgg)
}

// maxOpus is the most that still fits into one datagram; Opus is never split
// over several (RFC 7587 section 4.2).
const maxOpus = 1400

// ogg reads the Opus packets of an Ogg file.
type ogg struct {
	input
	pages  oggPages
	serial uint32 // of the stream that is played
	packet []byte
	at     time.Duration // when the next packet is due
}

// readOgg reads the two headers and the first packet.
func readOgg(in input) (frames, format, error) {
	r := &ogg{input: in, pages: oggPages{from: bufio.NewReaderSize(in, 32<<10)}}
	if err := r.header(); err != nil {
		return nil, format{}, err
	}
	if _, err := r.next(); errors.Is(err, io.EOF) {
		return nil, format{}, fmt.Errorf("an Ogg file with headers and %w", ErrEmpty)
	} else if err != nil {
		return nil, format{}, err
	}
	return r, opusFormat, nil
}

// header finds the first Opus stream and reads its two header packets.
func (r *ogg) header() error {
	other := "" // what the streams before it hold
	for {
		err := r.pages.read()
		switch {
		case errors.Is(err, io.EOF) && r.pages.number == 0:
			return fmt.Errorf("empty file: %w", ErrEmpty)
		case errors.Is(err, io.EOF) || err == nil && !r.pages.begins():
			if other == "" {
				return fmt.Errorf("%w: the first Ogg page begins no stream", ErrDamaged)
			}
			return fmt.Errorf("%s in Ogg %w, only Opus can", other, ErrUnsupported)
		case err != nil:
			return err
		}
		head := r.pages.payload
		if len(head) >= 8 && string(head[:8]) == "OpusHead" {
			r.serial = r.pages.serial
			if err := checkOpusHead(head); err != nil {
				return err
			}
			break
		}
		other = oggCodec(head)
	}
	r.pages.skip()
	if err := r.read(); err != nil { // OpusTags
		return cut(err, "the Opus tags")
	}
	if len(r.packet) < 8 || string(r.packet[:8]) != "OpusTags" {
		return fmt.Errorf("%w: no Opus tags behind the Opus header", ErrDamaged)
	}
	r.at = 0
	return nil
}

// checkOpusHead checks the identification header of RFC 7845 section 5.1.
func checkOpusHead(head []byte) error {
	if len(head) < 19 {
		return fmt.Errorf("%w: an Opus header of %d bytes, want 19", ErrDamaged, len(head))
	}
	switch version, channels, family := head[8], head[9], head[18]; {
	case version > 15:
		return fmt.Errorf("version %d of Opus in Ogg %w", version, ErrUnsupported)
	case channels == 0:
		return fmt.Errorf("%w: an Opus header with no channel", ErrDamaged)
	case channels > 2 || family != 0:
		return fmt.Errorf("sound of %d channels, mapping family %d, %w; only mono and stereo can", channels, family, ErrUnsupported)
	}
	return nil
}

// oggCodec names the codec of a stream by its first bytes.
func oggCodec(head []byte) string {
	for _, known := range [...]struct{ name, magic string }{
		{"Vorbis", "\x01vorbis"}, {"Theora", "\x80theora"}, {"FLAC", "\x7fFLAC"}, {"Speex", "Speex"},
	} {
		if len(head) >= len(known.magic) && string(head[:len(known.magic)]) == known.magic {
			return known.name
		}
	}
	return "an unknown codec"
}

func (r *ogg) next() (frame, error) {
	if err := r.read(); err != nil {
		return frame{}, err
	}
	if len(r.packet) > maxOpus {
		return frame{}, fmt.Errorf("an Opus packet of more than %d bytes %w; encode it with -frame_duration 20 or fewer bits", maxOpus, ErrUnsupported)
	}
	lasts, ok := opusDuration(r.packet)
	if !ok {
		return frame{}, fmt.Errorf("%w: an Opus packet without a length, %v from the start", ErrDamaged, r.at)
	}
	f := frame{at: r.at, key: true, data: r.packet}
	r.at += lasts
	return f, nil
}

// read puts the next packet of the stream into r.packet, or its beginning if
// it is longer than one can be.
func (r *ogg) read() error {
	r.packet = r.packet[:0]
	started := false
	for {
		segment, more, ok := r.pages.segment()
		if !ok {
			err := r.nextPage()
			if errors.Is(err, io.EOF) && started {
				return cut(io.ErrUnexpectedEOF, "an Ogg packet")
			}
			if err != nil {
				return err
			}
			if r.pages.continues() != started {
				return fmt.Errorf("%w: Ogg page %d is not the one that should come here", ErrDamaged, r.pages.number)
			}
			continue
		}
		r.packet = append(r.packet, segment[:min(len(segment), maxOpus+1-min(len(r.packet), maxOpus+1))]...)
		if started = more; !more {
			return nil
		}
	}
}

// nextPage reads up to the next page of our stream that holds something; io.EOF
// behind its last.
func (r *ogg) nextPage() error {
	for {
		if r.pages.serial == r.serial && r.pages.ends() {
			return io.EOF
		}
		if err := r.pages.read(); err != nil {
			return err
		}
		if r.pages.serial == r.serial && len(r.pages.lacing) > 0 {
			return nil
		}
	}
}

func (r *ogg) end() time.Duration { return r.at }

func (r *ogg) seek(at time.Duration) error { return seekByReading(r, at) }

func (r *ogg) rewind() error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r.pages.reset(r.input)
	return r.header()
}

// opusDuration returns how long a packet lasts, from its first byte and count
// (RFC 6716 section 3.1), false if it breaks the rules of section 3.4.
func opusDuration(packet []byte) (time.Duration, bool) {
	if len(packet) == 0 {
		return 0, false
	}
	var one time.Duration
	switch config := packet[0] >> 3; {
	case config < 12: // SILK
		one = [...]time.Duration{10, 20, 40, 60}[config&3] * time.Millisecond
	case config < 16: // hybrid
		one = [...]time.Duration{10, 20}[config&1] * time.Millisecond
	default: // CELT
		one = 2500 * time.Microsecond << (config & 3)
	}
	count := time.Duration(1)
	switch packet[0] & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(packet) < 2 {
			return 0, false
		}
		count = time.Duration(packet[1] & 63)
	}
	return one * count, count > 0 && one*count <= 120*time.Millisecond
}

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
func (p *oggPages) begins() bool    { return p.flags&2 != 0 }
func (p *oggPages) ends() bool      { return p.flags&4 != 0 }
func (p *oggPages) skip()           { p.lacing, p.payload = nil, nil }

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
	case n >= 4 && string(p.page[:4]) != "OggS":
		if p.number == 0 {
			return foreign(p.page[:min(n, 8)], "an Ogg file")
		}
		return fmt.Errorf("%w: no Ogg page begins behind page %d", ErrDamaged, p.number)
	case err != nil:
		return cut(err, "the header of Ogg page %d", p.number+1)
	case p.page[4] != 0:
		return fmt.Errorf("version %d of Ogg %w, only 0 can", p.page[4], ErrUnsupported)
	}
	body := 27 + int(p.page[26])
	if _, err := io.ReadFull(p.from, p.page[27:body]); err != nil {
		return cut(err, "the header of Ogg page %d", p.number+1)
	}
	end := body
	for _, size := range p.page[27:body] {
		end += int(size)
	}
	if _, err := io.ReadFull(p.from, p.page[body:end]); err != nil {
		return cut(err, "Ogg page %d", p.number+1)
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
