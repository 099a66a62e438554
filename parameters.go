package noom

import (
	"bytes"
	"reflect"
	"slices"
	"sync"
	"weak"

	"github.com/pion/webrtc/v4"
)

// This file keeps the parameter sets of H.264. A camera may send them once, when it
// begins, and who comes later can decode nothing without them: they go out again before
// each IDR picture that comes without.

// maxParameterSets is how many bytes of them are kept, with what a STAP-A packet that
// holds them all adds. One set has some 10 to 60.
const maxParameterSets = 1100

// parameterSets are the latest of one source, of each kind and id. It is a pure value.
type parameterSets struct{ sets []parameterSet }

type parameterSet struct {
	nal       []byte // its first byte says which kind it is
	id        uint32
	timestamp uint32 // of the picture that it was last sent with
}

// note keeps the parameter sets in a payload, and reports whether one is new. Of such as
// come in fragments nothing is kept: they are larger than any path takes.
func (p *parameterSets) note(payload []byte, timestamp uint32) (news bool) {
	for nal := range wholeNALs(payload) {
		id, ok := parameterSetID(nal)
		if !ok {
			continue
		}
		fresh := parameterSet{id: id, timestamp: timestamp}
		p.sets = slices.DeleteFunc(p.sets, func(old parameterSet) bool {
			same := old.id == id && old.nal[0]&nalType == nal[0]&nalType
			if same {
				fresh.nal = old.nal
			}
			return same
		})
		if len(nal)+3 > maxParameterSets {
			continue
		}
		if !bytes.Equal(fresh.nal, nal) {
			fresh.nal, news = bytes.Clone(nal), true
		}
		p.sets = append(p.sets, fresh)
		for p.size() > maxParameterSets {
			p.sets = p.sets[1:]
		}
	}
	return news
}

// size is that of a STAP-A packet with all of them, in bytes.
func (p *parameterSets) size() int {
	n := 1
	for _, set := range p.sets {
		n += 2 + len(set.nal)
	}
	return n
}

// lacking returns a payload with those that were not sent with the picture of that
// timestamp, and counts them as sent; nil if there are none.
func (p *parameterSets) lacking(timestamp uint32) (payload []byte) {
	for _, kind := range []byte{nalSPS, nalPPS} {
		for i := range p.sets {
			set := &p.sets[i]
			if set.nal[0]&nalType != kind || set.timestamp == timestamp {
				continue
			}
			set.timestamp = timestamp
			if payload == nil {
				payload = []byte{nalMostImportant | nalSTAP}
			}
			payload = append(payload, byte(len(set.nal)>>8), byte(len(set.nal)))
			payload = append(payload, set.nal...)
		}
	}
	return payload
}

// recall takes over what is known of the same track from before.
func (p *parameterSets) recall(before parameterSets) {
	for _, old := range before.sets {
		known := slices.ContainsFunc(p.sets, func(set parameterSet) bool {
			return set.id == old.id && set.nal[0]&nalType == old.nal[0]&nalType
		})
		if !known && p.size()+2+len(old.nal) <= maxParameterSets {
			p.sets = append(p.sets, old)
		}
	}
}

// sentSets remembers the parameter sets of tracks, should one be bound again: swapped
// back in, published anew, or in another room. It is the process's, as tracks are.
var sentSets setsMemory

// setsMemory guards itself; a sender may hold its own lock meanwhile.
type setsMemory struct {
	mu   sync.Mutex
	sent []sentTrack // the latest last
}

type sentTrack struct {
	key  any
	sets parameterSets
}

// maxSentTracks is of how many tracks it knows, each with up to maxParameterSets bytes.
const maxSentTracks = 64

// remember keeps what src has said. The lock of src's sender is held.
func (m *setsMemory) remember(src *source) {
	key := trackKey(src.track)
	if key == nil || len(src.sets.sets) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = slices.DeleteFunc(m.sent, func(t sentTrack) bool { return t.key == key })
	m.sent = append(m.sent, sentTrack{key, parameterSets{slices.Clone(src.sets.sets)}})
	if len(m.sent) > maxSentTracks {
		m.sent = slices.Delete(m.sent, 0, 1)
	}
}

// recall tells src what its track has said before. The lock of src's sender is held.
func (m *setsMemory) recall(src *source) {
	key := trackKey(src.track)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.sent {
		if t.key == key {
			src.sets.recall(t.sets)
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

// parameterSetID returns the id of a parameter set (ITU-T H.264 sections
// 7.3.2.1.1 and 7.3.2.2): the first number of a picture's, the first behind
// three bytes of profile and level of a sequence's.
func parameterSetID(nal []byte) (id uint32, ok bool) {
	most := uint32(255)
	switch nal[0] & nalType {
	case nalPPS:
		nal = nal[1:]
	case nalSPS:
		if len(nal) < 5 {
			return 0, false
		}
		nal, most = nal[4:], 31
	default:
		return 0, false
	}
	id, ok = expGolomb(nal)
	return id, ok && id <= most
}

// expGolomb returns the unsigned number that b begins with, of up to 8 leading zeros.
func expGolomb(b []byte) (n uint32, ok bool) {
	bit := func(i int) uint32 {
		if i/8 >= len(b) {
			return 0
		}
		return uint32(b[i/8]>>(7-i%8)) & 1
	}
	zeros := 0
	for bit(zeros) == 0 {
		if zeros++; zeros > 8 {
			return 0, false
		}
	}
	n = 1
	for i := range zeros {
		n = n<<1 | bit(zeros+1+i)
	}
	return n - 1, true
}
