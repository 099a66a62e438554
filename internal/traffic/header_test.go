package traffic

import (
	"encoding/binary"
	"testing"

	"github.com/pion/rtp"
)

// FuzzNumberIn: what is found in a packet is what pion finds.
func FuzzNumberIn(f *testing.F) {
	for _, profile := range []uint16{rtp.ExtensionProfileOneByte, rtp.ExtensionProfileTwoByte} {
		h := rtp.Header{Version: 2, CSRC: []uint32{1, 2}, Extension: true, ExtensionProfile: profile}
		must(f, h.SetExtension(1, []byte{7}))
		must(f, h.SetExtension(3, []byte{0xab, 0xcd}))
		raw, err := h.Marshal()
		must(f, err)
		f.Add(raw, uint8(3))
		f.Add(raw[:len(raw)-3], uint8(3))
		f.Add(raw, uint8(1))
	}
	f.Add([]byte{0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0, 2, 0, 0x31, 1, 2, 0xf0, 0, 0x31, 9}, uint8(3))
	f.Add([]byte{0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0, 1, 0, 0, 0x31, 1}, uint8(3))
	f.Fuzz(func(t *testing.T, p []byte, id uint8) {
		if id == 0 {
			return // is none
		}
		got, ok := numberIn(p, id)
		var h rtp.Header
		want := []byte(nil)
		if _, err := h.Unmarshal(p); err != nil {
			return // we need not refuse what pion refuses
		}
		if h.Extension && (h.ExtensionProfile == rtp.ExtensionProfileOneByte || h.ExtensionProfile == rtp.ExtensionProfileTwoByte) {
			want = h.GetExtension(id)
		}
		if ok != (len(want) >= 2) || ok && got != binary.BigEndian.Uint16(want) {
			t.Errorf("found %d, %v; pion finds %v", got, ok, want)
		}
	})
}
