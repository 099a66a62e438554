//go:build capture && cgo && !vpx

package capture

import (
	"image"
	"slices"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"noom"
	"noom/noomtest"
)

// wall is a camera that sees a grey wall, brighter and darker, in two sizes.
type wall struct{ strange }

func (*wall) Properties() []prop.Media {
	size := func(w, h int) prop.Media {
		return prop.Media{Video: prop.Video{Width: w, Height: h, FrameRate: 30, FrameFormat: frame.FormatYUYV}}
	}
	return []prop.Media{size(640, 480), size(800, 600)}
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
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		open := func(label string, width, height int) *Track {
			register(t, &wall{}, driver.Camera, label)
			camera, err := OpenCamera(label, &CameraOptions{Width: width, Height: height})
			if err != nil {
				t.Fatal(err)
			}
			return camera
		}
		small, large := open("담", 640, 480), open("벽", 800, 600)
		defer finish(t, small)
		defer finish(t, large)
		sender := w.Join("데모", &noom.Config{Name: "지우", Tracks: []noom.LocalTrack{{Track: small}}}).Senders()[0]
		bob := w.Join("데모", &noom.Config{Name: "bob"})
		w.Settle()
		seeSwaps(t, bob.Peers()[0].Tracks()[0], sender, large, small)
	})
}

// seeSwaps has each of cameras take over after 30 pictures.
func seeSwaps(t *testing.T, track noom.RemoteTrack, sender noom.Sender, cameras ...*Track) {
	t.Helper()
	var seen []byte // level_idc of the parameter sets, each once: the size decides it
	var last uint32
	pictures := 0
	for packet := range track.Packets() {
		if d := time.Duration(int32(packet.Timestamp-last)) * time.Second / 90_000; pictures > 0 && d > 200*time.Millisecond {
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
		if len(cameras) == 0 {
			break
		}
		if err := sender.ReplaceTrack(cameras[0]); err != nil {
			t.Fatal(err)
		}
		cameras = cameras[1:]
	}
	if len(seen) != 2 {
		t.Errorf("%d sizes came, want 2", len(seen))
	}
}
