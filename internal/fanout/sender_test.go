package fanout

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/internal/mediatest"
)

func TestOneSourceReachesEveryPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		source := mediatest.NewDeviceCamera()
		s := publishTrack(t, source)
		var peers []*receiver
		for range 3 {
			peers = append(peers, receiveLegs(t, network, []*Leg{legOf(s)}))
		}
		var number uint32
		want := mediatest.Show(t, source, &number, 50, true)
		for i, peer := range peers {
			if got := peer.tapes[0].Frames(t); !slices.Equal(got, want) {
				t.Errorf("peer %d: frames %v, want %v", i, got, want)
			}
			codec := peer.tracks[0].Codec()
			if codec.MimeType != webrtc.MimeTypeVP8 || codec.PayloadType != 35 {
				t.Errorf("peer %d: codec %v", i, codec)
			}
		}
		if _, binds, _ := source.Asked(); binds != 1 {
			t.Errorf("bound %d times", binds)
		}
	})
}

func TestReplaceTrackIsSeamless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		var now mediatest.Camera = mediatest.NewSampleCamera(t)
		s := publishTrack(t, now)
		peer := receiveLegs(t, network, []*Leg{legOf(s)})
		var number uint32
		want := mediatest.Show(t, now, &number, 5, true)
		for i := range 30 {
			next := []func() mediatest.Camera{
				func() mediatest.Camera { return mediatest.NewRTPCamera(t) },
				func() mediatest.Camera { return mediatest.NewDeviceCamera() },
				func() mediatest.Camera { return mediatest.NewSampleCamera(t) },
			}[i%3]()
			must(t, s.ReplaceTrack(next))
			if s.Track() != next {
				t.Fatal("Track is not the new one")
			}
			// The new one has no key frame yet, so the old one is still sent.
			for range 2 {
				want = append(want, mediatest.Show(t, now, &number, 1, false)...)
				mediatest.Show(t, next, &number, 1, false)
			}
			want = append(want, mediatest.Show(t, next, &number, 4, true)...)
			mediatest.Show(t, now, &number, 1, true)
			if device, ok := now.(*mediatest.DeviceCamera); ok {
				if _, _, bound := device.Asked(); bound != 0 {
					t.Fatal("the old source is still bound")
				}
			}
			now = next
		}
		if got := peer.tapes[0].Frames(t); !slices.Equal(got, want) {
			t.Errorf("got frames  %v\nwant %v", got, want)
		}
		for _, p := range peer.tapes[0].All(t) {
			if p.Payload[0]&0x80 != 0 {
				t.Fatalf("a packet still has its source's picture id: %x…", p.Payload[:4])
			}
		}
	})
}

func TestTimestampsFollowTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		first, second := mediatest.NewSampleCamera(t), mediatest.NewRTPCamera(t)
		s := publishTrack(t, first)
		peer := receiveLegs(t, network, []*Leg{legOf(s)})
		var number uint32
		want := mediatest.Show(t, first, &number, 3, true)
		must(t, s.ReplaceTrack(nil))
		if s.Track() != nil {
			t.Error("Track is not nil while paused")
		}
		mediatest.Show(t, first, &number, 3, true)
		time.Sleep(time.Minute)
		must(t, s.ReplaceTrack(second))
		want = append(want, mediatest.Show(t, second, &number, 3, true)...)
		if got := peer.tapes[0].Frames(t); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
		packets := peer.tapes[0].All(t)
		last, resumed := packets[8], packets[9]
		pause := time.Minute + 4*mediatest.FrameTime
		if step := resumed.Timestamp - last.Timestamp; step != uint32(pause.Milliseconds()*90) {
			t.Errorf("timestamps move by %d in %v", step, pause)
		}
	})
}

// TestSourceRestarts: the numbers of a track that forwards packets may jump when their
// origin restarts. Peers do not notice.
func TestSourceRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track, err := webrtc.NewTrackLocalStaticRTP(mediatest.Opus, "x", "y")
		must(t, err)
		s := publishTrack(t, track)
		_, wire := boundLeg(t, s)
		for _, start := range []struct {
			seq       uint16
			timestamp uint32
		}{{40000, 7}, {3, 1 << 31}, {65000, 0}} {
			for i := range uint16(10) {
				must(t, track.WriteRTP(&rtp.Packet{
					Header:  rtp.Header{Version: 2, SequenceNumber: start.seq + i, Timestamp: start.timestamp + 960*uint32(i)},
					Payload: []byte{0xf8, 0xff, 0xfe},
				}))
				time.Sleep(20 * time.Millisecond)
			}
		}
		headers := wire.headers()
		if len(headers) != 30 {
			t.Fatalf("%d packets, want 30", len(headers))
		}
		for i, h := range headers[1:] {
			if h.SequenceNumber-headers[i].SequenceNumber != 1 || h.Timestamp-headers[i].Timestamp != 960 {
				t.Errorf("packet %d: sequence number moves by %d, timestamp by %d", i+1,
					h.SequenceNumber-headers[i].SequenceNumber, h.Timestamp-headers[i].Timestamp)
			}
		}
	})
}

