package inbound

import "noom/internal/packet"

// thinner leaves out the upper spatial layers of one stream. It is a pure machine. It leaves out more from the next
// picture on, and less from the next on of which every layer can be decoded, which is to be asked for.
type thinner struct {
	begun     bool
	timestamp uint32 // of the latest picture
	highest   int    // layer that is delivered, from the picture with the timestamp since on; -1: none
	since     uint32
	before    int // what highest was until then
}

// allSizes is the highest layer that there can be.
const allSizes = packet.MaxSpatialLayers - 1

func newThinner() thinner { return thinner{highest: allSizes, before: allSizes} }

// thinning is what a thinner decides about a packet.
type thinning struct {
	delivers bool
	marks    bool // it is the last of its picture that is delivered
	asks     bool // a key frame is needed to deliver what is wanted
}

// take decides about a packet of a picture with that timestamp. limit is the highest layer that is wanted.
func (t *thinner) take(layer packet.Spatial, timestamp uint32, limit int) (d thinning) {
	if !t.begun || int32(timestamp-t.timestamp) > 0 {
		highest := min(t.highest, limit)
		if layer.Key {
			highest = limit
		}
		switch {
		case highest != t.highest:
			t.before, t.highest, t.since = t.highest, highest, timestamp
		case timestamp-t.since > 1<<30: // hours ago; once it is 1<<31, it would look like the future
			t.before, t.since = t.highest, timestamp
		}
		t.begun, t.timestamp = true, timestamp
	}
	highest := t.highest
	if int32(timestamp-t.since) < 0 {
		highest = t.before
	}
	id := int(layer.ID)
	d.delivers = id <= highest
	d.marks = layer.Ends && id == highest
	d.asks = !d.delivers && id <= limit
	return d
}

// layerFor returns the highest layer that is needed for a picture of the height wanted, of layers with those heights:
// all if there is one, or they are unknown; -1: none.
func layerFor(heights []int, wanted int) int {
	switch {
	case wanted == inFull || len(heights) < 2:
		return allSizes
	case wanted == 0:
		return -1
	}
	for i, height := range heights {
		if height >= wanted {
			return i
		}
	}
	return allSizes
}
