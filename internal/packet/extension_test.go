package packet_test

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"

	"noom/internal/packet"
)

// TestSetExtension: what is added under any id arrives, and so does what is added behind it.
func TestSetExtension(t *testing.T) {
	for id := 1; id < 256; id++ {
		for _, size := range []int{1, 3, 16, 17, 255} {
			h := rtp.Header{Version: 2}
			payload, number := bytes.Repeat([]byte{7}, size), []byte{1, 2}
			if err := packet.SetExtension(&h, uint8(id), payload); err != nil {
				t.Fatalf("%d bytes under %d: %v", size, id, err)
			}
			other := uint8(id%14 + 1)
			if err := packet.SetExtension(&h, other, number); err != nil {
				t.Fatalf("%d behind %d bytes under %d: %v", other, size, id, err)
			}
			raw, err := h.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			var got rtp.Header
			if _, err := got.Unmarshal(raw); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.GetExtension(uint8(id)), payload) || !bytes.Equal(got.GetExtension(other), number) {
				t.Errorf("%d bytes under %d became %x, and behind it %x", size, id, got.GetExtension(uint8(id)), got.GetExtension(other))
			}
		}
	}
}
