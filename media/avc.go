package media

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

const (
	// maxSets bounds the parameter sets that are remembered, which go before
	// each IDR picture: encoders make fewer than a hundred bytes of them.
	maxSets = 4 << 10
	// maxUnits bounds the NAL units of a picture, each of which becomes a packet.
	maxUnits = 4096
	// aheadPictures and aheadBytes are how far opening an H.264 file looks for
	// B-frames.
	aheadPictures = 250
	aheadBytes    = 4 << 20
)

var startCode = []byte{0, 0, 1}

func formatH264(profile string) format {
	return format{mime: webrtc.MimeTypeH264, clock: 90000, payloader: payloadH264, check: firstH264, profile: profile}
}

// payloadH264 sends each parameter set in a packet of its own: a packet of all
// together has room for one of each kind, and loses the others.
func payloadH264() rtp.Payloader { return &codecs.H264Payloader{DisableStapA: true} }

// avc makes of the NAL units of H.264 pictures what a payloader takes: a byte
// stream in which each IDR picture has all parameter sets before it, wherever
// in the file they stand, so that playing can begin there.
type avc struct {
	sps       [32][]byte
	pps       [256][]byte
	sequences [32]sequence // what sps says
	of        [256]uint8   // which of them a pps belongs to
	size      int          // of all sets
	all       []byte       // all sets as a byte stream
	changed   bool         // they are no longer those
	seen      bool         // there was an IDR picture
	scratch   [64]byte
	order     pictureOrder

	// Of the picture that is being put together.
	own, units []byte // its parameter sets, and the rest
	count      int    // of units
	pictures   int    // slices that begin one: two where a picture has two fields
	idr        bool   // it is an IDR picture
	known      bool   // whose parameter sets are known
	field      bool   // it is half of a picture
	back       bool   // it is shown before one that was stored before it
}

// begin begins a picture.
func (a *avc) begin() {
	a.own, a.units = a.own[:0], a.units[:0]
	a.count, a.pictures = 0, 0
	a.idr, a.known, a.field, a.back = false, false, false, false
}

// add takes a unit, without its start code. What browsers do not need, delimiters, padding and
// layers on top, is left out.
func (a *avc) add(nal []byte) error {
	if len(nal) == 0 {
		return nil
	}
	to := &a.units
	switch kind := nal[0] & 0x1f; kind {
	case nalSPS, nalPPS:
		a.remember(nal)
		to = &a.own
	case nalSlice, nalSliceA, nalIDR:
		a.slice(nal)
	case nalSliceB, nalSliceC, nalSEI:
	default:
		return nil
	}
	a.count++
	switch {
	case a.count > maxUnits:
		return fmt.Errorf("%w: a picture of more than %d units", ErrDamaged, maxUnits)
	case len(a.own)+len(a.units)+len(nal) > maxFrame-maxSets:
		return fmt.Errorf("%w: a picture of more than %d bytes", ErrDamaged, maxFrame-maxSets)
	}
	*to = append(append(*to, startCode...), nal...)
	return nil
}

// finish returns the picture, good until the next one is finished, and whether
// playing can begin with it.
func (a *avc) finish() (data []byte, key bool, err error) {
	switch {
	case a.back:
		return nil, false, fmt.Errorf("H.264 with B-frames %w, because a call shows pictures in the order in which they come; encode it with -bf 0", ErrUnsupported)
	case len(a.units) == 0:
		return nil, false, nil // sets alone go with the next key frame
	case a.idr && a.known:
		a.own = append(append(a.own[:0], a.sets()...), a.units...)
	default:
		a.own = append(a.own, a.units...)
	}
	return a.own, a.idr && a.known, nil
}

// noKey says why playing cannot begin with any of so many pictures.
func (a *avc) noKey(pictures int) error {
	if a.seen {
		return fmt.Errorf("%w: no parameter sets belong to its IDR pictures", ErrDamaged)
	}
	return fmt.Errorf("H.264 with no IDR picture among the first %d %w, because a browser begins with no other; encode it with -g 30", pictures, ErrUnsupported)
}

