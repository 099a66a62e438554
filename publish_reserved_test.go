package noom_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"noom"
	"noom/internal/mediatest"
	"noom/signal"
)

// offers counts the offers that members send, by epoch.
type offers map[int64]int

// count returns a Config whose offers are counted, with tracks of those codecs that send all the time.
func (o offers) count(t *testing.T, name string, codecs ...webrtc.RTPCodecCapability) *noom.Config {
	cfg := &noom.Config{Trace: func(e noom.Trace) {
		if e.Kind == noom.TraceReceived && e.Message.Type == signal.TypeOffer { // a card is one too
			o[e.Message.Epoch.Number]++
		}
	}}
	for i, codec := range codecs {
		cfg.Tracks = append(cfg.Tracks, noom.LocalTrack{Name: fmt.Sprint(name, " ", i), Track: source(t, codec)})
	}
	return cfg
}

var h264 = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000}

// source returns a track that sends key frames, or sound, until the test ends.
func source(t *testing.T, codec webrtc.RTPCodecCapability) *webrtc.TrackLocalStaticSample {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(codec, "a", "s")
	must(t, err)
	data := []byte{0xf8, 0xff, 0xfe}
	switch codec.MimeType {
	case webrtc.MimeTypeVP8:
		data = mediatest.VP8Frame(0, true)
	case webrtc.MimeTypeH264:
		data = []byte{0, 0, 0, 1, 0x67, 0x42, 0, 0x1f, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, 0, 0, 0, 1, 0x65, 0x88, 0x84}
	}
	ctx := t.Context()
	go func() {
		for tick := time.Tick(20 * time.Millisecond); ; {
			_ = track.WriteSample(media.Sample{Data: data, Duration: 20 * time.Millisecond})
			select {
			case <-tick:
			case <-ctx.Done():
				return
			}
		}
	}()
	return track
}

// TestOneRound: whoever is there offers a newcomer sections for what that has to send, or has a card with as many sections
// as the newcomer has tracks, so that one offer is enough for both, in whatever codecs; also in a new epoch.
func TestOneRound(t *testing.T) {
	for name, test := range map[string]struct{ resident, newcomer []webrtc.RTPCodecCapability }{
		"sound and picture": {[]webrtc.RTPCodecCapability{mediatest.Opus, mediatest.VP8}, []webrtc.RTPCodecCapability{mediatest.Opus, mediatest.VP8}},
		"other codecs": {
			[]webrtc.RTPCodecCapability{mediatest.VP8, mediatest.Opus, mediatest.VP8},
			[]webrtc.RTPCodecCapability{h264, mediatest.VP8, mediatest.Opus, h264},
		},
		"the newcomer alone":  {nil, []webrtc.RTPCodecCapability{h264, mediatest.Opus}},
		"the resident alone":  {[]webrtc.RTPCodecCapability{h264, mediatest.Opus}, nil},
		"more than there may": {[]webrtc.RTPCodecCapability{mediatest.VP8}, make20(mediatest.Opus)[:signal.MaxSends]},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
				sent := make(offers)
				a := w.join("방", "a", sent.count(t, "화면", test.resident...))
				b := w.join("방", "b", sent.count(t, "카메라", test.newcomer...))
				for epoch := range int64(2) {
					for i := range test.resident {
						receives(t, b, a.Self().ID, fmt.Sprint("화면 ", i))
					}
					for i := range test.newcomer {
						receives(t, a, b.Self().ID, fmt.Sprint("카메라 ", i))
					}
					want := 1
					if epoch == 0 && name == "the resident alone" {
						want = 2 // a card cannot know what the resident has
					}
					if n := sent[epoch+1]; n != want || len(sent) != int(epoch+1) {
						t.Errorf("%d offers in epoch %d, want %d; %v", n, epoch+1, want, sent)
					}
					if epoch == 0 {
						must(t, peerOf(t, a, b).Connection().Close())
						until(t, a, connected)
						until(t, a, connected)
						time.Sleep(time.Second)
					}
				}
			})
		})
	}
}

func make20(codec webrtc.RTPCodecCapability) (list []webrtc.RTPCodecCapability) {
	for range 20 {
		list = append(list, codec)
	}
	return list
}

// TestFormatsAreNotForgotten: a pair that began with sections for few codecs, or none, sends others later, from either
// end.
func TestFormatsAreNotForgotten(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		sent := make(offers)
		a := w.join("방", "a", nil)
		b := w.join("방", "b", sent.count(t, "카메라", mediatest.VP8))
		receives(t, a, b.Self().ID, "카메라 0")
		for from, to := range map[noom.Room]noom.Room{a: b, b: a} {
			for i, codec := range []webrtc.RTPCodecCapability{h264, mediatest.Opus, mediatest.VP8} {
				name := fmt.Sprint("나중 ", i)
				_, err := from.Publish(t.Context(), source(t, codec), &noom.PublishOptions{Name: name})
				must(t, err)
				receives(t, to, from.Self().ID, name)
			}
		}
	})
}

// boast says of a newcomer that it sends what it does not.
type boast struct {
	noom.Signaler
	sends []string
}

func (b boast) Send(ctx context.Context, m signal.Message) error {
	if m.Type == signal.TypeJoin {
		m.Sends, m.Card = b.sends, nil
	}
	return b.Signaler.Send(ctx, m)
}

// TestReservedAndIdle: sections that were reserved for nothing wait for the next track of their codec, which needs no
// offer then.
func TestReservedAndIdle(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		sent := make(offers)
		a := w.join("방", "a", sent.count(t, "화면", mediatest.VP8))
		dialer := signal.DialerFunc(func(ctx context.Context) (noom.Signaler, error) {
			s, err := w.nearHub().Dial(ctx)
			return boast{s, []string{"video/H264", "audio/nothing", "audio", "video/VP8", "video/unknown"}}, err
		})
		b := w.joinBy(dialer, "방", "b", sent.count(t, ""))
		until(t, b, connected)
		mono := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 1} // stereo has to be offered
		for i, codec := range []webrtc.RTPCodecCapability{mediatest.VP8, mono, h264} {
			name := fmt.Sprint("카메라 ", i)
			_, err := b.Publish(t.Context(), source(t, codec), &noom.PublishOptions{Name: name})
			must(t, err)
			receives(t, a, b.Self().ID, name)
		}
		if sent[1] != 1 || len(sent) != 1 {
			t.Errorf("%v offers, want 1", sent)
		}
	})
}