func TestMute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		source := mediatest.NewDeviceCamera()
		changes := 0
		s, err := NewSender(source, Options{}, Hooks{OnChange: func() { changes++ }, OnClose: func() {}})
		must(t, err)
		defer func() { _ = s.Close() }()
		if s.Name() != "camera" {
			t.Errorf("name %q", s.Name())
		}
		peer := receiveLegs(t, network, []*Leg{legOf(s)})
		var number uint32
		want := mediatest.Show(t, source, &number, 3, true)
		must(t, s.SetMuted(true))
		must(t, s.SetMuted(true))
		mediatest.Show(t, source, &number, 20, true)
		before, _, _ := source.Asked()
		must(t, s.SetMuted(false))
		if after, _, _ := source.Asked(); after != before+1 {
			t.Errorf("asked %d times for a key frame", after-before)
		}
		mediatest.Show(t, source, &number, 3, false)
		want = append(want, mediatest.Show(t, source, &number, 3, true)...)
		if got := peer.tapes[0].Frames(t); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
		if changes != 2 {
			t.Errorf("%d changes reported, want 2", changes)
		}
	})
}

func TestSwapWhileMuted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := mediatest.NewDeviceCamera(), mediatest.NewDeviceCamera()
		s := publishTrack(t, first)
		l, wire := boundLeg(t, s)
		var number uint32
		must(t, s.SetMuted(true))
		must(t, s.ReplaceTrack(second))
		mediatest.Show(t, second, &number, 2, true)
		if _, _, bound := first.Asked(); bound != 0 {
			t.Error("the old source is still bound")
		}
		must(t, s.SetMuted(false))
		mediatest.Show(t, second, &number, 2, false)
		if n := len(wire.headers()); n != 0 {
			t.Errorf("%d packets before the key frame", n)
		}
		mediatest.Show(t, second, &number, 1, true)
		if n := len(wire.headers()); n != 3 {
			t.Errorf("%d packets, want 3", n)
		}
		l.Detach()
	})
}

func TestUnknownCodecChangesNothing(t *testing.T) {
	static := func(codec webrtc.RTPCodecCapability) webrtc.TrackLocal {
		track, err := webrtc.NewTrackLocalStaticSample(codec, "x", "y")
		must(t, err)
		return track
	}
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		source := mediatest.NewDeviceCamera()
		s := publishTrack(t, source)
		peer := receiveLegs(t, network, []*Leg{legOf(s)})
		var number uint32
		want := mediatest.Show(t, source, &number, 3, true)
		for _, codec := range []webrtc.RTPCodecCapability{
			mediatest.Opus,
			{MimeType: webrtc.MimeTypeVP9, ClockRate: 90000, SDPFmtpLine: "profile-id=2"},
			{MimeType: webrtc.MimeTypeVP8, ClockRate: 8000},
			{MimeType: "video/none", ClockRate: 90000},
		} {
			if err := s.ReplaceTrack(static(codec)); !errors.Is(err, fault.Codec) {
				t.Errorf("%s: %v, want fault.Codec", codec.MimeType, err)
			}
			if s.Track() != webrtc.TrackLocal(source) {
				t.Errorf("%s: the track has changed", codec.MimeType)
			}
			want = append(want, mediatest.Show(t, source, &number, 2, false)...)
		}
		if got := peer.tapes[0].Frames(t); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
	})
}

func TestPublishRefusesUnknownCodecs(t *testing.T) {
	for _, codec := range []webrtc.RTPCodecCapability{
		{MimeType: "video/none", ClockRate: 90000},
		{MimeType: "text/plain"},
		{MimeType: webrtc.MimeTypeVP9, ClockRate: 90000, SDPFmtpLine: "profile-id=2"},
	} {
		track, err := webrtc.NewTrackLocalStaticSample(codec, "x", "y")
		must(t, err)
		if _, err := NewSender(track, Options{}, Hooks{}); !errors.Is(err, fault.Codec) {
			t.Errorf("%s: %v, want fault.Codec", codec.MimeType, err)
		}
	}
	if _, err := NewSender(nil, Options{}, Hooks{}); err == nil {
		t.Error("publishing no track is no error")
	}
}

func TestSwapCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second, third := mediatest.NewDeviceCamera(), mediatest.NewDeviceCamera(), mediatest.NewDeviceCamera()
		s := publishTrack(t, first)
		must(t, s.ReplaceTrack(first))
		must(t, s.ReplaceTrack(second))
		must(t, s.ReplaceTrack(second))
		must(t, s.ReplaceTrack(third))
		if requests, _, _ := third.Asked(); requests != 1 {
			t.Errorf("the new source was asked %d times for a key frame", requests)
		}
		if _, binds, bound := second.Asked(); binds != 1 || bound != 0 {
			t.Errorf("second: bound %d times, %d left", binds, bound)
		}
		must(t, s.ReplaceTrack(first))
		if _, binds, bound := third.Asked(); binds != 1 || bound != 0 {
			t.Errorf("third: bound %d times, %d left", binds, bound)
		}
		if _, binds, bound := first.Asked(); binds != 1 || bound != 1 {
			t.Errorf("first: bound %d times, %d left", binds, bound)
		}
		if s.Track() != webrtc.TrackLocal(first) {
			t.Error("Track is not the first one")
		}
	})
}

func TestKeyframeRequestsAreMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		source := mediatest.NewDeviceCamera()
		s := publishTrack(t, source)
		var peers []*receiver
		for range 3 {
			peers = append(peers, receiveLegs(t, network, []*Leg{legOf(s)}))
		}
		var number uint32
		mediatest.Show(t, source, &number, 30, true)
		before, _, _ := source.Asked()
		for range 100 { // a second of storms
			for _, peer := range peers {
				peer.requestKeyframe(t)
			}
			time.Sleep(10 * time.Millisecond)
		}
		// At 0, 500 and 1000 ms.
		time.Sleep(time.Second)
		after, _, _ := source.Asked()
		if after-before != 3 {
			t.Errorf("asked %d times, want 3", after-before)
		}
		// A key frame serves all requests from before it.
		peers[0].requestKeyframe(t)
		time.Sleep(50 * time.Millisecond)
		peers[1].requestKeyframe(t)
		time.Sleep(50 * time.Millisecond)
		mediatest.Show(t, source, &number, 30, true)
		if last, _, _ := source.Asked(); last-after != 1 {
			t.Errorf("asked %d times, want once", last-after)
		}
	})
}

// TestKeyframeRequestAsTimerFires: requests at the instant at which the timer fires, one
// before the other and both before it, are not two to the source.
func TestKeyframeRequestAsTimerFires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := mediatest.NewDeviceCamera()
		s := publishTrack(t, source)
		src := s.feeds[0].current
		src.requestKeyframe()
		time.Sleep(keyframeInterval - time.Millisecond)
		src.requestKeyframe() // waits for the timer
		synctest.Wait()
		before, _, _ := source.Asked()
		src.mu.Lock()
		src.asked = src.asked.Add(-time.Millisecond) // it fires a moment too late
		look := src.looks
		src.mu.Unlock()
		src.requestKeyframe()
		src.requestKeyframe()
		src.repeat(look)
		synctest.Wait()
		if after, _, _ := source.Asked(); after-before != 1 {
			t.Errorf("asked %d times in one moment", after-before)
		}
	})
}

func TestClosedSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := mediatest.NewDeviceCamera()
		closed := 0
		s, err := NewSender(source, Options{Name: "화면"}, Hooks{OnChange: func() {}, OnClose: func() { closed++ }})
		must(t, err)
		l, wire := boundLeg(t, s)
		pending := mediatest.NewDeviceCamera()
		must(t, s.ReplaceTrack(pending))
		must(t, s.Close())
		must(t, s.Close())
		if closed != 1 {
			t.Errorf("closed %d times", closed)
		}
		if l.sender != nil {
			t.Error("the leg still has its sender")
		}
		for _, c := range []*mediatest.DeviceCamera{source, pending} {
			if _, _, bound := c.Asked(); bound != 0 {
				t.Error("a source is still bound")
			}
		}
		for _, err := range []error{
			s.SetMuted(true), s.ReplaceTrack(nil), s.ReplaceTrack(mediatest.NewSampleCamera(t)), s.ReplaceTrack(source),
		} {
			if !errors.Is(err, fault.Closed) || !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v, want fault.Closed", err)
			}
		}
		late := NewLeg(s.codec.RTPCodecCapability, "방", nil)
		late.Attach(s)
		l.Connected()
		late.Connected()
		if len(wire.headers()) != 0 {
			t.Error("a closed sender has sent packets")
		}
	})
}

func TestTrackBoundElsewhereToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := mediatest.NewSampleCamera(t)
		first, second := publishTrack(t, source), publishTrack(t, source)
		_, one := boundLeg(t, first)
		_, two := boundLeg(t, second)
		var number uint32
		mediatest.Show(t, source, &number, 3, true)
		must(t, first.Close())
		mediatest.Show(t, source, &number, 3, false)
		if a, b := len(one.headers()), len(two.headers()); a != 9 || b != 18 {
			t.Errorf("%d and %d packets, want 9 and 18", a, b)
		}
	})
}

func TestSourceEndsItsReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishTrack(t, mediatest.NewSampleCamera(t))
		src := s.feeds[0].current
		got := make(chan error)
		go func() {
			_, _, err := src.RTCPReader().Read(make([]byte, 1500), nil)
			got <- err
		}()
		synctest.Wait()
		select {
		case err := <-got:
			t.Fatalf("RTCP without a request: %v", err)
		default:
		}
		must(t, s.Close())
		if err := <-got; !errors.Is(err, io.EOF) {
			t.Errorf("%v, want io.EOF", err)
		}
		if _, err := src.Write([]byte{1, 2}); err == nil {
			t.Error("two bytes count as an RTP packet")
		}
		packet, err := (&rtp.Packet{Header: rtp.Header{Version: 2}, Payload: []byte{0x10, 0}}).Marshal()
		must(t, err)
		if _, err := src.Write(packet); err != nil {
			t.Errorf("a late packet: %v", err)
		}
	})
}
