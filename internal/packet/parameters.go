package packet

import (
	"bytes"
	"slices"
)

// MaxParameterSets bounds the parameter sets that are kept: it is the size, in bytes, of a
// STAP-A packet with all of them. One set has about 10 to 60 bytes.
const MaxParameterSets = 1100

// ParameterSets has the latest parameter set of each kind and id from one source. It is a
// pure value.
type ParameterSets struct{ sets []parameterSet }

type parameterSet struct {
	nal       []byte // its first byte says which kind it is
	id        uint32
	timestamp uint32 // of the picture with which it was last sent
}

// Note keeps the parameter sets in a payload, and reports whether one is new. It ignores
// fragmented ones, because those are larger than a packet.
func (p *ParameterSets) Note(payload []byte, timestamp uint32) (news bool) {
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
		if len(nal)+3 > MaxParameterSets {
			continue
		}
		if !bytes.Equal(fresh.nal, nal) {
			fresh.nal, news = bytes.Clone(nal), true
		}
		p.sets = append(p.sets, fresh)
		for p.size() > MaxParameterSets {
			p.sets = p.sets[1:]
		}
	}
	return news
}

// Known reports whether there are any.
func (p *ParameterSets) Known() bool { return len(p.sets) > 0 }

// Clone returns an independent copy.
func (p *ParameterSets) Clone() ParameterSets { return ParameterSets{slices.Clone(p.sets)} }

// size returns the size of a STAP-A packet with all of them, in bytes.
func (p *ParameterSets) size() int {
	n := 1
	for _, set := range p.sets {
		n += 2 + len(set.nal)
	}
	return n
}

// Lacking returns a payload with the sets that were not sent with the picture of that
// timestamp, or nil if there are none. From then on they count as sent with it.
func (p *ParameterSets) Lacking(timestamp uint32) (payload []byte) {
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

// Recall adds the sets that the same track has sent before, unless newer ones are known.
func (p *ParameterSets) Recall(before ParameterSets) {
	for _, old := range before.sets {
		known := slices.ContainsFunc(p.sets, func(set parameterSet) bool {
			return set.id == old.id && set.nal[0]&nalType == old.nal[0]&nalType
		})
		if !known && p.size()+2+len(old.nal) <= MaxParameterSets {
			p.sets = append(p.sets, old)
		}
	}
}

// parameterSetID returns the id of a parameter set (ITU-T H.264 sections 7.3.2.1.1
// and 7.3.2.2). It is the first number of a picture's set; in a sequence's set, it
// follows three bytes of profile and level.
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

// expGolomb returns the unsigned number with which b begins. It has at most 8 leading zeros.
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
