package fanout

import (
	"sync/atomic"
	"time"
)

// maxWait bounds for how long a packet may wait for a leg's connection. Upper temporal layers
// are left out after half of it.
const maxWait = 300 * time.Millisecond

// passage is a sequence of packets that a leg sends without a break: all of one run, or a
// part of one that begins with a key frame.
type passage struct {
	// Immutable.
	seq       uint16 // of the packet with which it begins
	timestamp uint32

	over atomic.Bool // what of it is still queued is not to be sent: the leg is paused, or has another sender
}

// gate decides which packets of a leg's queue leave, and gives them their numbers. Only what
// leaves has a number, so that the peer misses nothing that was left out. It is a pure value.
type gate struct {
	video bool // Immutable.

	stitch  stitch
	passage *passage // whose packets leave; nil: there was none
	waits   bool     // for a key frame, because a packet was left out or lost on which others depend
	frame   uint32   // the timestamp of the latest frame
	passes  bool     // whether that frame's packets leave
	highest uint8    // temporal layer that can be decoded
}

// starts reports whether a packet is the first of its frame, where it is decided whether that
// leaves.
func (g *gate) starts(out *outgoingPacket) bool {
	return !g.video || out.passage != g.passage || int32(out.header.Timestamp-g.frame) > 0
}

// admit decides whether a packet leaves. age is how long it has waited, if it starts a frame,
// and limit is the highest temporal layer to send. lost reports that a key frame is needed
// from now on.
func (g *gate) admit(out *outgoingPacket, age time.Duration, limit uint8) (leaves, lost bool) {
	if !g.starts(out) {
		return g.leaves(out), false
	}
	fresh := out.passage != g.passage
	if fresh {
		g.passage, g.waits = out.passage, false
		g.stitch.begin(out.passage.seq, out.passage.timestamp, out.at)
	}
	g.frame = out.header.Timestamp
	layer := uint8(0)
	if out.layered {
		layer = out.layer.ID
	}
	switch {
	case !g.video:
		g.passes = age <= maxWait
		return g.leaves(out), false
	case age > maxWait && layer == 0:
		lost = !g.waits
		g.waits = true
		return false, lost
	case g.waits && !out.keyframe:
		return false, false
	case g.waits:
		g.waits = false
		g.stitch.begin(out.header.SequenceNumber, out.header.Timestamp, out.at)
		g.highest = limit
	case fresh || out.keyframe:
		g.highest = limit
	}
	g.passes = g.climb(out, limit) && g.inTime(layer, age)
	return g.leaves(out), false
}

// climb reports whether the layer of a frame may leave. It lowers the highest one to the
// limit, and raises it where the source says that it may.
func (g *gate) climb(out *outgoingPacket, limit uint8) bool {
	if !out.layered {
		return true
	}
	g.highest = min(g.highest, limit)
	if layer := out.layer; layer.Sync && layer.ID == g.highest+1 && layer.ID <= limit {
		g.highest = layer.ID
	}
	passes := out.layer.ID <= g.highest
	if out.layer.SwitchUp && passes {
		g.highest = limit
	}
	return passes
}

// inTime reports whether a frame has not waited too long for its layer. If it has, its layer
// can be decoded only from the next frame on at which the source says so.
func (g *gate) inTime(layer uint8, age time.Duration) bool {
	if layer == 0 || age <= maxWait/2 {
		return true
	}
	g.highest = min(g.highest, layer-1)
	return false
}

// leaves is for a packet of the latest frame, or a late one of an earlier one.
func (g *gate) leaves(out *outgoingPacket) bool {
	if g.waits {
		return false
	}
	if g.passes || out.header.Timestamp != g.frame {
		return true
	}
	g.stitch.skip(out.header.SequenceNumber)
	return false
}

// lose notes that a packet of p was given away in vain. It reports whether a key frame is
// needed because of it. No sound depends on what was before.
func (g *gate) lose(p *passage) bool {
	if !g.video || g.passage != p || g.waits {
		return false
	}
	g.waits = true
	return true
}
