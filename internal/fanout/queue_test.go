package fanout

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPacketQueue: packets come out in the order in which they were put in, no more wait than may, those that were taken
// and are not written yet included, and room for many is given back.
func TestPacketQueue(t *testing.T) {
	const most = 300
	q := newPacketQueue(most)
	rng := rand.New(rand.NewPCG(3, 1))
	put, written, largest := uint16(0), uint16(0), 0
	fill := func() {
		for range rng.IntN(most) {
			if full := q.full(); full != (put-written == most) {
				t.Fatalf("full: %v, with %d packets", full, put-written)
			} else if full {
				break
			}
			o := outgoingPacket{}
			o.header.SequenceNumber = put
			q.put(o)
			put++
		}
		largest = max(largest, len(q.waiting))
	}
	var all []outgoingPacket
	drain := func() {
		all = q.take(all)
		if want := put - written; len(all) != int(want) {
			t.Fatalf("took %d, want %d", len(all), want)
		}
		for i := range all {
			if got := all[i].header.SequenceNumber; got != written {
				t.Fatalf("took %d, want %d", got, written)
			}
			q.written()
			written++
		}
		if q.length() != 0 {
			t.Fatalf("%d wait, want none", q.length())
		}
	}
	for range 2000 {
		if fill(); put != written {
			drain()
		}
	}
	if largest < most/2 {
		t.Errorf("at most %d waited", largest)
	}
	fill()
	q.close()
	if put != written {
		drain()
	}
	if all = q.take(all); len(all) > 0 || cap(q.waiting) > keptQueue {
		t.Errorf("took %d of none; there is room for %d", len(all), cap(q.waiting))
	}
}

// TestPacketQueueIsBounded: what the pump has taken and not written yet counts.
func TestPacketQueueIsBounded(t *testing.T) {
	q := newPacketQueue(3)
	for range 3 {
		q.put(outgoingPacket{})
	}
	if all := q.take(nil); len(all) != 3 || !q.full() {
		t.Errorf("took %d, full: %v", len(all), q.full())
	}
	if q.written(); q.full() || q.length() != 2 {
		t.Errorf("%d are left, full: %v", q.length(), q.full())
	}
}

// TestPacketQueueIsSmall: a queue in which little waits has room for little.
func TestPacketQueueIsSmall(t *testing.T) {
	q := newPacketQueue(videoQueue)
	if cap(q.waiting) > 0 {
		t.Errorf("there is room for %d before the first packet", cap(q.waiting))
	}
	var all []outgoingPacket
	for range 5 * videoQueue {
		q.put(outgoingPacket{})
		q.put(outgoingPacket{})
		all = q.take(all)
		q.written()
		q.written()
	}
	if room := cap(q.waiting) + cap(all); room > 2*leastQueue {
		t.Errorf("there is room for %d, of which 2 were needed", room)
	}
}

// TestPumpsRest: a queue has a pump while packets come, and none at rest. It keeps no room then.
func TestPumpsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newPacketQueue(videoQueue)
		var begun, ended, written atomic.Int32
		put := func() {
			if !q.put(outgoingPacket{}) {
				return
			}
			begun.Add(1)
			go func() {
				for all := q.take(nil); len(all) > 0; all = q.take(all) {
					for range all {
						time.Sleep(time.Millisecond)
						q.written()
						written.Add(1)
					}
				}
				ended.Add(1)
			}()
		}
		for round := range int32(3) {
			for range 20 {
				put()
				time.Sleep(pumpRests - time.Millisecond)
			}
			if begun.Load() != round+1 || ended.Load() != round {
				t.Errorf("round %d: %d pumps have begun, %d ended", round, begun.Load(), ended.Load())
			}
			time.Sleep(2 * pumpRests)
			synctest.Wait()
			if ended.Load() != round+1 || written.Load() != 20*(round+1) {
				t.Errorf("round %d: %d pumps have ended, %d packets are written", round, ended.Load(), written.Load())
			}
			if q.waiting != nil {
				t.Errorf("there is room for %d at rest", cap(q.waiting))
			}
		}
		q.close() // at rest
		<-q.emptied
	})
}

// TestAQueueIsEmptiedOnce: when it is closed and all was written, whatever comes first.
func TestAQueueIsEmptiedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newPacketQueue(videoQueue)
		q.put(outgoingPacket{})
		all := q.take(nil)
		q.close()
		select {
		case <-q.emptied:
			t.Error("it is empty before its packet was written")
		default:
		}
		q.written()
		if all = q.take(all); len(all) > 0 {
			t.Errorf("%d packets of none", len(all))
		}
		<-q.emptied
		newPacketQueue(1).close()
		time.Sleep(time.Minute)
	})
}
