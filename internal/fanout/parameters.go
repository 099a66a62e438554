package fanout

import (
	"reflect"
	"slices"
	"sync"
	"weak"

	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// This file keeps the parameter sets of H.264. A camera may send them only once, at its
// beginning, and a peer that comes later can decode nothing without them. So they are sent
// again before each IDR picture that comes without them.

// sentSets remembers the parameter sets of tracks that may be bound again: swapped back
// in, published again, or published in another room. There is one for the whole process,
// because tracks are not bound to a room either.
var sentSets setsMemory

// setsMemory has a leaf lock, so that a sender may call it while it holds its own.
type setsMemory struct {
	mu   sync.Mutex
	sent []sentTrack // the oldest first
}

type sentTrack struct {
	key  any
	sets packet.ParameterSets
}

// maxSentTracks bounds the tracks in a setsMemory. Each has up to packet.MaxParameterSets bytes.
const maxSentTracks = 64

// remember keeps the parameter sets of src. The lock of src's sender is held.
func (m *setsMemory) remember(src *source) {
	key := trackKey(src.track)
	if key == nil || !src.sets.Known() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = slices.DeleteFunc(m.sent, func(t sentTrack) bool { return t.key == key })
	m.sent = append(m.sent, sentTrack{key, src.sets.Clone()})
	if len(m.sent) > maxSentTracks {
		m.sent = slices.Delete(m.sent, 0, 1)
	}
}

// recall gives src the parameter sets that its track has sent before. The lock of src's sender is held.
func (m *setsMemory) recall(src *source) {
	key := trackKey(src.track)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.sent {
		if t.key == key {
			src.sets.Recall(t.sets)
		}
	}
}

// trackKey returns a key for a track. If the track is a pointer, as nearly all are, the key
// does not keep it in memory. The key is nil if the track's type is not comparable.
func trackKey(t webrtc.TrackLocal) any {
	switch v := reflect.ValueOf(t); {
	case v.Kind() == reflect.Pointer:
		return weak.Make((*byte)(v.UnsafePointer()))
	case v.Comparable():
		return t
	}
	return nil
}
