package packet

import "github.com/pion/rtp"

// This file reads the dependency descriptor (RTP payload format for AV1, appendix A), in which
// a source of AV1 says which layer each frame belongs to. pion has no reader for it, and the
// only ones in Go are parts of whole servers.

// DependencyURI names the header extension that has the descriptor.
const DependencyURI = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"

// DependencyID is the id of that extension in packets that applications read and write. No
// browser gives it to another one. Connections have ids of their own.
const DependencyID = 255

// MoveDependency gives a packet's descriptor, which has another id on its connection, that id.
func MoveDependency(header *rtp.Header, from uint8) {
	if from == 0 {
		return
	}
	descriptor := header.GetExtension(from)
	if descriptor == nil {
		return
	}
	// The form with long headers, because only that has room for the id, and for what a key frame says. Neither can fail:
	// what has come in an extension fits into one.
	_ = header.SetExtensionWithProfile(DependencyID, descriptor, rtp.ExtensionProfileTwoByte)
	_ = header.DelExtension(from)
}

const (
	maxTemplates = 64 // their ids have six bits
	switchesHere = 2  // a decode target indication: the target may be joined here
)

// Dependencies is what a source has said of its layers. Only its key frames say it, and all
// later frames refer to that. The zero value is a source that has said nothing.
type Dependencies struct {
	known     bool
	offset    uint8 // the id of the first template
	targets   []decodeTarget
	templates []frameTemplate
	heights   []int // of the spatial layers, the lowest first, in pixels; none: unknown
}

// decodeTarget is a set of layers that a receiver may decode, by the highest of them.
type decodeTarget struct{ spatial, temporal uint8 }

// frameTemplate is what frames that refer to it have in common.
type frameTemplate struct {
	decodeTarget
	switches uint32 // bit n: decode target n may be joined with the frame
}

// describedFrame is what a packet's descriptor says of its frame.
type describedFrame struct {
	frameTemplate
	begins, ends bool // with the packet
	key          bool // it says what later ones refer to
}

// Read reads the layer from a packet's descriptor, and remembers what that says of later ones. ok
// is false if it cannot be understood, or not without a key frame that has not come.
func (d *Dependencies) Read(descriptor []byte) (layer Layer, ok bool) {
	frame, ok := d.readFrame(descriptor)
	if !ok {
		return Layer{}, false
	}
	return Layer{ID: frame.temporal, SwitchUp: d.joins(frame.frameTemplate)}, true
}

// readFrame is Read for all that is said of the frame.
func (d *Dependencies) readFrame(descriptor []byte) (frame describedFrame, ok bool) {
	r := bitReader{bytes: descriptor}
	frame.begins, frame.ends = r.flag(), r.flag()
	id := uint8(r.take(6))
	r.take(16) // the number of the frame
	custom := false
	now := d
	if len(descriptor) > 3 {
		structure, active := r.flag(), r.flag()
		custom = r.flag()
		r.take(2) // references and chains of its own, which come last
		if structure {
			now = readStructure(&r)
			frame.key = true
		}
		if active {
			r.take(len(now.targets))
		}
	}
	index := int(id-now.offset) & (maxTemplates - 1)
	if !now.known || index >= len(now.templates) {
		return describedFrame{}, false
	}
	frame.frameTemplate = now.templates[index]
	if custom {
		frame.switches, _ = r.indications(len(now.targets))
	}
	if r.short {
		return describedFrame{}, false
	}
	if now != d {
		*d = *now
	}
	return frame, true
}

// joins reports whether all higher temporal layers may be joined with a frame, as far as its
// own spatial layer is concerned.
func (d *Dependencies) joins(frame frameTemplate) bool {
	joined := false
	for i, target := range d.targets {
		if target.spatial != frame.spatial || target.temporal <= frame.temporal {
			continue
		}
		if frame.switches>>i&1 == 0 {
			return false
		}
		joined = true
	}
	return joined
}

// readStructure reads a template dependency structure.
func readStructure(r *bitReader) *Dependencies {
	d := &Dependencies{known: true, offset: uint8(r.take(6))}
	d.targets = make([]decodeTarget, r.take(5)+1)
	d.readLayers(r)
	for i := range d.templates {
		t := &d.templates[i]
		var present uint32
		t.switches, present = r.indications(len(d.targets))
		for n := range d.targets {
			if present>>n&1 != 0 {
				d.targets[n].spatial = max(d.targets[n].spatial, t.spatial)
				d.targets[n].temporal = max(d.targets[n].temporal, t.temporal)
			}
		}
	}
	for range d.templates {
		for r.flag() { // another frame to which it refers
			r.take(4)
		}
	}
	if chains := r.below(len(d.targets) + 1); chains > 0 {
		for range d.targets {
			r.below(chains)
		}
		r.skip(4 * chains * len(d.templates))
	}
	if r.flag() { // the size of each spatial layer
		for range 1 + d.templates[len(d.templates)-1].spatial {
			r.take(16)
			d.heights = append(d.heights, int(r.take(16))+1)
		}
	}
	return d
}

// readLayers reads the layers of all templates. There is at least one.
func (d *Dependencies) readLayers(r *bitReader) {
	var layer decodeTarget
	for {
		d.templates = append(d.templates, frameTemplate{decodeTarget: layer})
		switch r.take(2) {
		case 0: // another one of the same layer
		case 1:
			layer.temporal++
		case 2:
			layer = decodeTarget{spatial: layer.spatial + 1}
		default:
			return
		}
		if r.short || len(d.templates) == maxTemplates {
			r.short = true
			return
		}
	}
}

// bitReader reads bits, the highest of a byte first. It is a pure value.
type bitReader struct {
	bytes []byte
	at    int  // in bits
	short bool // more was read than there is; what was read is 0 then
}

func (r *bitReader) take(bits int) (value uint32) {
	if r.skip(bits); r.short {
		return 0
	}
	for at := r.at - bits; at < r.at; at++ {
		value = value<<1 | uint32(r.bytes[at/8]>>(7-at%8)&1)
	}
	return value
}

func (r *bitReader) skip(bits int) {
	if r.short || len(r.bytes)*8-r.at < bits {
		r.short = true
		return
	}
	r.at += bits
}

func (r *bitReader) flag() bool { return r.take(1) != 0 }

// below reads a number from 0 to n-1, of which the lower ones may take one bit less: ns(n).
func (r *bitReader) below(n int) int {
	width := 0
	for x := n; x != 0; x >>= 1 {
		width++
	}
	value, shorter := int(r.take(width-1)), 1<<width-n
	if value < shorter {
		return value
	}
	return value<<1 - shorter + int(r.take(1))
}

// indications reads what a frame is for each of n decode targets, and returns which of them may
// be joined with it, and for which it is sent.
func (r *bitReader) indications(n int) (switches, present uint32) {
	for i := range n {
		indication := r.take(2)
		if indication == switchesHere {
			switches |= 1 << i
		}
		if indication != 0 {
			present |= 1 << i
		}
	}
	return switches, present
}
