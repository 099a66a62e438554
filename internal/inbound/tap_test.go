package inbound

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

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
