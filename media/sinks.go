package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"io"
	"time"

	"golang.org/x/image/vp8"
)

// ivfWriter writes an IVF file; its unit of time is the millisecond.
type ivfWriter struct {
	w     io.Writer
	owner *stream
}

var ivfNames = map[string]string{"vp8": "VP80", "vp9": "VP90", "av1": "AV01"}

func (v *ivfWriter) add(s *stream, first []byte) error {
	name, ok := ivfNames[s.format.codec]
	if !ok {
		return fmt.Errorf("%s %w: IVF takes VP8, VP9 or AV1", s.format.codec, ErrCodec)
	}
	if v.owner != nil {
		return ErrFull
	}
	width, height, err := sizeOf(s.format.codec, first)
	if err != nil {
		return err
	}
	v.owner, s.number = s, 1
	h := make([]byte, ivfHeader)
	copy(h, "DKIF\x00\x00\x20\x00"+name)
	binary.LittleEndian.PutUint16(h[12:], uint16(width))
	binary.LittleEndian.PutUint16(h[14:], uint16(height))
	binary.LittleEndian.PutUint32(h[16:], 1000)
	binary.LittleEndian.PutUint32(h[20:], 1)
	_, err = v.w.Write(h)
	return err
}

func (v *ivfWriter) write(p picture) error {
	data := p.data
	if p.stream.format.codec == "av1" {
		data = append([]byte{0x12, 0}, data...) // the temporal delimiter, which RTP leaves out
	}
	h := binary.LittleEndian.AppendUint32(make([]byte, 0, ivfFrameHeader+len(data)), uint32(len(data)))
	h = binary.LittleEndian.AppendUint64(h, uint64(p.at.Milliseconds()))
	_, err := v.w.Write(append(h, data...))
	return err
}

func (v *ivfWriter) close() error { return nil }

// oggWriter writes an Ogg file with Opus in it (RFC 7845), a page per packet,
// so that what is written can be played at once.
type oggWriter struct {
	w        io.Writer
	owner    *stream
	sequence uint32
	lasts    time.Duration // what has been written
	began    time.Duration // when the first packet was due
	held     []byte        // the latest packet: the last page is marked as such
}

const oggSerial = 1

func (o *oggWriter) add(s *stream, _ []byte) error {
	if s.format.codec != "opus" {
		return fmt.Errorf("%s %w: Ogg takes Opus", s.format.codec, ErrCodec)
	}
	if o.owner != nil {
		return ErrFull
	}
	o.owner, s.number = s, 1
	if err := o.page(2, opusHeader()); err != nil {
		return err
	}
	return o.page(0, []byte("OpusTags\x04\x00\x00\x00noom\x00\x00\x00\x00"))
}

// silence is 20 ms of it, in stereo.
var silence = []byte{0xfc, 0xff, 0xfe}

func (o *oggWriter) write(p picture) error {
	if _, ok := opusDuration(p.data); !ok {
		return nil // not Opus
	}
	if o.held == nil {
		o.began, o.held = p.at, p.data
		return nil
	}
	each, _ := opusDuration(o.held)
	hole := p.at - o.began - o.lasts - each
	if hole <= -each*3/4 {
		return nil // left out
	}
	if err := o.packet(0, o.held); err != nil {
		return err
	}
	if err := o.fill(hole, each); err != nil {
		return err
	}
	o.held = p.data
	return nil
}

// fill fills a hole behind held, which lasts each. A small one is a loss, or a clock that runs
// slower than ours: a repetition is less audible than silence. Leaving out a packet in 80 seconds,
// or having one twice, is inaudible.
func (o *oggWriter) fill(hole, each time.Duration) error {
	with, lasts := o.held, each
	if hole >= 3*each || each > pcmFrame {
		with, lasts = silence, pcmFrame
	}
	for ; hole >= lasts*3/4; hole -= lasts {
		if err := o.packet(0, with); err != nil {
			return err
		}
	}
	return nil
}

func (o *oggWriter) packet(flags byte, data []byte) error {
	lasts, _ := opusDuration(data)
	o.lasts += lasts
	return o.page(flags, data)
}

func (o *oggWriter) page(flags byte, data []byte) error {
	h := make([]byte, 27, 27+len(data)/255+1+len(data))
	copy(h, "OggS")
	h[5] = flags
	binary.LittleEndian.PutUint64(h[6:], uint64(o.lasts*48/time.Millisecond))
	binary.LittleEndian.PutUint32(h[14:], oggSerial)
	binary.LittleEndian.PutUint32(h[18:], o.sequence)
	h[26] = byte(len(data)/255 + 1)
	h = append(h, bytes.Repeat([]byte{255}, len(data)/255)...)
	h = append(append(h, byte(len(data)%255)), data...)
	binary.LittleEndian.PutUint32(h[22:], oggSum(h))
	o.sequence++
	_, err := o.w.Write(h)
	return err
}

func (o *oggWriter) close() error {
	if o.held == nil {
		return nil
	}
	return o.packet(4, o.held)
}

// maxStill bounds a still, in pixels: 8K.
const maxStill = 7680 * 4320

// blocksPerByte bounds what is allocated for a still by what came: how each of
// its blocks of 16×16 pixels is predicted takes more than two bits (RFC 6386
// section 11.2).
const blocksPerByte = 4

func decodeVP8(frame []byte) (image.Image, error) {
	decoder := vp8.NewDecoder()
	decoder.Init(bytes.NewReader(frame), len(frame))
	h, err := decoder.DecodeFrameHeader()
	if err != nil {
		return nil, err
	}
	blocks := (h.Width + 15) / 16 * ((h.Height + 15) / 16)
	switch {
	case h.Width*h.Height > maxStill:
		return nil, fmt.Errorf("media: a still of %d×%d pixels is too big, at most %d can be decoded", h.Width, h.Height, maxStill)
	case blocks > blocksPerByte*len(frame):
		return nil, fmt.Errorf("media: a still of %d×%d pixels in %d bytes: %w", h.Width, h.Height, len(frame), ErrTruncated)
	}
	return decoder.DecodeFrame()
}
