package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/pion/webrtc/v4"
)

// webmCodec is how frames of a Matroska track become what a payloader takes.
type webmCodec struct {
	format format
	// H.264: how many bytes a unit's length has, and the parameter sets with
	// which the file begins, as a byte stream.
	lengths int
	avc     *avc // nil: something else
	sets    []byte
	// AV1: the sequence header, which may be outside the frames, and a key
	// frame behind it.
	private, whole []byte
}

func (c *webmCodec) picture() bool { return c.format.kind() == webrtc.RTPCodecTypeVideo }

// What Matroska calls kinds of tracks.
const (
	webmVideo = 1
	webmAudio = 2
)

// webmTracks returns the first track of each kind, the picture first.
func webmTracks(entries iter.Seq[ebmlElement]) ([]*webmTrack, error) {
	var kinds [3]*webmTrack
	var refused [3]error
	for entry := range entries {
		if entry.id != mkvTrackEntry {
			continue
		}
		kind := webmKind(entry.data)
		if kind != webmVideo && kind != webmAudio || kinds[kind] != nil {
			continue
		}
		t, err := webmEntry(entry.data)
		if err != nil {
			refused[kind] = err
			continue
		}
		kinds[kind] = t
	}
	var tracks []*webmTrack
	for _, kind := range []int{webmVideo, webmAudio} {
		switch {
		case kinds[kind] != nil:
			tracks = append(tracks, kinds[kind])
		case refused[kind] != nil: // a film without its sound is not what was asked for
			return nil, refused[kind]
		}
	}
	if tracks == nil {
		return nil, fmt.Errorf("%w: neither picture nor sound", ErrDamaged)
	}
	return tracks, nil
}

func webmKind(entry []byte) (kind uint64) {
	for e := range elementsIn(entry) {
		if e.id == mkvTrackType {
			kind = e.number()
		}
	}
	return kind
}

func webmEntry(entry []byte) (t *webmTrack, err error) {
	t = &webmTrack{}
	codec, packed := "", false
	var private []byte
	for e := range elementsIn(entry) {
		switch e.id {
		case mkvTrackNumber:
			t.number = e.number()
		case mkvCodecID:
			codec = string(bytes.TrimRight(e.data, "\x00"))
		case mkvCodecPrivate:
			private = e.data
		case mkvEncodings:
			packed = true
		}
	}
	if packed {
		return nil, fmt.Errorf("%.40q that is compressed or encrypted once more %w; ffmpeg -c copy writes it plain", codec, ErrUnsupported)
	}
	t.webmCodec, err = openCodec(codec, private)
	return t, err
}

// openCodec knows a codec by its name in Matroska.
func openCodec(name string, private []byte) (webmCodec, error) {
	switch name {
	case "V_VP8":
		return webmCodec{format: ivfFormats["VP80"]}, nil
	case "V_VP9":
		return webmCodec{format: ivfFormats["VP90"]}, nil
	case "V_AV1":
		c := webmCodec{format: ivfFormats["AV01"]}
		if len(private) > 4 {
			c.private, _ = sequenceAV1(private[4:min(len(private), maxSets)])
			c.private = bytes.Clone(c.private)
		}
		return c, nil
	case "V_MPEG4/ISO/AVC":
		return openAVC(private)
	case "A_OPUS":
		if len(private) >= 8 && string(private[:8]) == "OpusHead" {
			if err := checkOpusHead(private); err != nil {
				return webmCodec{}, err
			}
		}
		return webmCodec{format: opusFormat}, nil
	}
	return webmCodec{}, fmt.Errorf("codec %.40q %w, only VP8, VP9, AV1, H.264 and Opus can; ffmpeg -c:v libvpx -c:a libopus makes those", name, ErrUnsupported)
}