// sets returns all parameter sets.
func (a *avc) sets() []byte {
	if a.changed {
		a.changed, a.all = false, a.all[:0]
		for _, sets := range [...][][]byte{a.sps[:], a.pps[:]} {
			for _, nal := range sets {
				if nal != nil {
					a.all = append(append(a.all, startCode...), nal...)
				}
			}
		}
	}
	return a.all
}

// restore forgets all parameter sets but these.
func (a *avc) restore(sets []byte) {
	*a = avc{own: a.own, units: a.units, all: a.all[:0], order: pictureOrder{highest: math.MinInt64}}
	for nal := range unitsIn(sets) {
		a.remember(nal)
	}
}

// remember keeps a parameter set in place of the one with its id. What is
// absurd is sent as it is, and not kept.
func (a *avc) remember(nal []byte) {
	var place *[]byte
	if nal[0]&0x1f == nalSPS {
		q, err := parseSPS(nal)
		if err != nil || q.id >= uint32(len(a.sps)) {
			return
		}
		place, a.sequences[q.id] = &a.sps[q.id], q
	} else {
		r := bitReader{b: unescape(a.scratch[:0], nal[1:min(len(nal), 32)])}
		id, of := r.golomb(), r.golomb()
		if r.over() || id >= uint32(len(a.pps)) || of >= uint32(len(a.sps)) {
			return
		}
		place, a.of[id] = &a.pps[id], uint8(of)
	}
	if bytes.Equal(*place, nal) {
		return
	}
	if *place != nil {
		a.size -= len(startCode) + len(*place)
	}
	a.changed, *place = true, nil
	if whole := len(startCode) + len(nal); a.size+whole <= maxSets {
		a.size += whole
		*place = bytes.Clone(nal)
	}
}

// slice reads the header of a slice (H.264 section 7.3.3) as far as it says which picture it
// belongs to and when that is shown.
func (a *avc) slice(nal []byte) {
	r := bitReader{b: unescape(a.scratch[:0], nal[1:min(len(nal), 48)])}
	begins := r.golomb() == 0 // with the first macroblock
	b := r.golomb()%5 == 1
	pps := r.golomb()
	idr := nal[0]&0x1f == nalIDR
	a.seen = a.seen || idr
	if a.idr = a.idr || idr; begins {
		a.pictures++
	}
	if pps >= uint32(len(a.pps)) || a.pps[pps] == nil || a.sps[a.of[pps]] == nil {
		return
	}
	a.known = true
	q := &a.sequences[a.of[pps]]
	if q.planes {
		r.bits(2)
	}
	r.bits(q.numberBits)
	if !q.framesOnly && r.flag() {
		r.bits(1)
		a.field = a.pictures == 1
	}
	if idr {
		r.golomb()
	}
	switch q.orderType {
	case 0:
		if begins {
			a.order.next(int64(r.bits(q.orderBits)), int64(1)<<q.orderBits, idr, nal[0]&0x60 != 0)
		}
		a.back = a.back || b && a.order.at < a.order.highest
	case 1: // where it is shown follows from too much; only B-frames make use of it
		a.back = a.back || b
	}
}

// pictureOrder follows when pictures are shown (H.264 section 8.2.1.1).
type pictureOrder struct {
	high, low int64 // of the latest picture that others refer to
	at        int64 // of the latest
	highest   int64 // of those since the latest IDR picture
}

func (o *pictureOrder) next(low, span int64, idr, reference bool) {
	if idr {
		*o = pictureOrder{highest: math.MinInt64}
	}
	high := o.high
	switch step := low - o.low; {
	case step <= -span/2:
		high += span
	case step > span/2:
		high -= span
	}
	if reference {
		o.high, o.low = high, low
	}
	o.at = high + low
	o.highest = max(o.highest, o.at)
}

// unitsIn returns the units of a byte stream.
func unitsIn(stream []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for nal := range bytes.SplitSeq(stream, startCode) {
			if nal = bytes.TrimRight(nal, "\x00"); len(nal) > 0 && !yield(nal) {
				return
			}
		}
	}
}

