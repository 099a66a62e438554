package repair

import (
	"math/rand/v2"
	"testing"
	"time"
)

// counted is a payload that knows whether it is held.
type counted struct {
	size  int
	holds int
}

var zeros [1 << 16]byte

func (c *counted) Bytes() []byte { return zeros[:c.size] }
func (c *counted) Hold()         { c.holds++ }
func (c *counted) Release()      { c.holds-- }

// TestHistoryKeepsTheLatest: whatever is sent, with gaps, late packets and jumps, what the bounds allow can be had, and
// nothing else is held.
func TestHistoryKeepsTheLatest(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, size := range []int{100, 20_000} {
		var h history
		var all []*counted
		latest := make(map[uint16]sentPacket)
		highest, now := uint16(65_000), time.Duration(0)
		for i := range 20_000 {
			now += time.Duration(rng.IntN(40)) * time.Millisecond
			seq := highest + 1
			switch rng.IntN(40) {
			case 0:
				seq += uint16(rng.IntN(30)) // some were lost before they came here
			case 1:
				seq -= uint16(rng.IntN(20)) // it comes late, or again
			case 2:
				if i < 19_000 && rng.IntN(50) == 0 { // the stream goes on elsewhere
					seq += 1000 + uint16(rng.IntN(20_000))
					clear(latest)
				}
			}
			c := &counted{size: 1 + rng.IntN(size), holds: 1}
			all = append(all, c)
			p := sentPacket{payload: c, seq: seq, at: now}
			if !h.add(p) {
				c.Release()
				continue
			}
			latest[seq] = p
			if ahead := int16(seq - highest); ahead > 0 || len(latest) == 1 {
				highest = seq
			}
		}
		held, bytes := 0, 0
		for _, c := range all {
			if c.holds < 0 || c.holds > 1 {
				t.Fatalf("a payload is held %d times", c.holds)
			}
			held += c.holds
			bytes += c.holds * c.size
		}
		found := 0
		for behind := range uint16(2000) {
			seq := highest - behind
			p, want := h.get(seq), latest[seq]
			switch {
			case p == nil:
			case p.payload != want.payload || p.at != want.at:
				t.Fatalf("%d is another packet", seq)
			case p.payload.(*counted).holds != 1 || behind >= mostSent || now-p.at > mostSentAge+time.Second/2 && behind > 0: // one that came late may stand in front
				t.Errorf("%d, %d before the last, %v old, is there", seq, behind, now-p.at)
			default:
				found++
			}
		}
		if found != held || h.bytes != bytes || bytes > mostSentBytes || len(h.ring) > mostSent {
			t.Errorf("%d can be had, %d are held; %d bytes, of which it knows %d; room for %d", found, held, bytes, h.bytes, len(h.ring))
		}
		if enough := min(100, mostSentBytes/size/2); found < enough {
			t.Errorf("only %d can be had", found)
		}
		if h.get(highest) == nil || h.get(highest+1) != nil {
			t.Error("the latest cannot be had, or one after it can")
		}
		h.clear()
		for _, c := range all {
			if c.holds != 0 {
				t.Fatal("a payload is held after the end")
			}
		}
		if h.get(highest) != nil || h.bytes != 0 {
			t.Error("a packet can be had after the end")
		}
	}
}
