package packet

import "strings"

// This file takes the numbers of pictures out of RTP payloads.
//
// VP8 and VP9 may number their pictures, and every encoder begins where it likes.
// Browsers order frames by that number where there is one: of two sources that take
// turns quickly, the second's first pictures may be held for pictures of the past, and
// thrown away until its next key frame. Where there is none they go by sequence numbers,
// which a stitch makes one row.

// StripPictureID returns the function that says how to send a payload of that codec
// without its picture's number: as first, and all that follows payload[from].
func StripPictureID(mimeType string) func(payload []byte) (from int, first byte) {
	switch strings.ToLower(mimeType) {
	case "video/vp8":
		return unnumberedVP8
	case "video/vp9":
		return unnumberedVP9
	}
	return asItIs
}

func asItIs(p []byte) (from int, first byte) {
	if len(p) == 0 {
		return 0, 0
	}
	return 0, p[0]
}

// Bits of the first byte of a VP8 payload descriptor (RFC 7741 section 4.2).
const (
	vp8Extended  = 0x80 // X
	vp8Start     = 0x10 // S: of a partition
	vp8Partition = 0x07 // PID: which one
)

// vp8Descriptor returns the length of a payload's descriptor, in bytes.
func vp8Descriptor(p []byte) (size int, ok bool) {
	if len(p) == 0 {
		return 0, false
	}
	size = 1
	if p[0]&vp8Extended != 0 { // one byte says which fields follow
		if len(p) < 2 {
			return 0, false
		}
		fields := p[1]
		size++
		if fields&0x80 != 0 { // I: a picture id of 7 or 15 bits
			if len(p) <= size {
				return 0, false
			}
			size += 1 + int(p[size]>>7)
		}
		if fields&0x40 != 0 { // L: TL0PICIDX
			size++
		}
		if fields&0x30 != 0 { // T or K: they share a byte
			size++
		}
	}
	return size, len(p) > size
}

// unnumberedVP8 leaves the extension out: without numbers, layers mean nothing.
func unnumberedVP8(p []byte) (from int, first byte) {
	size, ok := vp8Descriptor(p)
	if !ok {
		return asItIs(p)
	}
	return size - 1, p[0] &^ vp8Extended
}

// Bits of the first byte of a VP9 payload descriptor (RFC 9628 section 4.2).
const (
	vp9PictureID = 0x80 // I
	vp9Predicted = 0x40 // P
	vp9Layers    = 0x20 // L
	vp9Flexible  = 0x10 // F
	vp9Begin     = 0x08 // B: of a frame
)

// unnumberedVP9 leaves out the picture's number and, in flexible mode, which needs
// it, those it refers to. With layers they are needed: that payload stays as it is.
func unnumberedVP9(p []byte) (from int, first byte) {
	if len(p) < 2 || p[0]&vp9PictureID == 0 || p[0]&vp9Layers != 0 {
		return asItIs(p)
	}
	size := 2 + int(p[1]>>7)
	if p[0]&vp9Flexible != 0 && p[0]&vp9Predicted != 0 {
		for more := true; more; size++ { // P_DIFF, N: another one follows
			if len(p) <= size {
				return asItIs(p)
			}
			more = p[size]&1 != 0
		}
	}
	if len(p) <= size {
		return asItIs(p)
	}
	return size - 1, p[0] &^ (vp9PictureID | vp9Flexible)
}
