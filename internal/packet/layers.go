package packet

import (
	"strings"

	"github.com/pion/rtp"
)

// Layer is the temporal layer of a frame, as its source marks it. Leaving out the frames of
// the upper layers leaves a stream that can be decoded, at a lower frame rate.
type Layer struct {
	ID       uint8 // 0: the base, on which all frames may depend
	Sync     bool  // the frame depends on the base alone: its layer may be joined here (VP8, Y)
	SwitchUp bool  // no later frame of a higher layer depends on one of before: all may be joined (VP9, U; AV1)
}

// LayerReader reads the layers of one source's packets. It is a pure value.
type LayerReader struct {
	inPayload    func(payload []byte) (Layer, bool) // nil: they are not in the payload
	inExtension  bool                               // they are in the dependency descriptor
	dependencies Dependencies

	timestamp uint32 // of the latest packet with a layer
	id        uint8  // of it
	begun     bool
	mixed     bool // frames of one time are of several layers
}

// NewLayerReader returns one for a source of that codec.
func NewLayerReader(mimeType string) LayerReader {
	switch strings.ToLower(mimeType) {
	case "video/vp8":
		return LayerReader{inPayload: vp8Layer}
	case "video/vp9":
		return LayerReader{inPayload: vp9Layer}
	case "video/av1":
		return LayerReader{inExtension: true}
	}
	return LayerReader{}
}

// Read reads the layer from a packet with the source's own descriptors. ok is false if the
// source marks no layers, or in a way that is not read. So it is if frames of one time, which
// only leave together, are of several layers (modes such as L2T2_KEY_SHIFT).
func (r *LayerReader) Read(header *rtp.Header, payload []byte) (layer Layer, ok bool) {
	switch {
	case r.inPayload != nil:
		layer, ok = r.inPayload(payload)
	case r.inExtension:
		if descriptor := header.GetExtension(DependencyID); descriptor != nil {
			layer, ok = r.dependencies.Read(descriptor)
		}
	}
	if !ok {
		return Layer{}, false
	}
	r.mixed = r.mixed || r.begun && header.Timestamp == r.timestamp && layer.ID != r.id
	r.begun, r.timestamp, r.id = true, header.Timestamp, layer.ID
	if r.mixed {
		return Layer{}, false
	}
	return layer, true
}

// vp8Layer: RFC 7741 section 4.2, the byte of TID, Y and KEYIDX, if T is set.
func vp8Layer(p []byte) (Layer, bool) {
	size, ok := vp8Descriptor(p)
	if !ok || p[0]&vp8Extended == 0 || p[1]&0x20 == 0 {
		return Layer{}, false
	}
	b := p[size-1] // the descriptor's last
	return Layer{ID: b >> 6, Sync: b&0x20 != 0}, true
}

// vp9Layer: RFC 9628 section 4.2, the byte of TID, U, SID and D, if L is set.
func vp9Layer(p []byte) (Layer, bool) {
	if len(p) < 2 || p[0]&vp9Layers == 0 {
		return Layer{}, false
	}
	at := 1
	if p[0]&vp9PictureID != 0 {
		at += 1 + int(p[1]>>7)
	}
	if len(p) <= at {
		return Layer{}, false
	}
	return Layer{ID: p[at] >> 5, SwitchUp: p[at]&0x10 != 0}, true
}
