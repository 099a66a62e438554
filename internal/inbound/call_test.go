package inbound_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
	"noom/internal/fault"
	"noom/internal/inbound"
	"noom/internal/mediatest"
)

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

		track := inbound.NewTrack("b", "화면", webrtc.RTPCodecTypeVideo, false)
		if err := track.RequestKeyframe(); !errors.Is(err, fault.NotConnected) {
			t.Errorf("%v, want ErrNotConnected", err)
		}
		if track.Track() != nil || track.Codec().MimeType != "" {
			t.Error("a track without a connection has one")
		}
		first := old.tapes[0]
		oldRemote, freshRemote := first.track.Track(), fresh.tapes[0].track.Track()
		old.inbounds[0].Assign(track)
		tape := mediatest.Record(track.Packets())
		if first.track.Track() != nil || track.Track() != oldRemote {
			t.Error("the section's track has not changed")
		}
		want := mediatest.Show(t, source, &number, 2, true)
		if got := tape.Frames(t); len(got) != 2 || got[0] != want[0] {
			t.Errorf("got frames %v, want %v", got, want)
		}
		if got := first.Frames(t); len(got) != 2 {
			t.Errorf("the section's former track got frames %v", got)
		}

		fresh.inbounds[0].Assign(track) // the rebuild; both connections are still up
		must(t, track.RequestKeyframe())
		mediatest.Show(t, source, &number, 2, true)
		packets := tape.All(t)
		i := slices.IndexFunc(packets, func(p *rtp.Packet) bool { return p.SSRC != packets[0].SSRC })
		if i < 6 || len(packets)-i != 6 || slices.ContainsFunc(packets[i:], func(p *rtp.Packet) bool { return p.SSRC == packets[0].SSRC }) {
			t.Errorf("%d packets, the first %d by the old connection; want it to serve until the first by the new, and all 6 of those", len(packets), i)
		}
		must(t, old.pc.GracefulClose())
		synctest.Wait()
		if track.Track() != freshRemote {
			t.Error("the end of the old connection took the track along")
		}
		must(t, fresh.pc.GracefulClose())
		synctest.Wait()
		if err := track.RequestKeyframe(); !errors.Is(err, fault.NotConnected) {
			t.Errorf("%v, want ErrNotConnected", err)
		}
		track.End()
		if err := track.RequestKeyframe(); !errors.Is(err, fault.Closed) {
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
