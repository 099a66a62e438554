package fanout

import (
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/internal/mediatest"
)

// publishEncodings returns a sender of a camera for each encoding, best first.
func publishEncodings(t *testing.T, n int) (*Sender, []*mediatest.DeviceCamera) {
	t.Helper()
	var cameras []*mediatest.DeviceCamera
	var list []Encoding
	for range n {
		c := mediatest.NewDeviceCamera()
		cameras, list = append(cameras, c), append(list, Encoding{Track: c})
	}
	s, err := NewSender(cameras[0], Options{Encodings: list}, Hooks{OnChange: func() {}, OnClose: func() {}})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s, cameras
}

// frames returns the numbers of the frames that were written since the last call, and checks
// that they are one stream.
func (w *wireTap) frames(t *testing.T) (numbers []uint32) {
	t.Helper()
	for _, payload := range w.took(t) {
		if payload[0]&0x10 != 0 { // a frame's first packet, whose descriptor has one byte
			numbers = append(numbers, uint32(payload[2])<<24|uint32(payload[3])<<16|uint32(payload[4])<<8|uint32(payload[5]))
		}
	}
	return numbers
}

func checkBound(t *testing.T, what string, cameras []*mediatest.DeviceCamera, want ...int) {
	t.Helper()
	for i, c := range cameras {
		if _, _, bound := c.Asked(); bound != want[i] {
			t.Errorf("%s: encoding %d is bound %d times, want %d", what, i, bound, want[i])
		}
	}
}

func TestOnlyOpenEncodingsAreBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cameras := publishEncodings(t, 3)
		checkBound(t, "at first", cameras, 1, 0, 0)
		must(t, s.SetOpen(2, true))
		must(t, s.SetOpen(2, true))
		must(t, s.SetOpen(0, false))
		checkBound(t, "the last one alone", cameras, 0, 0, 1)
		if states := s.Encodings(); states[0].Open || states[1].Open || !states[2].Open {
			t.Errorf("states %+v", states)
		}
		must(t, s.ReplaceTrack(nil))
		must(t, s.SetOpen(1, true))
		checkBound(t, "paused", cameras, 0, 0, 0)
		for _, n := range []int{-1, 3} {
			if s.SetOpen(n, true) == nil {
				t.Errorf("encoding %d was opened", n)
			}
		}
		must(t, s.Close())
		if err := s.SetOpen(1, true); !errors.Is(err, fault.Closed) {
			t.Errorf("%v, want fault.Closed", err)
		}
	})
}

// TestLegSwitchesAtAKeyframe: the old encoding is sent until the new one has a key frame, even
// if it was closed by then, and is unbound after that.
func TestLegSwitchesAtAKeyframe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cameras := publishEncodings(t, 2)
		high, low := cameras[0], cameras[1]
		l, wire := boundLeg(t, s)
		l.Connected()
		var number uint32
		want := mediatest.Show(t, high, &number, 30, true)
		asked, _, _ := high.Asked()
		l.Choose(1)
		must(t, s.SetOpen(1, true))
		must(t, s.SetOpen(0, false))
		want = append(want, mediatest.Show(t, high, &number, 2, false)...)
		mediatest.Show(t, low, &number, 2, false)
		if used, _ := l.Encoding(); used != 0 || l.Chosen() != 1 {
			t.Errorf("encoding %d is sent and %d chosen", used, l.Chosen())
		}
		checkBound(t, "before the key frame", cameras, 1, 1)
		l.requestKeyframe() // as the peer does
		if a, _, _ := high.Asked(); a != asked {
			t.Error("the encoding that the leg leaves was asked for a key frame")
		}
		if a, _, _ := low.Asked(); a == 0 {
			t.Error("the chosen encoding was not asked for a key frame")
		}
		want = append(want, mediatest.Show(t, low, &number, 3, true)...)
		checkBound(t, "after the key frame", cameras, 0, 1)
		if got := wire.frames(t); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
	})
}

