package media

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

var allVideo = []string{webrtc.MimeTypeVP8, webrtc.MimeTypeVP9, webrtc.MimeTypeH264, webrtc.MimeTypeAV1}

// contiguous checks that sequence numbers rise by one and that every packet
// came exactly when its timestamp says.
func contiguous(t *testing.T, packets []arrival, clock int64) {
	t.Helper()
	first := packets[0]
	for i, p := range packets {
		if p.SequenceNumber != first.SequenceNumber+uint16(i) {
			t.Fatalf("packet %d: sequence number %d behind %d", i, p.SequenceNumber, first.SequenceNumber)
		}
		ticks := int64(p.Timestamp - first.Timestamp)
		want := (int64(p.at.Sub(first.at))*clock + 5e8) / 1e9
		if d := ticks - want; d < -1 || d > 1 {
			t.Fatalf("packet %d: came %v after the first with a timestamp %d on, want %d", i, p.at.Sub(first.at), ticks, want)
		}
	}
}

// frameCount counts pictures by their last packet, sound by packets.
func frameCount(packets []arrival) (n int) {
	for _, p := range packets {
		if p.Marker {
			n++
		}
	}
	if n == 0 {
		return len(packets)
	}
	return n
}

func TestLoopIsSeamlessAndDriftFree(t *testing.T) {
	for _, c := range []struct {
		path, mime string
		clock      int64
		perSecond  int
	}{
		{"testdata/vp8.ivf", webrtc.MimeTypeVP8, 90000, 15},
		{"testdata/vp9.ivf", webrtc.MimeTypeVP9, 90000, 15},
		{"testdata/av1.ivf", webrtc.MimeTypeAV1, 90000, 15},
		{"testdata/opus.ogg", webrtc.MimeTypeOpus, 48000, 50},
	} {
		t.Run(c.path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				open := OpenIVF
				if c.clock == 48000 {
					open = OpenOgg
				}
				s, err := open(c.path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if s.Codec().MimeType != c.mime {
					t.Errorf("codec %s, want %s", s.Codec().MimeType, c.mime)
				}
				p := newPlace("p", append(slices.Clone(allVideo), webrtc.MimeTypeOpus)...)
				if codec := bind(t, s, p); codec.MimeType != c.mime {
					t.Errorf("bound as %s, want %s", codec.MimeType, c.mime)
				}
				const long = 10 * time.Minute // some 200 rounds
				time.Sleep(long)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				packets := p.got()
				contiguous(t, packets, c.clock)
				want := int(long/time.Second) * c.perSecond
				if n := frameCount(packets); n < want-1 || n > want+1 {
					t.Errorf("%d frames in %v, want %d", n, long, want)
				}
				if err := s.Err(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What arrives is what the file holds: payloads put together again give the
// frames that a reader of the file gives.
func TestPacketsHoldTheFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := read(t, "testdata/vp8.ivf")
		s, err := NewIVF(bytes.NewReader(file), &FileOptions{Once: true})
		if err != nil {
			t.Fatal(err)
		}
		p := newPlace("p", webrtc.MimeTypeVP8)
		bind(t, s, p)
		<-s.Done()
		var got []byte
		for _, packet := range p.got() {
			if len(packet.payload) > payloadSize || packet.SSRC != 7 || packet.PayloadType != 96 {
				t.Fatalf("packet of %d bytes, SSRC %d, payload type %d", len(packet.payload), packet.SSRC, packet.PayloadType)
			}
			var vp8 codecs.VP8Packet
			part, err := vp8.Unmarshal(packet.payload)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, part...)
			if packet.Marker {
				header := file[ivfHeader:][:ivfFrameHeader]
				file = file[ivfFrameHeader:]
				want := file[ivfHeader:][:int(header[0])+int(header[1])<<8]
				if !bytes.Equal(got, want) {
					t.Fatalf("a frame of %d bytes, want %d others", len(got), len(want))
				}
				file, got = file[len(want):], nil
			}
		}
		if len(file) != ivfHeader {
			t.Errorf("%d bytes of the file were not sent", len(file)-ivfHeader)
		}
		if err := s.Err(); err != nil {
			t.Error(err)
		}
		if _, err := s.Bind(p); !errors.Is(err, ErrClosed) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("bound after its end: %v", err)
		}
	})
}

func TestUnbindPausesAndBindBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenIVF("testdata/vp8.ivf", nil)
		if err != nil {
			t.Fatal(err)
		}
		closeLater(t, s)
		a, b := newPlace("a", webrtc.MimeTypeVP8), newPlace("b", webrtc.MimeTypeVP8)
		bind(t, s, a)
		bind(t, s, b)
		time.Sleep(1010 * time.Millisecond)
		if err := s.Unbind(a); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := len(a.got())
		missed := frameCount(a.got()) - frameCount(b.got()) // the first frame, if it was sent before b was there
		if n := frameCount(a.got()); n != 16 || missed < 0 || missed > 1 {
			t.Fatalf("%d and %d frames in a second, want 16", n, frameCount(b.got()))
		}
		time.Sleep(time.Second)
		if len(a.got()) != before || frameCount(b.got()) != 31-missed {
			t.Fatalf("after Unbind a got %d more, b has %d frames", len(a.got())-before, frameCount(b.got()))
		}
		if err := s.Unbind(b); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Hour + 500*time.Millisecond) // no whole number of rounds
		before = len(b.got())
		bind(t, s, b)
		synctest.Wait()
		packets := b.got()
		if len(packets) == before {
			t.Fatal("bound again it did not begin at once")
		}
		contiguous(t, packets, 90000)
		if last := packets[len(packets)-1]; !keyFrame(t, packets, last.Timestamp) {
			t.Error("bound again it did not begin with a key frame")
		}
		if err := s.Unbind(a); !errors.Is(err, webrtc.ErrUnbindFailed) {
			t.Errorf("unbinding twice: %v", err)
		}
	})
}

// keyFrame reports whether the first packet with that timestamp begins one.
func keyFrame(t *testing.T, packets []arrival, timestamp uint32) bool {
	t.Helper()
	for _, p := range packets {
		if p.Timestamp == timestamp {
			var vp8 codecs.VP8Packet
			part, err := vp8.Unmarshal(p.payload)
			return err == nil && part[0]&1 == 0
		}
	}
	return false
}

// A writer that stands still for a while is not flooded afterwards.
func TestStallIsNotCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := TestPattern(&PatternOptions{FPS: 10})
		closeLater(t, s)
		p := newPlace("p", webrtc.MimeTypeVP8)
		p.gate = make(chan struct{})
		bind(t, s, p)
		time.Sleep(550 * time.Millisecond)
		p.gate <- struct{}{} // the writer stands
		time.Sleep(10 * time.Second)
		p.gate <- struct{}{}
		time.Sleep(time.Millisecond)
		if n := frameCount(p.got()); n > 8 {
			t.Errorf("%d frames at once after the stall", n-6)
		}
		time.Sleep(time.Second)
		if n := frameCount(p.got()); n < 15 || n > 18 {
			t.Errorf("%d frames, want some 17", n)
		}
	})
}

func TestBindTakesOnlyWhatFits(t *testing.T) {
	s := Tone()
	closeLater(t, s)
	if _, err := s.Bind(newPlace("p", allVideo...)); !errors.Is(err, webrtc.ErrUnsupportedCodec) {
		t.Errorf("bound where there is no Opus: %v", err)
	}
	vp9 := format{mime: webrtc.MimeTypeVP9, profile: "2"}
	offer := newPlace("p", webrtc.MimeTypeVP9, "video/vp9").codecs
	if _, ok := vp9.choose(offer); ok {
		t.Error("profile 2 was sent as profile 0")
	}
	offer[1].SDPFmtpLine = "x=1; profile-id=2"
	if c, ok := vp9.choose(offer); !ok || c.PayloadType != 97 {
		t.Errorf("profile 2 was not found: %v", c)
	}
}

func TestCloseTwiceAndWhileBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := TestPattern(nil)
		p := newPlace("p", webrtc.MimeTypeVP8)
		bind(t, s, p)
		time.Sleep(time.Second)
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		<-s.Done()
		n := len(p.got())
		time.Sleep(time.Second)
		if len(p.got()) != n {
			t.Error("sent after Close")
		}
	})
}

// A real PeerConnection takes a Source as it takes any track.
func TestPeerConnectionTakesSource(t *testing.T) {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, pc)
	for _, s := range []*Source{TestPattern(nil), Tone()} {
		closeLater(t, s)
		if _, err := pc.AddTrack(s); err != nil {
			t.Error(err)
		}
	}
	if _, err := pc.CreateOffer(nil); err != nil {
		t.Error(err)
	}
}

// The last picture of a film that is played once is shown as long as the others.
func TestOnceLastsAsLongAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewIVF(bytes.NewReader(oneKeyFrame(t, 3)), &FileOptions{Once: true})
		if err != nil {
			t.Fatal(err)
		}
		bind(t, s, newPlace("p", webrtc.MimeTypeVP8))
		start := time.Now()
		<-s.Done()
		if lasted := time.Since(start).Round(time.Millisecond); lasted != 200*time.Millisecond {
			t.Errorf("three pictures at 15 a second lasted %v", lasted)
		}
	})
}
