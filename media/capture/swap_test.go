//go:build capture && cgo && !vpx

package capture

import (
	"context"
	"image"
	"slices"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/signal/hub"
	"noom/transport/mem"
)

// wall is a camera that sees a grey wall, brighter and darker, in two sizes.
type wall struct{ strange }

func (*wall) Properties() []prop.Media {
	size := func(w, h int) prop.Media {
		return prop.Media{Video: prop.Video{Width: w, Height: h, FrameRate: 30, FrameFormat: frame.FormatYUYV}}
	}
	return []prop.Media{size(320, 240), size(800, 600)}
}

func (*wall) VideoRecord(p prop.Media) (video.Reader, error) {
	pictures := time.NewTicker(time.Second / 30)
	n := 0
	return video.ReaderFunc(func() (image.Image, func(), error) {
		<-pictures.C
		n++
		picture := image.NewYCbCr(image.Rect(0, 0, p.Width, p.Height), image.YCbCrSubsampleRatio420)
		for i := range picture.Y {
			picture.Y[i] = uint8(n*3 + i%p.Width)
		}
		for i := range picture.Cb {
			picture.Cb[i], picture.Cr[i] = 128, 128
		}
		return picture, func() {}, nil
	}), nil
}

// Cameras of other sizes take each other's place in a call: the stream goes
// on, and each picture after a swap begins with its own parameter sets.
func TestCamerasSwapped(t *testing.T) {
	register(t, &wall{}, driver.Camera, "벽")
	dialer := mem.Dialer(hub.New(nil))
	local := func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) }
	join := func(name string, tracks ...noom.LocalTrack) noom.Room {
		r, err := noom.Join(t.Context(), dialer, "데모", &noom.Config{Name: name, Tracks: tracks, Settings: local, IgnoreNetwork: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Leave(context.Background()) })
		return r
	}
	open := func(label string, w, h int) *Track {
		camera, err := OpenCamera(label, &CameraOptions{Width: w, Height: h})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = camera.Close() })
		return camera
	}
	bars := open("VideoTest", 640, 480)
	sender := join("지우", noom.LocalTrack{Name: "camera", Track: bars}).Senders()[0]
	bob := join("bob")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var track noom.RemoteTrack
	for e := range bob.Events(ctx) {
		if e, ok := e.(noom.TrackAdded); ok {
			track = e.Track
			break
		}
	}
	if track == nil {
		t.Fatal("no track came")
	}

	var seen []byte // level_idc of the parameter sets, each once: the size decides it
	var last uint32
	swaps := []func() *Track{
		func() *Track { return open("벽", 800, 600) },
		func() *Track { return bars },
	}
	pictures := 0
	for packet := range track.Packets() {
		if d := time.Duration(int32(packet.Timestamp-last)) * time.Second / 90_000; pictures > 0 && d > 500*time.Millisecond {
			t.Errorf("after %d pictures the next was %v later", pictures, d)
		}
		last = packet.Timestamp
		if p := packet.Payload; len(p) > 3 && p[0]&31 == 24 && p[3]&31 == 7 {
			if level := p[6]; !slices.Contains(seen, level) {
				seen = append(seen, level)
			}
		}
		if !packet.Marker {
			continue
		}
		if pictures++; pictures%30 != 0 {
			continue
		}
		if len(swaps) == 0 {
			break
		}
		if err := sender.ReplaceTrack(swaps[0]()); err != nil {
			t.Fatal(err)
		}
		swaps = swaps[1:]
	}
	if len(seen) != 2 {
		t.Errorf("%d sizes came, want 2", len(seen))
	}
}
