package packet

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/pion/rtp"
)

// MaxSpatialLayers is how many spatial layers a picture has at most: VP9 and AV1 number them with three bits and two.
const MaxSpatialLayers = 8

// Spatial is the spatial layer of a packet, as its source marks it. A picture consists of one frame of each layer, from
// the lowest to the highest, each of which has the whole picture in a larger size, and needs those below it.
type Spatial struct {
	ID   uint8 // 0: the lowest
	Ends bool  // the packet is the last of its layer's frame
	Key  bool  // it is the first of a picture of which every layer can be decoded without an earlier picture
}

// SizeReader reads from the packets of one source how high its pictures are. It is a pure value.
type SizeReader struct {
	read    func(r *SizeReader, header *rtp.Header, payload []byte) (Spatial, bool)
	known   int // how many of heights
	heights [MaxSpatialLayers]int

	dependencies Dependencies
}

// NewSizeReader returns one for a source of that codec.
func NewSizeReader(mimeType string) SizeReader {
	switch strings.ToLower(mimeType) {
	case "video/vp8":
		return SizeReader{read: (*SizeReader).readVP8}
	case "video/vp9":
		return SizeReader{read: (*SizeReader).readVP9}
	case "video/h264":
		return SizeReader{read: (*SizeReader).readH264}
	case "video/av1":
		return SizeReader{read: (*SizeReader).readAV1}
	}
	return SizeReader{}
}

// Read reads the spatial layer from a packet with the source's own descriptors, and remembers the heights that it says.
// ok is false if the source marks no layers, or not in this packet.
func (r *SizeReader) Read(header *rtp.Header, payload []byte) (layer Spatial, ok bool) {
	if r.read == nil {
		return Spatial{}, false
	}
	return r.read(r, header, payload)
}

// Heights returns those of the spatial layers, the lowest first, in pixels, as the latest key frame says; none:
// unknown.
func (r *SizeReader) Heights() []int { return r.heights[:r.known] }

// only notes that all pictures have one height, if that is one.
func (r *SizeReader) only(height int) {
	if height > 0 {
		r.known, r.heights[0] = 1, height
	}
}

// readVP8: RFC 6386 section 9.1, the frame's tag, start code, width and height, which has 14 bits.
func (r *SizeReader) readVP8(_ *rtp.Header, p []byte) (Spatial, bool) {
	if !startsVP8Keyframe(p) {
		return Spatial{}, false
	}
	size, _ := vp8Descriptor(p)
	if frame := p[size:]; len(frame) >= 10 && bytes.Equal(frame[3:6], []byte{0x9d, 0x01, 0x2a}) {
		r.only(int(binary.LittleEndian.Uint16(frame[8:]) & 0x3fff))
	}
	return Spatial{}, false
}

// readVP9: RFC 9628 section 4.2. The scalability structure, V, has the sizes.
func (r *SizeReader) readVP9(_ *rtp.Header, p []byte) (Spatial, bool) {
	if len(p) < 2 {
		return Spatial{}, false
	}
	layer := Spatial{Ends: p[0]&vp9End != 0, Key: p[0]&(vp9Begin|vp9Predicted) == vp9Begin}
	at := 1
	if p[0]&vp9PictureID != 0 {
		at += 1 + int(p[1]>>7)
	}
	if p[0]&vp9Layers != 0 {
		if len(p) <= at {
			return Spatial{}, false
		}
		layer.ID = p[at] >> 1 & 0x07
		if at++; p[0]&vp9Flexible == 0 { // TL0PICIDX
			at++
		}
	}
	if p[0]&(vp9Flexible|vp9Predicted) == vp9Flexible|vp9Predicted {
		for more := true; more; at++ { // P_DIFF, N: another one follows
			if len(p) <= at {
				return Spatial{}, false
			}
			more = p[at]&1 != 0
		}
	}
	layer.Key = layer.Key && layer.ID == 0
	if p[0]&vp9Structure != 0 && len(p) > at {
		r.readVP9Sizes(p[at:])
	}
	return layer, p[0]&vp9Layers != 0
}

// readVP9Sizes reads how many layers there are, N_S, and their sizes, if there are any, Y.
func (r *SizeReader) readVP9Sizes(p []byte) {
	layers := int(p[0]>>5) + 1
	if p[0]&0x10 == 0 || len(p) < 1+4*layers {
		return
	}
	r.known = layers
	for i := range layers {
		r.heights[i] = int(binary.BigEndian.Uint16(p[1+4*i+2:]))
	}
}

func (r *SizeReader) readH264(_ *rtp.Header, p []byte) (Spatial, bool) {
	for nal := range wholeNALs(p) {
		if nal[0]&nalType == nalSPS {
			r.only(heightInSPS(nal))
		}
	}
	return Spatial{}, false
}

// heightInSPS reads a sequence parameter set (ITU-T H.264 section 7.3.2.1.1) up to the height of the pictures. It
// returns 0 if that cannot be read, as of those with scaling lists of their own, which no browser sends.
func heightInSPS(nal []byte) int {
	r := bitReader{bytes: bytes.ReplaceAll(nal[1:], []byte{0, 0, 3}, []byte{0, 0})} // section 7.4.1
	profile := r.take(8)
	r.take(16)
	r.golomb() // its id
	switch profile {
	case 100, 110, 122, 244, 44:
		if r.golomb() == 3 { // the colours
			r.take(1)
		}
		r.golomb()
		r.golomb()
		r.take(1)
		if r.flag() {
			return 0
		}
	}
	r.golomb()
	switch r.golomb() { // how the times of display are coded
	case 0:
		r.golomb()
	case 1:
		return 0
	}
	r.golomb()
	r.take(1)
	r.golomb() // the width
	units := int(r.golomb()) + 1
	step := 2 // of what is cropped, in pixels
	if !r.flag() {
		units, step = 2*units, 4
		r.take(1)
	}
	r.take(1)
	height := 16 * units
	if r.flag() {
		r.golomb()
		r.golomb()
		height -= step * int(r.golomb()+r.golomb())
	}
	if r.short || height <= 0 || height > 1<<14 {
		return 0
	}
	return height
}

// golomb reads an unsigned Exp-Golomb number (ITU-T H.264 section 9.1) of up to 16 bits.
func (r *bitReader) golomb() uint32 {
	zeros := 0
	for !r.flag() {
		if zeros++; r.short || zeros > 16 {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.take(zeros)
}

// readAV1 reads the dependency descriptor.
func (r *SizeReader) readAV1(header *rtp.Header, _ []byte) (Spatial, bool) {
	descriptor := header.GetExtension(DependencyID)
	if descriptor == nil {
		return Spatial{}, false
	}
	frame, ok := r.dependencies.readFrame(descriptor)
	if !ok {
		return Spatial{}, false
	}
	if frame.key {
		r.known = copy(r.heights[:], r.dependencies.heights)
	}
	return Spatial{ID: frame.spatial, Ends: frame.ends, Key: frame.key && frame.begins && frame.spatial == 0}, true
}
