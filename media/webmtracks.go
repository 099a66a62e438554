package media

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/pion/webrtc/v4"
)

// webmCodec is how frames of a Matroska track become what a payloader takes.
type webmCodec struct {
	format format
	// H.264: how many bytes a unit's length has, and the parameter sets, which
	// are outside the frames. AV1: the sequence header, which may be.
	lengths int
	private []byte
}

func (c *webmCodec) picture() bool { return c.format.kind() == webrtc.RTPCodecTypeVideo }

// What Matroska calls kinds of tracks.
const (
	webmVideo = 1
	webmAudio = 2
)

// webmTracks returns the first track of each kind, the picture first.
func webmTracks(entries []ebmlElement) ([]*webmTrack, error) {
	var kinds [3]*webmTrack
	var refused [3]error
	for _, entry := range entries {
		if entry.id != mkvTrackEntry {
			continue
		}
		kind, t, err := webmEntry(elementsIn(entry.data))
		if kind != webmVideo && kind != webmAudio || kinds[kind] != nil {
			continue
		}
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

func webmEntry(elements []ebmlElement) (kind uint64, t *webmTrack, err error) {
	t = &webmTrack{}
	codec, packed := "", false
	var private []byte
	for _, e := range elements {
		switch e.id {
		case mkvTrackNumber:
			t.number = e.number()
		case mkvTrackType:
			kind = e.number()
		case mkvCodecID:
			codec = string(bytes.TrimRight(e.data, "\x00"))
		case mkvCodecPrivate:
			private = e.data
		case mkvEncodings:
			packed = true
		}
	}
	if packed {
		return kind, nil, fmt.Errorf("%s that is compressed or encrypted once more %w; ffmpeg -c copy writes it plain", codec, ErrUnsupported)
	}
	t.webmCodec, err = openCodec(codec, private)
	return kind, t, err
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
			c.private = bytes.Clone(private[4:])
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

// openAVC reads an AVCDecoderConfigurationRecord (ISO 14496-15).
func openAVC(record []byte) (webmCodec, error) {
	damaged := fmt.Errorf("%w: no description of its H.264", ErrDamaged)
	if len(record) < 7 {
		return webmCodec{}, damaged
	}
	c := webmCodec{lengths: int(record[4]&3) + 1}
	c.format = format{
		mime: webrtc.MimeTypeH264, clock: 90000, payloader: payloadH264, check: firstH264,
		profile: hex.EncodeToString(record[1:4]),
	}
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
			c.private = append(append(c.private, 0, 0, 0, 1), rest[:size]...)
			rest = rest[size:]
		}
		if len(rest) == 0 {
			break
		}
		count, rest = int(rest[0]), rest[1:]
	}
	return c, nil
}

// firstH264 checks a key frame as a byte stream and returns its profile.
func firstH264(b []byte) (string, error) {
	sps := annexBUnit(b, nalSPS)
	if sps == nil || annexBUnit(b, nalPPS) == nil || annexBUnit(b, nalIDR) == nil {
		return "", notKey("H.264")
	}
	if _, _, err := sizeH264(sps); err != nil {
		return "", err
	}
	return hex.EncodeToString(sps[1:4]), nil
}

// open makes of a frame in the file what a payloader takes, and tells whether
// playing can begin with it. Flagged: the file says so.
func (c *webmCodec) open(data []byte, flagged bool) (out []byte, key bool) {
	switch {
	case c.format.mime == webrtc.MimeTypeOpus:
		return data, true
	case c.lengths > 0:
		data = c.byteStream(data)
	case flagged && c.private != nil:
		if _, sequence := sequenceAV1(data); sequence == nil {
			data = append(bytes.Clone(c.private), data...)
		}
	}
	_, err := c.format.check(data)
	return data, err == nil || errors.Is(err, ErrUnsupported) // which opening will find
}

// byteStream puts start codes in place of lengths, and the parameter sets
// before a key frame that has none.
func (c *webmCodec) byteStream(data []byte) (out []byte) {
	for len(data) > c.lengths {
		size := 0
		for _, b := range data[:c.lengths] {
			size = size<<8 | int(b)
		}
		if data = data[c.lengths:]; size > len(data) {
			break
		}
		if size > 0 && data[0]&0x1f == nalIDR && annexBUnit(out, nalSPS) == nil {
			out = append(out, c.private...)
		}
		out = append(append(out, 0, 0, 0, 1), data[:size]...)
		data = data[size:]
	}
	return out
}

// unlace takes a block apart into its frames (RFC 9559 section 10). Flagged:
// it is said to be a key frame by more than its own flag.
func (w *webm) unlace(b []byte, flagged bool) ([]frame, error) {
	number, n, ok := vintIn(b, 8)
	if !ok || len(b) < n+3 {
		return nil, fmt.Errorf("%w: the block at byte %d", ErrDamaged, w.at)
	}
	track := -1
	for i, t := range w.tracks {
		if t.number == number&(1<<(7*n)-1) {
			track = i
		}
	}
	if track < 0 {
		return nil, nil
	}
	t := w.tracks[track]
	at := w.cluster + time.Duration(int16(binary.BigEndian.Uint16(b[n:])))*time.Duration(w.scale)
	parts, ok := lacedParts(b[n+2]>>1&3, b[n+3:])
	if !ok {
		return nil, fmt.Errorf("%w: the frames in the block at byte %d", ErrDamaged, w.at)
	}
	var list []frame
	for _, part := range parts {
		data, key := t.open(part, flagged || b[n+2]&0x80 != 0)
		lasts := ivfShortest
		if !t.picture() {
			if lasts, ok = opusDuration(data); !ok || len(data) > maxOpus {
				return nil, fmt.Errorf("%w: no Opus packet at byte %d", ErrDamaged, w.at)
			}
		}
		if len(data) > 0 && len(data) <= maxFrame {
			list = append(list, frame{track: track, at: at, key: key, data: data})
		}
		at += lasts
	}
	return list, nil
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
