package fanout

import (
	"reflect"
	"slices"
	"sync"
	"weak"

	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// This file keeps the parameter sets of H.264. A camera may send them once, when it
// begins, and a peer that comes later can decode nothing without them: they go out again before
// each IDR picture that comes without.

// sentSets remembers the parameter sets of tracks, should one be bound again: swapped
// back in, published again, or in another room. It is the process's, as tracks are.
var sentSets setsMemory

// setsMemory guards itself; a sender may hold its own lock meanwhile.
type setsMemory struct {
	mu   sync.Mutex
	sent []sentTrack // the latest last
}

type sentTrack struct {
	key  any
	sets packet.ParameterSets
}

// maxSentTracks is of how many tracks it knows, each with up to maxParameterSets bytes.
const maxSentTracks = 64

// remember keeps what src has said. The lock of src's sender is held.
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

// recall gives src what its track has said before. The lock of src's sender is held.
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

// trackKey stands for a track: for one that is a pointer, as nearly all are, without
// keeping it in memory. It is nil for a track of a type that has no ==.
func trackKey(t webrtc.TrackLocal) any {
	switch v := reflect.ValueOf(t); {
	case v.Kind() == reflect.Pointer:
		return weak.Make((*byte)(v.UnsafePointer()))
	case v.Comparable():
		return t
	}
	return nil
}
