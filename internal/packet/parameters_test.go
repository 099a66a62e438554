package packet

import (
	"testing"
)

// TestParameterSetsAreBounded: whatever is noted, what is kept fits into one packet.
func TestParameterSetsAreBounded(t *testing.T) {
	var p ParameterSets
	for i := range 1000 {
		nal := append([]byte{0x68, 0, 0x80 | byte(i>>1), byte(i) << 7}, make([]byte, i%300)...)
		p.Note(nal, uint32(i))
		p.Note(append([]byte{0x67, 1, 1, 1, 0x08, byte(i)}, make([]byte, i)...), uint32(i))
		if n := p.size(); n > MaxParameterSets || len(p.Lacking(1<<31+uint32(i))) > MaxParameterSets {
			t.Fatalf("%d bytes are kept", n)
		}
	}
	if len(p.sets) == 0 {
		t.Fatal("nothing is kept")
	}
}

func FuzzParameterSets(f *testing.F) {
	f.Add(aggregate, []byte{0x67, 0x42, 0xe0, 0x1f, 0x40, 3})
	f.Add(fragment, []byte{0x67, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var p, q ParameterSets
		for i, payload := range [][]byte{a, b, a} {
			p.Note(payload, uint32(i))
		}
		q.Recall(p)
		for _, sets := range []*ParameterSets{&p, &q} {
			payload := sets.Lacking(7)
			if len(payload) > MaxParameterSets || sets.Lacking(7) != nil {
				t.Fatalf("%x", payload)
			}
			var again ParameterSets
			if again.Note(payload, 8); len(again.sets) != len(sets.sets) {
				t.Errorf("%d of %d sets can be read again", len(again.sets), len(sets.sets))
			}
		}
	})
}

// A STAP-A packet with a parameter set of each kind and an IDR picture, and the start of
// an IDR picture in an FU-A packet.
var (
	aggregate = []byte{0x78, 0, 6, 0x67, 0x42, 0xe0, 0x1f, 0x91, 1, 0, 3, 0x68, 0xce, 1, 0, 4, 0x65, 0x88, 0x84, 0}
	fragment  = []byte{0x7c, 0x85, 0x88, 0}
)