// unitsOf returns the units of a picture in a Matroska file. Each has its
// length before it, in so many bytes, or all are a byte stream, as recorders in
// browsers write it.
func unitsOf(block []byte, lengths int) iter.Seq[[]byte] {
	whole := func() bool { // lengths that fit are lengths, and no start codes that look like such
		rest := block
		for len(rest) > 0 {
			_, after, ok := unitWithLength(rest, lengths)
			if !ok {
				return false
			}
			rest = after
		}
		return true
	}
	if (bytes.HasPrefix(block, startCode) || bytes.HasPrefix(block, []byte{0, 0, 0, 1})) && !whole() {
		return unitsIn(block)
	}
	return func(yield func([]byte) bool) {
		for rest := block; len(rest) > 0; {
			unit, after, ok := unitWithLength(rest, lengths)
			if !ok {
				return
			}
			for nal := range unitsIn(unit) { // a start code in it would make it several all the same
				if !yield(nal) {
					return
				}
			}
			rest = after
		}
	}
}

func unitWithLength(b []byte, lengths int) (unit, after []byte, ok bool) {
	if len(b) < lengths {
		return nil, nil, false
	}
	size := uint64(0)
	for _, v := range b[:lengths] {
		size = size<<8 | uint64(v)
	}
	if b = b[lengths:]; size > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:size], b[size:], true
}

// openAVC reads an AVCDecoderConfigurationRecord (ISO 14496-15). Without one
// the parameter sets are in the pictures, and a unit's length has four bytes if
// there is one.
func openAVC(record []byte) (webmCodec, error) {
	c := webmCodec{format: formatH264(""), lengths: 4, avc: &avc{}}
	if len(record) == 0 || bytes.HasPrefix(record, startCode) || bytes.HasPrefix(record, []byte{0, 0, 0, 1}) {
		c.sets = bytes.Clone(record)
		return c, nil
	}
	damaged := fmt.Errorf("%w: no description of its H.264", ErrDamaged)
	if len(record) < 7 {
		return webmCodec{}, damaged
	}
	c.lengths = int(record[4]&3) + 1
	count, rest := int(record[5]&31), record[6:]
	for range 2 { // the sets of a sequence, then those of pictures
		for range count {
			if len(rest) < 2 {
				return webmCodec{}, damaged
			}
			size := int(binary.BigEndian.Uint16(rest))
			if rest = rest[2:]; size == 0 || size > len(rest) {
				return webmCodec{}, damaged
			}
			if kind := rest[0] & 0x1f; kind == nalSPS || kind == nalPPS {
				c.avc.remember(rest[:size])
			}
			rest = rest[size:]
		}
		if len(rest) == 0 {
			break
		}
		count, rest = int(rest[0]), rest[1:]
	}
	c.sets = bytes.Clone(c.avc.sets())
	return c, nil
}

// firstH264 checks a key frame as a byte stream and returns its profile.
func firstH264(b []byte) (string, error) {
	sps := annexBUnit(b, nalSPS)
	if sps == nil || annexBUnit(b, nalIDR) == nil {
		return "", notKeyError("H.264")
	}
	q, err := parseSPS(sps)
	switch {
	case err != nil:
		return "", err
	case q.chroma != 1 || q.deep:
		return "", fmt.Errorf("H.264 whose colours are not 4:2:0 with 8 bits %w; encode it with -pix_fmt yuv420p", ErrUnsupported)
	}
	return hex.EncodeToString(sps[1:4]), nil
}

// annexBUnit returns the first NAL unit of that type.
func annexBUnit(data []byte, kind byte) []byte {
	for nal := range unitsIn(data) {
		if len(nal) > 3 && nal[0]&0x1f == kind {
			return nal
		}
	}
	return nil
}

// refusalOf keeps what makes a file one that cannot be sent; damage further on is
// left to be found when playing comes to it.
func refusalOf(err error) error {
	if errors.Is(err, ErrUnsupported) {
		return err
	}
	return nil
}
