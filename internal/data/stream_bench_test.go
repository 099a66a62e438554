package data

import (
	"fmt"
	"testing"
)

// BenchmarkKept measures one small message that is kept and taken, while others wait to be taken.
func BenchmarkKept(b *testing.B) {
	for _, others := range []int{0, 100, 1000} {
		b.Run(fmt.Sprint(others), func(b *testing.B) {
			var s Stream
			lane, payload := NewLane(nil, nil), make([]byte, 100)
			send := func() {
				if err := s.TrySend("", payload); err != nil {
					b.Fatal(err)
				}
			}
			for range others {
				send()
			}
			taken := uint32(0)
			b.ReportAllocs()
			for b.Loop() {
				send()
				taken++
				if _, _, err := s.Take(lane, peerFrame(kindTaken, taken, "")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
