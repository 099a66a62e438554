package traffic

import "encoding/binary"

// numberIn returns the transport-wide number in an RTP packet, if its header has one under that id (RFC 8285 section 4).
// It is pure.
func numberIn(p []byte, id uint8) (number uint16, ok bool) {
	if len(p) < 12 || p[0]&0x10 == 0 {
		return 0, false
	}
	at := 12 + 4*int(p[0]&0xf)
	if len(p) < at+4 {
		return 0, false
	}
	profile, end := binary.BigEndian.Uint16(p[at:]), at+4+4*int(binary.BigEndian.Uint16(p[at+2:]))
	if len(p) < end {
		return 0, false
	}
	elements := p[at+4 : end]
	switch profile {
	case 0xbede:
		return numberInShort(elements, id)
	case 0x1000:
		return numberInLong(elements, id)
	}
	return 0, false
}

// numberInShort reads elements with headers of one byte.
func numberInShort(elements []byte, id uint8) (number uint16, ok bool) {
	for len(elements) > 0 {
		is, size := elements[0]>>4, int(elements[0]&0xf)+1
		switch {
		case elements[0] == 0: // padding
			elements = elements[1:]
			continue
		case is == 0 || is == 15 || len(elements) <= size:
			return 0, false
		case is == id:
			return numberOf(elements[1 : 1+size])
		}
		elements = elements[1+size:]
	}
	return 0, false
}

// numberInLong reads elements with headers of two bytes.
func numberInLong(elements []byte, id uint8) (number uint16, ok bool) {
	for len(elements) > 0 {
		if elements[0] == 0 { // padding
			elements = elements[1:]
			continue
		}
		if len(elements) < 2 || len(elements) < 2+int(elements[1]) {
			return 0, false
		}
		size := int(elements[1])
		if elements[0] == id {
			return numberOf(elements[2 : 2+size])
		}
		elements = elements[2+size:]
	}
	return 0, false
}

func numberOf(element []byte) (number uint16, ok bool) {
	if len(element) < 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(element), true
}