// open makes of a frame in the file what a payloader takes, good until the next
// one is opened, and reports whether playing can begin with it. Flagged: the
// file says so.
func (c *webmCodec) open(data []byte, flagged bool) (out []byte, key bool, err error) {
	switch {
	case !c.picture():
		return data, true, nil
	case c.avc != nil:
		c.avc.begin()
		for unit := range unitsOf(data, c.lengths) {
			if err := c.avc.add(unit); err != nil {
				return nil, false, err
			}
		}
		return c.avc.finish()
	case flagged && len(c.private) > 0:
		if _, sequence := sequenceAV1(data); sequence == nil {
			c.whole = append(append(c.whole[:0], c.private...), data...)
			data = c.whole
		}
	}
	if c.format.bound != nil {
		if err := c.format.bound(data); err != nil {
			return nil, false, err
		}
	}
	_, notKey := c.format.check(data)
	return data, notKey == nil || errors.Is(notKey, ErrUnsupported), nil // which opening will find
}

// webmPart is a frame as it lies in a block.
type webmPart struct {
	track   int
	at      time.Duration
	flagged bool // as a key frame
	data    []byte
}

// unlace takes a block apart into its frames (RFC 9559 section 10). Flagged:
// it is said to be a key frame by more than its own flag.
func (w *webm) unlace(b []byte, flagged bool) error {
	number, n, ok := vintIn(b, 8)
	if !ok || len(b) < n+3 {
		return fmt.Errorf("%w: the block at byte %d", ErrDamaged, w.at)
	}
	track := -1
	for i, t := range w.tracks {
		if t.number == number&(1<<(7*n)-1) {
			track = i
		}
	}
	if track < 0 {
		return nil
	}
	picture := w.tracks[track].picture()
	p := webmPart{track: track, flagged: flagged || b[n+2]&0x80 != 0}
	p.at = w.cluster + time.Duration(int16(binary.BigEndian.Uint16(b[n:])))*time.Duration(w.scale)
	parts, ok := lacedParts(b[n+2]>>1&3, b[n+3:])
	if !ok {
		return fmt.Errorf("%w: the frames in the block at byte %d", ErrDamaged, w.at)
	}
	for _, data := range parts {
		if picture {
			if p.data = data; len(data) > 0 && len(data) <= maxFrame {
				w.parts = append(w.parts, p)
			}
			p.at += ivfShortest
			continue
		}
		if _, ok := opusDuration(data); !ok && !w.timed {
			return fmt.Errorf("%w: no Opus packet at byte %d", ErrDamaged, w.at)
		}
		for _, packet := range sendableOpus(data) { // none, if it is no packet
			lasts, _ := opusDuration(packet)
			p.data = packet
			w.parts = append(w.parts, p)
			p.at += lasts
		}
	}
	return nil
}

// Kinds of lacing.
const (
	laceNone = iota
	laceXiph
	laceFixed
	laceEBML
)

// lacedParts returns the frames of a block.
func lacedParts(lacing byte, b []byte) (parts [][]byte, ok bool) {
	if lacing == laceNone {
		return [][]byte{b}, true
	}
	if len(b) == 0 {
		return nil, false
	}
	count := int(b[0])
	if lacing == laceFixed && len(b) < count+2 { // frames of no byte, as many as anybody likes
		return nil, false
	}
	sizes := make([]int, 0, count)
	b = b[1:]
	size := int64(0)
	for i := range count {
		step := int64(0)
		switch lacing {
		case laceFixed:
			step = int64(len(b) / (count + 1))
		case laceXiph:
			for more := true; more; {
				if len(b) == 0 {
					return nil, false
				}
				more = b[0] == 255
				step += int64(b[0])
				b = b[1:]
			}
		case laceEBML:
			v, n, ok := vintIn(b, 8)
			if !ok {
				return nil, false
			}
			step = int64(v & (1<<(7*n) - 1))
			if i > 0 { // the difference to the size before
				step += size - (1<<(7*n-1) - 1)
			}
			b = b[n:]
		}
		if size = step; size < 0 || size > math.MaxInt32 {
			return nil, false
		}
		sizes = append(sizes, int(size))
	}
	for _, size := range sizes {
		if size > len(b) {
			return nil, false
		}
		parts = append(parts, b[:size])
		b = b[size:]
	}
	return append(parts, b), true
}
