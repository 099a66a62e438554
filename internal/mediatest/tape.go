package mediatest

import (
	"encoding/binary"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// Tape records the packets of a track.
type Tape struct {
	mu      sync.Mutex
	packets []*rtp.Packet
	times   []time.Time // of their arrival
}

// Record records packets until they end.
func Record(packets iter.Seq[*rtp.Packet]) *Tape {
	r := &Tape{}
	go func() {
		for p := range packets {
			r.mu.Lock()
			r.packets, r.times = append(r.packets, p), append(r.times, time.Now())
			r.mu.Unlock()
		}
	}()
	return r
}

// All waits until everything under way has arrived, and returns all packets.
func (r *Tape) All(t *testing.T) []*rtp.Packet {
	t.Helper()
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.packets)
}

// Times returns the arrival times of the packets that All returns.
func (r *Tape) Times() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.times)
}

// Frames returns the numbers of the frames, in the order of their first packets. It fails
// the test if there is a gap in the sequence numbers, or if a timestamp does not grow from
// frame to frame.
func (r *Tape) Frames(t *testing.T) []uint32 {
	t.Helper()
	packets := r.All(t)
	var frames []uint32
	for i, packet := range packets {
		if i > 0 && packet.SequenceNumber != packets[i-1].SequenceNumber+1 {
			t.Fatalf("packet %d has sequence number %d after %d", i, packet.SequenceNumber, packets[i-1].SequenceNumber)
		}
		var p codecs.VP8Packet
		body, err := p.Unmarshal(packet.Payload)
		must(t, err)
		if i > 0 {
			step := int32(packet.Timestamp - packets[i-1].Timestamp)
			if p.S == 1 && step <= 0 || p.S == 0 && step != 0 {
				t.Fatalf("packet %d: the timestamp moves by %d", i, step)
			}
		}
		if p.S == 1 {
			frames = append(frames, binary.BigEndian.Uint32(body[1:]))
		}
	}
	return frames
}
