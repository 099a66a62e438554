package hub

import (
	"encoding/binary"
	"testing"
)

// A tape is a chooser by a fuzzer's bytes.
type tape []byte

func (b *tape) IntN(n int) int {
	if len(*b) == 0 {
		return 0
	}
	v := (*b)[0]
	*b = (*b)[1:]
	return int(v) % n
}

// FuzzRoom makes bytes any sequence of joins, leaves, frames, kicks, locks, ends and moves, in two rooms.
// After each step everyone's roster is the room's, no member knows of another room, and rights,
// locks and bars hold.
func FuzzRoom(f *testing.F) {
	// Room, connection, id, event, and what the event takes; see stepIn.
	f.Add([]byte{0, 0, 0, 0, 0, 2, 0, 0, 1, 1, 1, 0, 0, 0, 1, 10, 1, 0, 0, 1, 3, 0})               // a lock and a loss
	f.Add([]byte{0, 0, 0, 0, 0, 2, 0, 0, 1, 1, 1, 0, 0, 0, 1, 12, 0, 0, 0, 1, 0, 0, 0})            // a kick, and back
	f.Add([]byte{1, 0, 0, 0, 0, 2, 1, 0, 0, 2, 0, 1, 1, 0, 0, 9, 1, 1, 0, 12, 6, 1, 0, 0})         // a replacement
	f.Add([]byte{0, 0, 0, 0, 0, 2, 0, 0, 1, 1, 1, 0, 0, 0, 1, 10, 1, 0, 0, 14, 1, 0, 0, 0, 14, 0}) // a lock, and moves
	for _, seed := range []uint64{1, 2, 3, 4} {
		b := make([]byte, 0, 1024)
		for i := range uint64(128) {
			b = binary.LittleEndian.AppendUint64(b, (seed+i)*0x9e3779b97f4a7c15)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1024 {
			return
		}
		w := newWorld(t, 0)
		for next := tape(b); len(next) > 0; {
			w.step(&next)
			w.check()
		}
	})
}
