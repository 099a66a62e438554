package packet

import "strings"

// This file removes picture ids from RTP payloads.
//
// VP8 and VP9 may number their pictures, and every encoder begins with any number it
// likes. Browsers order frames by that number if there is one. So if one source quickly
// replaces another, they may take its first pictures for old ones and drop them until the
// next key frame. Without picture ids they go by sequence numbers, which fanout keeps
// continuous.

// StripPictureID returns a function that says how to send a payload of that codec without
// its picture id: the byte first, followed by payload[from+1:].
func StripPictureID(mimeType string) func(payload []byte) (from int, first byte) {
	switch strings.ToLower(mimeType) {
	case "video/vp8":
		return stripVP8PictureID
	case "video/vp9":
		return stripVP9PictureID
	}
	return keepPayload
}

func keepPayload(p []byte) (from int, first byte) {
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

// vp8Descriptor returns the size of a payload's descriptor, in bytes. ok is false if the payload
// ends with it, or within it.
func vp8Descriptor(p []byte) (size int, ok bool) {
	if len(p) == 0 {
		return 0, false
	}
	size = 1
	if p[0]&vp8Extended != 0 { // the next byte says which fields follow
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

// stripVP8PictureID removes the whole extension, because without numbers, layers mean nothing.
func stripVP8PictureID(p []byte) (from int, first byte) {
	size, ok := vp8Descriptor(p)
	if !ok {
		return keepPayload(p)
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
	vp9End       = 0x04 // E
	vp9Structure = 0x02 // V: it is there
)

// stripVP9PictureID removes the picture id and, in flexible mode, which depends on it, the
// references. With layers both are needed, and the payload stays as it is.
func stripVP9PictureID(p []byte) (from int, first byte) {
	if len(p) < 2 || p[0]&vp9PictureID == 0 || p[0]&vp9Layers != 0 {
		return keepPayload(p)
	}
	size := 2 + int(p[1]>>7)
	if p[0]&vp9Flexible != 0 && p[0]&vp9Predicted != 0 {
		for more := true; more; size++ { // P_DIFF, N: another one follows
			if len(p) <= size {
				return keepPayload(p)
			}
			more = p[size]&1 != 0
		}
	}
	if len(p) <= size {
		return keepPayload(p)
	}
	return size - 1, p[0] &^ (vp9PictureID | vp9Flexible)
}
