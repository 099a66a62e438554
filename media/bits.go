package media

import (
	"encoding/binary"
	"fmt"

	"github.com/pion/rtp/codecs/av1/obu"
	"github.com/pion/rtp/codecs/vp9"
)

// bitReader reads bits, the highest first. Behind the end it reads zeros.
type bitReader struct {
	b  []byte
	at int
}

func (r *bitReader) bits(n int) (v uint32) {
	for range n {
		v <<= 1
		if i := r.at / 8; i < len(r.b) {
			v |= uint32(r.b[i]>>(7-r.at%8)) & 1
		}
		r.at++
	}
	return v
}

func (r *bitReader) flag() bool { return r.bits(1) == 1 }

// golomb reads an Exp-Golomb number (H.264 section 9.1), and 0 in place of an absurd one.
func (r *bitReader) golomb() uint32 {
	zeros := 0
	for !r.flag() {
		if zeros++; zeros > 31 {
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

func (r *bitReader) skipGolomb(n int) {
	for range n {
		r.golomb()
	}
}

func (r *bitReader) over() bool { return r.at > 8*len(r.b) }

// NAL unit types of H.264, table 7-1.
const (
	nalSlice     = 1
	nalSliceA    = 2
	nalSliceB    = 3
	nalSliceC    = 4
	nalIDR       = 5
	nalSEI       = 6
	nalSPS       = 7
	nalPPS       = 8
	nalDelimiter = 9
)

// nalOf returns the first NAL unit of that type among units that have their
// lengths, in four bytes, before them.
func nalOf(units []byte, kind byte) []byte {
	for len(units) > 4 {
		size := binary.BigEndian.Uint32(units)
		units = units[4:]
		if uint64(size) > uint64(len(units)) {
			return nil
		}
		if size > 0 && units[0]&0x1f == kind {
			return units[:size]
		}
		units = units[size:]
	}
	return nil
}

// unescape appends a unit without its emulation prevention bytes (H.264
// section 7.4.1).
func unescape(out, nal []byte) []byte {
	zeros := 0
	for _, v := range nal {
		if zeros >= 2 && v == 3 {
			zeros = 0
			continue
		}
		if v != 0 {
			zeros = -1
		}
		zeros++
		out = append(out, v)
	}
	return out
}

// sequence is what a sequence parameter set says (H.264 section 7.3.2.1.1).
type sequence struct {
	id            uint32
	width, height int
	chroma        uint32 // 1: 4:2:0
	planes        bool   // whose pictures are three apart
	deep          bool   // more than 8 bits
	numberBits    int    // of a picture's number
	orderType     uint32 // how the times of display are coded
	orderBits     int    // of that, for type 0
	framesOnly    bool
}

// maxSequence is how much of a sequence parameter set is looked at.
const maxSequence = 4 << 10

func parseSPS(sps []byte) (q sequence, err error) {
	if len(sps) < 4 {
		return q, fmt.Errorf("%w: a sequence parameter set of %d bytes", ErrDamaged, len(sps))
	}
	r := &bitReader{b: unescape(nil, sps[1:min(len(sps), maxSequence)])}
	profile := r.bits(8)
	r.bits(16)
	q.id = r.golomb()
	q.chroma = 1
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128:
		if q.chroma = r.golomb(); q.chroma == 3 {
			q.planes = r.flag()
		}
		luma, chroma := r.golomb(), r.golomb()
		q.deep = luma > 0 || chroma > 0
		r.bits(1)
		if r.flag() {
			r.scalingLists(q.chroma)
		}
	}
	q.numberBits = int(min(r.golomb(), 12)) + 4
	switch q.orderType = r.golomb(); q.orderType {
	case 0:
		q.orderBits = int(min(r.golomb(), 12)) + 4
	case 1:
		r.bits(1)
		r.skipGolomb(2)
		r.skipGolomb(int(min(r.golomb(), 255)))
	}
	r.golomb()
	r.bits(1)
	q.width, q.height = 16*int(r.golomb()+1), 16*int(r.golomb()+1)
	cropX, cropY := 2, 2
	if q.framesOnly = r.flag(); !q.framesOnly {
		q.height, cropY = 2*q.height, 4
		r.bits(1)
	}
	r.bits(1)
	if r.flag() {
		q.width -= cropX * int(r.golomb()+r.golomb())
		q.height -= cropY * int(r.golomb()+r.golomb())
	}
	if r.over() {
		q.width = 0
	}
	_, _, err = checkSize("H.264", q.width, q.height)
	return q, err
}

// sizeH264 returns the size of the pictures of a sequence.
func sizeH264(sps []byte) (width, height int, err error) {
	q, err := parseSPS(sps)
	if err == nil && q.chroma != 1 {
		err = fmt.Errorf("H.264 whose colours are not 4:2:0 %w", ErrCodec)
	}
	return q.width, q.height, err
}

func (r *bitReader) scalingLists(chroma uint32) {
	lists := 8
	if chroma == 3 {
		lists = 12
	}
	for i := range lists {
		if !r.flag() {
			continue
		}
		size := 16
		if i >= 6 {
			size = 64
		}
		last, next := 8, 8
		for range size {
			if next != 0 {
				delta := int(r.golomb())
				if delta&1 == 0 {
					delta = -delta / 2
				} else {
					delta = (delta + 1) / 2
				}
				next = (last + delta + 256) % 256
			}
			if next != 0 {
				last = next
			}
		}
	}
}

func checkSize(codec string, width, height int) (int, int, error) {
	if width < 1 || height < 1 || width > 1<<16 || height > 1<<16 {
		return 0, 0, fmt.Errorf("%w: %s of %d×%d pixels", ErrDamaged, codec, width, height)
	}
	return width, height, nil
}

// av1OBU is an OBU of a temporal unit, whole and as its payload.
type av1OBU struct {
	kind           obu.Type
	whole, payload []byte
	rest           []byte // behind it
}

// obuIn returns the first OBU of a temporal unit; false: there is none that has
// its size.
func obuIn(unit []byte) (av1OBU, bool) {
	if len(unit) == 0 {
		return av1OBU{}, false
	}
	h, err := obu.ParseOBUHeader(unit)
	if err != nil || !h.HasSizeField {
		return av1OBU{}, false
	}
	size, n, err := obu.ReadLeb128(unit[h.Size():])
	start := h.Size() + int(n)
	if err != nil || uint64(size) > uint64(len(unit)-start) {
		return av1OBU{}, false
	}
	end := start + int(size)
	return av1OBU{h.Type, unit[:end], unit[start:end], unit[end:]}, true
}

// sequenceAV1 returns the sequence header OBU of a temporal unit, whole and as
// its payload.
func sequenceAV1(unit []byte) (whole, payload []byte) {
	for o, ok := obuIn(unit); ok; o, ok = obuIn(o.rest) {
		if o.kind == obu.OBUSequenceHeader {
			return o.whole, o.payload
		}
	}
	return nil, nil
}

// sizeAV1 reads a sequence header (AV1 section 5.5.1) as far as the size.
func sizeAV1(sequence []byte) (width, height int, level byte, err error) {
	r := &bitReader{b: sequence}
	r.bits(4)
	if r.flag() { // reduced_still_picture_header
		level = byte(r.bits(5))
	} else {
		level = r.operatingPoints()
	}
	w, h := int(r.bits(4))+1, int(r.bits(4))+1
	width, height = int(r.bits(w))+1, int(r.bits(h))+1
	if r.over() {
		width = 0
	}
	width, height, err = checkSize("AV1", width, height)
	return width, height, level, err
}

func (r *bitReader) operatingPoints() (level byte) {
	delay := 0 // bits of a decoder model's delays; 0: no model
	if r.flag() {
		r.bits(32)
		r.bits(32)
		if r.flag() {
			r.golomb()
		}
		if r.flag() {
			delay = int(r.bits(5)) + 1
			r.bits(32)
			r.bits(10)
		}
	}
	display := r.flag()
	for i := range r.bits(5) + 1 {
		r.bits(12)
		l := byte(r.bits(5))
		if i == 0 {
			level = l
		}
		if l > 7 {
			r.bits(1)
		}
		if delay > 0 && r.flag() {
			r.bits(delay)
			r.bits(delay)
			r.bits(1)
		}
		if display && r.flag() {
			r.bits(4)
		}
	}
	return level
}

// sizeOf returns the size of a key frame.
func sizeOf(codec string, first []byte) (width, height int, err error) {
	switch codec {
	case "vp8":
		if len(first) < 10 {
			return 0, 0, notKeyError("VP8")
		}
		width, height = int(binary.LittleEndian.Uint16(first[6:])&0x3fff), int(binary.LittleEndian.Uint16(first[8:])&0x3fff)
		return checkSize("VP8", width, height)
	case "vp9":
		var h vp9.Header
		if h.Unmarshal(first) != nil {
			return 0, 0, notKeyError("VP9")
		}
		return checkSize("VP9", int(h.Width()), int(h.Height()))
	case "h264":
		return sizeH264(nalOf(first, nalSPS))
	}
	_, sequence := sequenceAV1(first)
	width, height, _, err = sizeAV1(sequence)
	return width, height, err
}
