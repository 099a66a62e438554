package inbound

import (
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

func numberedPacket(n int) *rtp.Packet {
	return &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(n)}}
}

func TestSlowReaderGetsTheNewest(t *testing.T) {
	in := &Inbound{}
	track := NewTrack("a", "마이크", webrtc.RTPCodecTypeAudio, true)
	in.Assign(track)
	for n := range 3*trackRing + 7 {
		track.push(in, numberedPacket(n), &webrtc.RTPCodecParameters{PayloadType: 8})
	}
	track.End()
	track.push(in, numberedPacket(9999), nil)
	next := 2*trackRing + 7
	for packet := range track.Packets() {
		if packet.SequenceNumber != uint16(next) {
			t.Fatalf("got %d, want %d", packet.SequenceNumber, next)
		}
		next++
	}
	if next != 3*trackRing+7 {
		t.Errorf("ended at %d", next)
	}
	if _, err := track.ReadRTP(); !errors.Is(err, io.EOF) {
		t.Errorf("%v, want io.EOF", err)
	}
	if track.Codec().PayloadType != 8 || !track.Muted() || !track.setMuted(false) || track.setMuted(false) || track.Muted() {
		t.Error("wrong codec or muted state")
	}
}

// TestRingGrowsInOrder: with a reader that is sometimes behind, all packets come in order, and the room is for what waits.
func TestRingGrowsInOrder(t *testing.T) {
	var mu sync.Mutex
	r := packetRing{arrived: sync.NewCond(&mu)}
	put, taken := 0, 0
	for _, step := range []struct{ puts, takes, room int }{
		{0, 0, 0}, {5, 3, 8}, {6, 0, 8}, {1, 7, 16}, {14, 16, 16}, {40, 0, 64}, {0, 40, 64},
	} {
		for range step.puts {
			r.put(numberedPacket(put), time.Duration(put))
			put++
		}
		for range step.takes {
			p, came, err := r.take()
			if err != nil || int(p.SequenceNumber) != taken || came != time.Duration(taken) {
				t.Fatalf("packet %v of %v, want %d: %v", p.SequenceNumber, came, taken, err)
			}
			taken++
		}
		if len(r.waiting) != step.room {
			t.Errorf("room for %d packets after %d, want %d", len(r.waiting), put, step.room)
		}
	}
	if taken != put {
		t.Errorf("%d packets of %d", taken, put)
	}
}

func TestReadersWaitWithoutPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &Inbound{}
		track := NewTrack("a", "camera", webrtc.RTPCodecTypeVideo, false)
		in.Assign(track)
		got := make(chan error, 4)
		for range 4 {
			go func() {
				_, err := track.ReadRTP()
				got <- err
			}()
		}
		began := time.Now()
		time.Sleep(time.Hour) // returns at once, unless somebody polls
		if time.Since(began) != time.Hour || len(got) != 0 {
			t.Fatal("a reader did not wait")
		}
		track.push(in, numberedPacket(1), nil)
		track.push(in, numberedPacket(2), nil)
		synctest.Wait()
		if len(got) != 2 {
			t.Errorf("%d readers woke up, want 2", len(got))
		}
		track.End()
		synctest.Wait()
		errs := []error{<-got, <-got, <-got, <-got}
		if errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], io.EOF) || !errors.Is(errs[3], io.EOF) {
			t.Errorf("readers got %v", errs)
		}
	})
}
