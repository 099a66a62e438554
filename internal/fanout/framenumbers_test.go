package fanout

import "testing"

// TestFrameNumbersGoOn: within a source numbers keep their distances, and with a key frame of another they go on.
func TestFrameNumbersGoOn(t *testing.T) {
	var f frameNumbers
	for i, test := range []struct {
		own      uint16
		keyframe bool
		want     uint16
	}{
		{65534, true, 65534},
		{65534, false, 65534},
		{1, false, 1}, // two were left out
		{65535, false, 65535},
		{2, false, 2},
		{500, true, 500}, // the same source
		{7, true, 501},
		{8, false, 502},
		{6, false, 500}, // late
		{8, true, 503},  // one source after the other
		{9, false, 504},
		{40000, true, 505},
		{40001, false, 506},
		{40005, false, 510}, // a key frame, whose first packet is late
		{40004, false, 509},
	} {
		d := f.renumber([]byte{0xc1, byte(test.own >> 8), byte(test.own), 9}, test.keyframe)
		if got := uint16(d[1])<<8 | uint16(d[2]); got != test.want || d[0] != 0xc1 || d[3] != 9 {
			t.Errorf("step %d: %d became %d in %x, want %d", i, test.own, got, d, test.want)
		}
	}
	if d := f.renumber([]byte{1, 2}, false); d != nil {
		t.Errorf("too short a descriptor became %x", d)
	}
}
