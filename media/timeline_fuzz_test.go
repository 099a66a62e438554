package media

import (
	"encoding/binary"
	"testing"
	"time"
)

// FuzzTimeline lets a hostile peer say what it likes about time: whatever frames come
// leaves, once, not later than it may, and nothing else waits.
func FuzzTimeline(f *testing.F) {
	f.Add([]byte{0, 10, 0, 0, 3, 0xc0, 1, 10, 0, 0, 0x0b, 0xb8, 2, 0, 0x80, 0, 0, 0, 3, 255, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var line timeline
		family := &kin{}
		lanes := [3]*lane{}
		for i := range lanes {
			lanes[i] = &lane{kin: family, sound: i > 0, clocked: true, from: -time.Hour}
			lanes[i].restart(uint32(1 + i*48000))
		}
		var now time.Duration
		in, out := 0, 0
		drain := func(finally bool) {
			for {
				p, ok := line.next(finally)
				if !ok {
					return
				}
				if out++; p.at < 0 || p.at > now+4*absurdOffset {
					t.Fatalf("a frame is put at %v, and it is %v", p.at, now)
				}
			}
		}
		for ; len(b) >= 6; b = b[6:] {
			l := lanes[int(b[0])%len(lanes)]
			now += time.Duration(b[1]) * time.Duration(b[1]) * time.Millisecond / 8
			timestamp := binary.BigEndian.Uint32(b[2:])
			if b[0]&4 != 0 {
				timestamp = l.rtp + 960
			}
			if b[0]&8 != 0 {
				l.restart(timestamp)
			}
			line.take(l, picture{data: b[:2:2]}, timestamp, now, now)
			in++
			if b[0]&32 != 0 {
				l.report(report{time.Unix(int64(binary.BigEndian.Uint32(b[2:])), 0), timestamp ^ uint32(b[1])}, now)
			}
			drain(false)
		}
		for _, l := range lanes {
			line.leave(l)
		}
		drain(true)
		if out > in || line.bytes != 0 || len(line.lanes) != 0 || len(family.lanes) != 0 {
			t.Fatalf("%d frames of %d, %d bytes wait, of %d lanes", out, in, line.bytes, len(line.lanes))
		}
	})
}