// TestClosedEncodingLingersForAWhile: an encoding that never has a key frame does not keep
// another one's source bound for ever.
func TestClosedEncodingLingersForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cameras := publishEncodings(t, 2)
		l, _ := boundLeg(t, s)
		l.Connected()
		var number uint32
		mediatest.Show(t, cameras[0], &number, 3, true)
		l.Choose(1)
		must(t, s.SetOpen(1, true))
		must(t, s.SetOpen(0, false))
		time.Sleep(lingerTime - time.Millisecond)
		checkBound(t, "before", cameras, 1, 1)
		time.Sleep(2 * time.Millisecond)
		checkBound(t, "after", cameras, 0, 1)
	})
}

// TestLegsOfSeveralEncodings: each leg has the encoding of its own.
func TestLegsOfSeveralEncodings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cameras := publishEncodings(t, 2)
		_, first := boundLeg(t, s)
		l, second := boundLeg(t, s)
		must(t, s.SetOpen(1, true))
		l.Choose(5) // stands for the last
		var number uint32
		want := mediatest.Show(t, cameras[0], &number, 3, true)
		wantLow := mediatest.Show(t, cameras[1], &number, 3, true)
		want = append(want, mediatest.Show(t, cameras[0], &number, 3, false)...)
		wantLow = append(wantLow, mediatest.Show(t, cameras[1], &number, 3, false)...)
		got, gotLow := first.frames(t), second.frames(t)
		if !slices.Equal(got, want) || !slices.Equal(gotLow, wantLow) {
			t.Errorf("got frames %v and %v, want %v and %v", got, gotLow, want, wantLow)
		}
	})
}

// layered is a camera that brings a lower encoding.
type layered struct {
	*mediatest.DeviceCamera
	low *mediatest.DeviceCamera
}

func (c layered) encodings() []Encoding { return []Encoding{{Track: c}, {Track: c.low, Height: 180}} }

// TestReplaceTrackReplacesEncodings: a track brings its own encodings. Where there are fewer,
// legs move to the last one, and are sent the old source until that has a key frame.
func TestReplaceTrackReplacesEncodings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := layered{mediatest.NewDeviceCamera(), mediatest.NewDeviceCamera()}
		second := mediatest.NewDeviceCamera()
		changes := 0
		s, err := NewSender(first, Options{}, Hooks{
			OnChange: func() { changes++ }, OnClose: func() {},
			Layers: func(track webrtc.TrackLocal) []Encoding {
				if c, ok := track.(layered); ok {
					return c.encodings()
				}
				return nil
			},
		})
		must(t, err)
		cameras := []*mediatest.DeviceCamera{first.DeviceCamera, first.low, second}
		l, wire := boundLeg(t, s)
		l.Connected()
		l.Choose(1)
		must(t, s.SetOpen(1, true))
		must(t, s.SetOpen(0, false))
		var number uint32
		want := mediatest.Show(t, first.low, &number, 3, true)
		checkBound(t, "low", cameras, 0, 1, 0)

		must(t, s.ReplaceTrack(second))
		want = append(want, mediatest.Show(t, first.low, &number, 3, false)...)
		time.Sleep(2 * lingerTime) // it is not closed, but replaced
		want = append(want, mediatest.Show(t, first.low, &number, 3, false)...)
		checkBound(t, "one encoding", cameras, 0, 1, 1)
		if states := s.Encodings(); len(states) != 1 || !states[0].Open || changes != 1 {
			t.Errorf("states %+v after %d changes", states, changes)
		}
		want = append(want, mediatest.Show(t, second, &number, 3, true)...)
		checkBound(t, "replaced", cameras, 0, 0, 1)

		must(t, s.ReplaceTrack(first))
		if s.Track() != webrtc.TrackLocal(first) || s.Encodings()[1].Height != 180 {
			t.Error("the track or its encodings are not the new ones")
		}
		want = append(want, mediatest.Show(t, second, &number, 1, false)...)
		want = append(want, mediatest.Show(t, first, &number, 3, true)...)
		checkBound(t, "two encodings", cameras, 1, 0, 0)
		l.Choose(1)
		must(t, s.SetOpen(1, true))
		want = append(want, mediatest.Show(t, first, &number, 1, false)...)
		want = append(want, mediatest.Show(t, first.low, &number, 3, true)...)
		if got := wire.frames(t); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
		must(t, s.Close())
		checkBound(t, "closed", cameras, 0, 0, 0)
	})
}

