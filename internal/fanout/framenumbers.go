package fanout

import "encoding/binary"

// maxFrameGap bounds by how much the numbers of frames may rise at a key frame of the same source: what is left out
// keeps its number, because later frames name those that they need by how far back they are.
const maxFrameGap = 1000

// frameNumbers makes the numbers of frames in dependency descriptors (RTP payload format for AV1, appendix A) go on
// from one source to the next: a receiver drops what has a lower one than the latest key frame. It is a pure value and
// belongs to one leg.
type frameNumbers struct {
	begun bool
	shift uint16 // what is added to the source's numbers
	last  uint16 // the highest that was sent
}

// renumber writes the number into a descriptor, and returns that. keyframe says that its packet begins a key frame, and
// is the newest that was sent: what comes late has the number that it would have had.
func (f *frameNumbers) renumber(descriptor []byte, keyframe bool) []byte {
	if len(descriptor) < 3 {
		return nil
	}
	own := binary.BigEndian.Uint16(descriptor[1:])
	if ahead := own + f.shift - f.last; f.begun && keyframe && (ahead == 0 || ahead > maxFrameGap) {
		f.shift = f.last + 1 - own
	}
	number := own + f.shift
	if !f.begun || int16(number-f.last) > 0 {
		f.begun, f.last = true, number
	}
	binary.BigEndian.PutUint16(descriptor[1:], number)
	return descriptor
}
