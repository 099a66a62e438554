package noom

import (
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
	"noom/internal/mediatest"
)

func numbered(n int) *rtp.Packet { return &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(n)}} }

func TestSlowReaderGetsTheNewest(t *testing.T) {
	in := &inbound{}
	track := newRemoteTrack("a", "마이크", webrtc.RTPCodecTypeAudio, true)
	in.assign(track)
	for n := range 3*trackRing + 7 {
		track.push(in, numbered(n), &webrtc.RTPCodecParameters{PayloadType: 8})
	}
	track.close()
	track.push(in, numbered(9999), nil)
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
		t.Error("codec or mute state")
	}
}

func TestReadersWaitWithoutPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbound{}
		track := newRemoteTrack("a", "camera", webrtc.RTPCodecTypeVideo, false)
		in.assign(track)
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
		track.push(in, numbered(1), nil)
		track.push(in, numbered(2), nil)
		synctest.Wait()
		if len(got) != 2 {
			t.Errorf("%d readers woke up, want 2", len(got))
		}
		track.close()
		synctest.Wait()
		errs := []error{<-got, <-got, <-got, <-got}
		if errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], io.EOF) || !errors.Is(errs[3], io.EOF) {
			t.Errorf("readers got %v", errs)
		}
	})
}

// A section carries one track after the other, and a track moves from one
// connection's section to the next one's.
func TestTracksAndSectionsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		source := mediatest.NewSampleCamera(t)
		s := publish(t, source)
		old, fresh := receive(t, network, []*fanout.Leg{legOf(s)}), receive(t, network, []*fanout.Leg{legOf(s)})
		var number uint32
		mediatest.Show(t, source, &number, 2, true)

		track := newRemoteTrack("b", "화면", webrtc.RTPCodecTypeVideo, false)
		if err := track.RequestKeyframe(); !errors.Is(err, ErrNotConnected) {
			t.Errorf("%v, want ErrNotConnected", err)
		}
		if track.Track() != nil || track.Codec().MimeType != "" {
			t.Error("a track without a connection has one")
		}
		first := old.tapes[0]
		old.inbounds[0].assign(track)
		tape := mediatest.Record(track.Packets())
		if first.track.Track() != nil || track.Track() != old.inbounds[0].tr {
			t.Error("the section's track has not changed")
		}
		want := mediatest.Show(t, source, &number, 2, true)
		if got := tape.Frames(t); len(got) != 2 || got[0] != want[0] {
			t.Errorf("got frames %v, want %v", got, want)
		}
		if got := first.Frames(t); len(got) != 2 {
			t.Errorf("the section's former track got frames %v", got)
		}

		fresh.inbounds[0].assign(track) // the rebuild; both connections are still up
		must(t, track.RequestKeyframe())
		mediatest.Show(t, source, &number, 2, true)
		packets := tape.All(t)
		i := slices.IndexFunc(packets, func(p *rtp.Packet) bool { return p.SSRC != packets[0].SSRC })
		if i < 6 || len(packets)-i != 6 || slices.ContainsFunc(packets[i:], func(p *rtp.Packet) bool { return p.SSRC == packets[0].SSRC }) {
			t.Errorf("%d packets, the first %d by the old connection; want it to serve until the first by the new, and all 6 of those", len(packets), i)
		}
		must(t, old.pc.GracefulClose())
		synctest.Wait()
		if track.Track() != fresh.inbounds[0].tr {
			t.Error("the end of the old connection took the track along")
		}
		must(t, fresh.pc.GracefulClose())
		synctest.Wait()
		if err := track.RequestKeyframe(); !errors.Is(err, ErrNotConnected) {
			t.Errorf("%v, want ErrNotConnected", err)
		}
		track.close()
		if err := track.RequestKeyframe(); !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
	})
}

// What the sender reports say of a packet is when it was sent.
func TestSenderTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		camera := mediatest.NewSampleCamera(t)
		s := publish(t, camera)
		peer := receive(t, network, []*fanout.Leg{legOf(s)})
		track := peer.tapes[0].track
		if _, _, ok := track.SenderTime(0); ok {
			t.Error("the sender's time was known before it had sent anything")
		}
		var number uint32
		began := time.Now()
		mediatest.Show(t, camera, &number, 60, true)
		packets := peer.tapes[0].All(t)
		at, timestamp, ok := track.SenderTime(packets[0].SSRC)
		if !ok {
			t.Fatal("no sender report in 2.4 s")
		}
		since := time.Duration(int32(timestamp-packets[0].Timestamp)) * time.Second / 90000
		if d := at.Add(-since).Sub(began); d < -time.Millisecond || d > time.Millisecond {
			t.Errorf("the first packet was sent at %v, which is off by %v", began, d)
		}
		if _, _, ok := track.SenderTime(packets[0].SSRC + 1); ok {
			t.Error("of another stream the time is known too")
		}
	})
}

// Readers beside each other: each gets every packet, begins with what waits for
// ReadRTP, and ends with the track or when it is closed.
func TestTaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbound{}
		track := newRemoteTrack("a", "마이크", webrtc.RTPCodecTypeAudio, false)
		in.assign(track)
		expect := func(what string, r interface{ ReadRTP() (*rtp.Packet, error) }, numbers ...uint16) {
			t.Helper()
			for _, n := range numbers {
				if packet, err := r.ReadRTP(); err != nil || packet.SequenceNumber != n {
					t.Fatalf("%s: %+v, %v, want %d", what, packet, err, n)
				}
			}
		}
		track.push(in, numbered(1), nil)
		track.push(in, numbered(2), nil)
		expect("ReadRTP", track, 1)
		first := track.Tap()
		track.push(in, numbered(3), nil)
		second := track.Tap()
		expect("ReadRTP", track, 2, 3)
		late := track.Tap()
		track.push(in, numbered(4), nil)
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
		for n := range trackRing + 3 { // the slow lose the oldest, the others none
			track.push(in, numbered(10+n), nil)
			if n > 0 {
				expect("the late tap", late, uint16(9+n))
			}
		}
		expect("the first tap", first, 13)
		track.close()
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
			t.Error("taps of a track that is gone are held")
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
