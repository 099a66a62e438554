//go:build capture && cgo && !vpx

package capture

import (
	"image"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/webrtc/v4"
)

// storm is a camera that sees snow, which takes as many bits as an encoder may use.
type storm struct{ strange }

func (*storm) Properties() []prop.Media {
	return []prop.Media{{Video: prop.Video{Width: 320, Height: 240, FrameRate: 30, FrameFormat: frame.FormatI420}}}
}

func (*storm) VideoRecord(p prop.Media) (video.Reader, error) {
	rng := rand.New(rand.NewPCG(1, 2))
	return video.ReaderFunc(func() (image.Image, func(), error) {
		time.Sleep(time.Second / 30)
		picture := image.NewYCbCr(image.Rect(0, 0, p.Width, p.Height), image.YCbCrSubsampleRatio420)
		for i := range picture.Y {
			picture.Y[i] = uint8(96 + rng.IntN(24))
		}
		for i := range picture.Cb {
			picture.Cb[i], picture.Cr[i] = 128, 128
		}
		return picture, func() {}, nil
	}), nil
}

// An encoder makes what it is asked for, and so does one that begins later.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		register(t, &storm{}, driver.Camera, "눈보라")
		camera, err := OpenCamera("눈보라", &CameraOptions{BitRate: 800_000})
		if err != nil {
			t.Fatal(err)
		}
		measure := func(p *place, want int) {
			t.Helper()
			bits := 0
			for begin := time.Now(); time.Since(begin) < 6*time.Second; {
				packet := <-p.packets
				if time.Since(begin) > 3*time.Second { // it has adapted
					bits += 8 * len(packet.Payload)
				}
			}
			if got := bits / 3; got < want*6/10 || got > want*13/10 {
				t.Errorf("%d bit/s, was asked for %d", got, want)
			}
		}
		p := newPlace("p", offer(webrtc.MimeTypeH264, 102))
		if _, err := camera.Bind(p); err != nil {
			t.Fatal(err)
		}
		measure(p, 800_000)
		camera.SetTargetBitrate(250_000)
		measure(p, 250_000)
		camera.SetTargetBitrate(5_000_000) // more than the options allow
		measure(p, 800_000)
		camera.SetTargetBitrate(0) // less than there can be
		p.leave()
		later := newPlace("later", offer(webrtc.MimeTypeH264, 102))
		if err := camera.Unbind(p); err != nil {
			t.Error(err)
		}
		camera.SetTargetBitrate(400_000)
		if _, err := camera.Bind(later); err != nil {
			t.Fatal(err)
		}
		measure(later, 400_000)
		later.leave()
		finish(t, camera)
	})
}