// TestEncodingsOfOneCodec: all encodings have the kind and codec of the best one.
func TestEncodingsOfOneCodec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vp9, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP9}, "x", "y")
		must(t, err)
		opus, err := webrtc.NewTrackLocalStaticRTP(mediatest.Opus, "x", "y")
		must(t, err)
		for _, other := range []webrtc.TrackLocal{vp9, opus, deafMicrophone{}} {
			camera := mediatest.NewDeviceCamera()
			_, err := NewSender(camera, Options{Encodings: []Encoding{{Track: camera}, {Track: other}}}, Hooks{})
			if !errors.Is(err, fault.Codec) {
				t.Errorf("%v, want fault.Codec", err)
			}
			if _, _, bound := camera.Asked(); bound != 0 {
				t.Error("the best one is still bound")
			}
		}
		camera := mediatest.NewDeviceCamera()
		for _, list := range [][]Encoding{{{Track: camera}, {}}, make([]Encoding, maxEncodings+1)} {
			if _, err := NewSender(camera, Options{Encodings: list}, Hooks{}); err == nil {
				t.Errorf("%d encodings without a track were published", len(list))
			}
		}
	})
}

// TestEncodingThatCannotBeBound: an error of the track closes its encoding, and nothing else.
func TestEncodingThatCannotBeBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		camera := mediatest.NewDeviceCamera()
		s, err := NewSender(camera, Options{Encodings: []Encoding{{Track: camera}, {Track: brokenCamera{camera}}}},
			Hooks{OnChange: func() {}, OnClose: func() {}})
		must(t, err)
		if err := s.SetOpen(1, true); !errors.Is(err, io.ErrNoProgress) || s.Encodings()[1].Open {
			t.Errorf("%v, open: %v", err, s.Encodings()[1].Open)
		}
		must(t, s.Close())
	})
}

// deafMicrophone says its codec only when it is bound.
type deafMicrophone struct{ *mediatest.DeviceCamera }

func (deafMicrophone) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

// brokenCamera cannot be bound.
type brokenCamera struct{ *mediatest.DeviceCamera }

func (brokenCamera) Bind(webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	return webrtc.RTPCodecParameters{}, io.ErrNoProgress
}

// unplugged is a camera that may end by itself.
type unplugged struct {
	*mediatest.DeviceCamera
	done chan struct{}
}

func (u unplugged) Done() <-chan struct{} { return u.done }
func (u unplugged) Err() error            { return io.ErrUnexpectedEOF }

// TestEndOfEncodings: the end of the best one's track is the sender's, although it is closed
// at the time; the end of another is not.
func TestEndOfEncodings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		high := unplugged{mediatest.NewDeviceCamera(), make(chan struct{})}
		low := unplugged{mediatest.NewDeviceCamera(), make(chan struct{})}
		ended := 0
		s, err := NewSender(high, Options{Encodings: []Encoding{{Track: high}, {Track: low}}},
			Hooks{OnChange: func() {}, OnClose: func() {}, OnEnd: func(*Sender, error) { ended++ }})
		must(t, err)
		must(t, s.SetOpen(0, false))
		if s.Silent() {
			t.Error("a sender whose encodings are closed counts as muted")
		}
		close(low.done)
		synctest.Wait()
		if states := s.Encodings(); ended != 0 || s.Silent() || states[0].Ended || !states[1].Ended {
			t.Errorf("the low one: %d ends, states %+v", ended, states)
		}
		close(high.done)
		synctest.Wait()
		if ended != 1 || !s.Silent() {
			t.Errorf("%d ends, silent: %v", ended, s.Silent())
		}
		must(t, s.Close())
	})
}

// TestMutedEncodings: all encodings stop, and go on with a key frame each.
func TestMutedEncodings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cameras := publishEncodings(t, 2)
		must(t, s.SetOpen(1, true))
		l, wire := boundLeg(t, s)
		l.Choose(1)
		var number uint32
		want := mediatest.Show(t, cameras[1], &number, 2, true)
		must(t, s.SetMuted(true))
		mediatest.Show(t, cameras[1], &number, 2, true)
		must(t, s.SetMuted(false))
		mediatest.Show(t, cameras[1], &number, 2, false)
		want = append(want, mediatest.Show(t, cameras[1], &number, 2, true)...)
		if got := wire.frames(t); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
	})
}
