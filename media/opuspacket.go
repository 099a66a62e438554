package media

import "time"

const (
	// maxOpusPacket is the longest packet that a file may have (RFC 7845
	// section 6): 48 frames, which have at most maxOpusFrame bytes each.
	maxOpusPacket = 61440
	maxOpusFrame  = 1275 // RFC 6716 section 3.4
	// maxOpus is the longest that is sent. Opus is never split over several
	// datagrams (RFC 7587 section 4.2).
	maxOpus = 1 + maxOpusFrame
)

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

// sendableOpus returns what is sent of a packet: the packet itself, or if it is
// too long for a datagram, its frames, each as a packet. What is no Opus packet
// is none, as if it were lost.
func sendableOpus(packet []byte) [][]byte {
	if _, ok := opusDuration(packet); !ok {
		return nil
	}
	if len(packet) <= payloadSize {
		return [][]byte{packet}
	}
	frames, ok := opusFrames(packet)
	if !ok {
		return nil
	}
	whole := make([]byte, 0, len(packet)+len(frames))
	for i, f := range frames {
		at := len(whole)
		whole = append(append(whole, packet[0]&^3), f...)
		frames[i] = whole[at:]
	}
	return frames
}

// opusFrames takes a packet apart (RFC 6716 section 3.2).
func opusFrames(packet []byte) (frames [][]byte, ok bool) {
	body := packet[1:]
	count, sized := 1, false // sized: each but the last has its length before it all
	switch packet[0] & 3 {
	case 1:
		count = 2
	case 2:
		count, sized = 2, true
	case 3:
		flags := body[0] // which opusDuration has seen
		count, sized = int(flags&63), flags&0x80 != 0
		if body, ok = opusPadding(body[1:], flags&0x40 != 0); !ok {
			return nil, false
		}
	}
	sizes := make([]int, count)
	for i := range count - 1 {
		if sizes[i] = len(body) / count; !sized {
			continue
		}
		var n int
		if sizes[i], n = opusSize(body); n == 0 {
			return nil, false
		}
		body = body[n:]
	}
	if sizes[count-1] = len(body); !sized {
		if sizes[count-1] = len(body) / count; len(body)%count != 0 {
			return nil, false
		}
	} else {
		for _, size := range sizes[:count-1] {
			sizes[count-1] -= size
		}
	}
	for _, size := range sizes {
		if size < 0 || size > maxOpusFrame || size > len(body) {
			return nil, false
		}
		frames = append(frames, body[:size])
		body = body[size:]
	}
	return frames, true
}

// opusPadding removes the padding, whose length is at the beginning.
func opusPadding(body []byte, padded bool) ([]byte, bool) {
	padding := 0
	for more := padded; more; {
		if len(body) == 0 {
			return nil, false
		}
		v := int(body[0])
		if body, more = body[1:], v == 255; more {
			v = 254
		}
		padding += v
	}
	if padding > len(body) {
		return nil, false
	}
	return body[:len(body)-padding], true
}

// opusSize reads a frame's length, and how many bytes that has; 0: it is cut off.
func opusSize(b []byte) (size, n int) {
	switch {
	case len(b) > 0 && b[0] < 252:
		return int(b[0]), 1
	case len(b) > 1:
		return 4*int(b[1]) + int(b[0]), 2
	}
	return 0, 0
}
