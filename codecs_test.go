package noom_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
)

var (
	l16 = webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/L16", ClockRate: 16000, Channels: 1}, PayloadType: 120,
	}
	h265 = webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH265, ClockRate: 90000}, PayloadType: 100,
	}
)

// numbered writes packets of a track until the test ends.
func numbered(t *testing.T, codec webrtc.RTPCodecCapability) *webrtc.TrackLocalStaticRTP {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(codec, "x", "y")
	must(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		for n := uint16(1); ; n++ {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
			_ = track.WriteRTP(&rtp.Packet{
				Header:  rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960, Marker: true},
				Payload: []byte("it is " + codec.MimeType),
			})
		}
	}()
	return track
}

// TestExtraCodecs: tracks in codecs of the application's own pass from one room to another, whichever end offers them.
func TestExtraCodecs(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		cfg := func(tracks ...noom.LocalTrack) *noom.Config {
			return &noom.Config{Tracks: tracks, Codecs: []webrtc.RTPCodecParameters{l16, h265}}
		}
		a := w.join("r", "지우", cfg(noom.LocalTrack{Track: numbered(t, l16.RTPCodecCapability)}))
		b := w.join("r", "bob", cfg())
		sound := until[noom.TrackAdded](t, b, nil).Track
		_, err := b.Publish(t.Context(), numbered(t, h265.RTPCodecCapability), nil)
		must(t, err)
		picture := until[noom.TrackAdded](t, a, nil).Track
		for track, codec := range map[noom.RemoteTrack]webrtc.RTPCodecParameters{sound: l16, picture: h265} {
			for range 3 {
				p, err := track.ReadRTP()
				must(t, err)
				if got := string(p.Payload); got != "it is "+codec.MimeType {
					t.Fatalf("received %q, want %s", got, codec.MimeType)
				}
			}
			if got := track.Codec(); got.MimeType != codec.MimeType || got.PayloadType != codec.PayloadType {
				t.Errorf("received %v, want %v", got, codec)
			}
		}

		// A member that does not know the codecs refuses the tracks, and nothing else happens.
		w.join("r", "Carol", nil)
		if e := until[noom.TrackRefused](t, a, nil); e.Codec != l16.MimeType || !errors.Is(e.Err, noom.ErrCodec) {
			t.Errorf("refused: %+v", e)
		}
	})
}

func TestExtraCodecsAreChecked(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		changed := func(c webrtc.RTPCodecParameters, f func(*webrtc.RTPCodecParameters)) []webrtc.RTPCodecParameters {
			f(&c)
			return []webrtc.RTPCodecParameters{c}
		}
		for want, codecs := range map[string][]webrtc.RTPCodecParameters{
			"begin with audio":   changed(l16, func(c *webrtc.RTPCodecParameters) { c.MimeType = "text/x" }),
			"end with":           changed(l16, func(c *webrtc.RTPCodecParameters) { c.MimeType = "audio/a b" }),
			"retransmission":     changed(h265, func(c *webrtc.RTPCodecParameters) { c.MimeType = "video/RTX" }),
			"ClockRate":          changed(l16, func(c *webrtc.RTPCodecParameters) { c.ClockRate = 0 }),
			"channels":           changed(l16, func(c *webrtc.RTPCodecParameters) { c.Channels = 6 }),
			"SDPFmtpLine":        changed(l16, func(c *webrtc.RTPCodecParameters) { c.SDPFmtpLine = "a\r\nm=x" }),
			"has that codec":     changed(h265, func(c *webrtc.RTPCodecParameters) { c.MimeType = "video/vp8" }),
			"not from 96 to 127": changed(h265, func(c *webrtc.RTPCodecParameters) { c.PayloadType = 127 }),
			"noom's Opus":        changed(h265, func(c *webrtc.RTPCodecParameters) { c.PayloadType = 110 }),
			"taken by video":     {h265, changed(l16, func(c *webrtc.RTPCodecParameters) { c.PayloadType = 101 })[0]},
			"at most 4":          {l16, l16, l16, l16, l16},
		} {
			_, err := noom.Join(t.Context(), w.Dialer("x"), "r", w.config("x", &noom.Config{Codecs: codecs}))
			if !errors.Is(err, noom.ErrCodec) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "field Codecs") {
				t.Errorf("%s: %v", want, err)
			}
		}
	})
}

// inverter is an interceptor that turns over the bits of all payloads.
type inverter struct{ interceptor.NoOp }

func (i *inverter) NewInterceptor(string) (interceptor.Interceptor, error) { return &inverter{}, nil }

func invert(p []byte) []byte {
	turned := make([]byte, len(p))
	for i, b := range p {
		turned[i] = ^b
	}
	return turned
}

func (i *inverter) BindLocalStream(_ *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		return w.Write(h, invert(payload), a)
	})
}

func (i *inverter) BindRemoteStream(_ *interceptor.StreamInfo, r interceptor.RTPReader) interceptor.RTPReader {
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := r.Read(b, a)
		var h rtp.Header
		if size, bad := h.Unmarshal(b[:max(n, 0)]); err == nil && bad == nil {
			copy(b[size:], invert(b[size:n]))
		}
		return n, a, err
	})
}

// TestInterceptors: those of the application see what is sent and what arrives, at each connection.
func TestInterceptors(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		calls := 0
		add := func(r *interceptor.Registry) error {
			calls++
			r.Add(&inverter{})
			return nil
		}
		said := numbered(t, webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMU, ClockRate: 8000})
		w.join("r", "지우", &noom.Config{Interceptors: add, Tracks: []noom.LocalTrack{{Track: said}}})
		knows := w.join("r", "bob", &noom.Config{Interceptors: add})
		not := w.join("r", "Carol", nil)
		const plain = "it is " + webrtc.MimeTypePCMU
		for r, want := range map[noom.Room]string{knows: plain, not: string(invert([]byte(plain)))} {
			track := until[noom.TrackAdded](t, r, nil).Track
			p, err := track.ReadRTP()
			must(t, err)
			if string(p.Payload) != want {
				t.Errorf("%s received %q, want %q", r.Self().Name, p.Payload, want)
			}
		}
		if calls != 2 {
			t.Errorf("asked for interceptors %d times in two rooms", calls)
		}
	})
}

func TestInterceptorsThatFail(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		sad := errors.New("no interceptor today")
		_, err := noom.Join(context.Background(), w.Dialer("x"), "r", w.config("x", &noom.Config{
			Interceptors: func(*interceptor.Registry) error { return sad },
		}))
		if joining := new(noom.JoinError); !errors.Is(err, sad) || !errors.As(err, &joining) {
			t.Errorf("joined: %v", err)
		}
	})
}
