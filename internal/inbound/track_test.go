package inbound

import (
	"errors"
	"io"
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

// TestTapsWorkAlongsideReadRTP: each tap gets every packet, begins with what waits for
// ReadRTP, and ends when it is closed or the track ends.
func TestTapsWorkAlongsideReadRTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &Inbound{}
		track := NewTrack("a", "마이크", webrtc.RTPCodecTypeAudio, false)
		in.Assign(track)
		expect := func(what string, r interface{ ReadRTP() (*rtp.Packet, error) }, numbers ...uint16) {
			t.Helper()
			for _, n := range numbers {
				if packet, err := r.ReadRTP(); err != nil || packet.SequenceNumber != n {
					t.Fatalf("%s: %+v, %v, want %d", what, packet, err, n)
				}
			}
		}
		track.push(in, numberedPacket(1), nil)
		track.push(in, numberedPacket(2), nil)
		expect("ReadRTP", track, 1)
		first := track.Tap()
		track.push(in, numberedPacket(3), nil)
		second := track.Tap()
		expect("ReadRTP", track, 2, 3)
		late := track.Tap()
		track.push(in, numberedPacket(4), nil)
		expect("the first tap", first, 2, 3, 4)
		expect("the second tap", second, 2, 3, 4)
		expect("the late tap", late, 4)

		ended := make(chan error, 1)
		go func() { _, err := second.ReadRTP(); ended <- err }()
		synctest.Wait()
		for range 2 {
			if err := second.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("a closed tap: %v, want io.EOF", err)
		}
		if len(track.taps) != 2 {
			t.Errorf("%d taps are held, want 2", len(track.taps))
		}
		for n := range trackRing + 3 { // slow readers lose the oldest packets, others none
			track.push(in, numberedPacket(10+n), nil)
			if n > 0 {
				expect("the late tap", late, uint16(9+n))
			}
		}
		expect("the first tap", first, 13)
		track.End()
		expect("the late tap", late, 10+trackRing+2)
		for _, r := range []PacketReader{late, track.Tap()} {
			for {
				if _, err := r.ReadRTP(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
		}
		if track.taps != nil {
			t.Error("the ended track still holds taps")
		}
	})
}

func TestFromNTP(t *testing.T) {
	for at, want := range map[uint64]string{
		0x83aa7e80_00000000: "1970-01-01T00:00:00Z",
		0xffffffff_80000000: "2036-02-07T06:28:15.5Z",
		0x00000000_80000000: "2036-02-07T06:28:16.5Z",
	} {
		if got := fromNTP(at).UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("%x: %s, want %s", at, got, want)
		}
	}
}
