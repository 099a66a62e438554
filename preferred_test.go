package noom_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/mediatest"
	"noom/signal"
)

// TestPreferredCodecs: whoever describes them, the sections in which a member receives have the formats of the codecs
// that it prefers first, and all others behind; whatever it is sent arrives all the same.
func TestPreferredCodecs(t *testing.T) {
	few := []webrtc.RTPCodecCapability{mediatest.Opus, mediatest.VP8}
	many := append(slices.Clone(few), h264, mediatest.VP8)
	for name, test := range map[string]struct {
		choosy, other []webrtc.RTPCodecCapability
		newcomer      bool // is the one that prefers
		described     signal.Type
	}{
		"in an offer":            {nil, many, false, signal.TypeOffer},
		"in an answer":           {many, many, true, signal.TypeAnswer},
		"in an answer to a card": {few, few, false, signal.TypeAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
				received := make(map[signal.Type][]string) // sections in which the one that prefers receives
				choosy := make(offers).count(t, "화면", test.choosy...)
				choosy.PreferredCodecs = []string{"video/h264", webrtc.MimeTypePCMU, webrtc.MimeTypeVP9}
				other := make(offers).count(t, "카메라", test.other...)
				other.TraceBodies = true
				other.Trace = func(e noom.Trace) {
					if e.Kind != noom.TraceReceived || e.Message.Type != signal.TypeOffer && e.Message.Type != signal.TypeAnswer {
						return
					}
					var d signal.Description
					if err := signal.DecodeBody(e.Message.Body, &d); err != nil {
						t.Error(err)
					}
					received[e.Message.Type] = append(received[e.Message.Type], receivedIn(t, d.SDP)...)
				}
				var a, b noom.Room
				if test.newcomer {
					b = w.join("방", "bob", other)
					a = w.join("방", "지우", choosy)
				} else {
					a = w.join("방", "지우", choosy)
					b = w.join("방", "bob", other)
				}
				for i := range test.choosy {
					receives(t, b, a.Self().ID, fmt.Sprint("화면 ", i))
				}
				for i := range test.other {
					receives(t, a, b.Self().ID, fmt.Sprint("카메라 ", i))
				}
				for _, want := range []string{"H264 VP9 VP8 AV1", "PCMU opus G722 PCMA"} {
					if !slices.Contains(received[test.described], want) {
						t.Errorf("the sections of its %s are %q, none is %q", test.described, received[test.described], want)
					}
				}
			})
		})
	}
}

// receivedIn returns the codecs of each section in which the one that describes receives, in the order of its formats.
func receivedIn(t *testing.T, text string) (sections []string) {
	t.Helper()
	var s sdp.SessionDescription
	must(t, s.UnmarshalString(text))
	for _, m := range s.MediaDescriptions {
		if _, ok := m.Attribute("recvonly"); !ok {
			continue
		}
		names := make(map[string]string)
		for _, a := range m.Attributes {
			if format, rest, _ := strings.Cut(a.Value, " "); a.Key == "rtpmap" {
				names[format], _, _ = strings.Cut(rest, "/")
			}
		}
		var codecs []string
		for _, format := range m.MediaName.Formats {
			if name := names[format]; name != "rtx" && !slices.Contains(codecs, name) {
				codecs = append(codecs, name)
			}
		}
		sections = append(sections, strings.Join(codecs, " "))
	}
	return sections
}

func TestPreferredCodecsAreChecked(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		for want, codecs := range map[string][]string{
			`"video/H263" is unknown; known: audio/opus, audio/G722, `: {"video/VP8", "video/H263"},
			`audio/L16, video/VP8, video/H264, video/VP9, video/AV1`:   {""},
			`"H264" is unknown`:            {"H264"},
			`"video/rtx" is unknown`:       {"video/rtx"},
			`"Video/vp8" is there twice`:   {"video/VP8", "audio/l16", "Video/vp8"},
			`"video/그림" is unknown; known`: {"video/그림"},
		} {
			_, err := noom.Join(t.Context(), w.Dialer("x"), "r", w.config("x", &noom.Config{
				Codecs: []webrtc.RTPCodecParameters{l16}, PreferredCodecs: codecs,
			}))
			if !errors.Is(err, noom.ErrCodec) || !strings.Contains(err.Error(), "field PreferredCodecs of Config: ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", want, err)
			}
		}
	})
}
