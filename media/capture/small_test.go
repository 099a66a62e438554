//go:build capture && cgo && !vpx

package capture

import (
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/noomtest"
)

var _ noom.Layered = (*Track)(nil)

// largeStorm is a storm in a picture that is large enough for two encodings.
type largeStorm struct{ storm }

func (*largeStorm) Properties() []prop.Media {
	return []prop.Media{{Video: prop.Video{Width: 640, Height: 480, FrameRate: 30, FrameFormat: frame.FormatI420}}}
}

// smallOf returns the small encoding of a camera.
func smallOf(t *testing.T, camera *Track) *Track {
	t.Helper()
	list := camera.Encodings()
	if len(list) != 2 || list[0].Track != webrtc.TrackLocal(camera) || list[0].Height != 480 || list[1].Height != 240 {
		t.Fatalf("the encodings are %+v", list)
	}
	return list[1].Track.(*Track)
}

// encoders returns how many encoders of a track run.
func encoders(t *Track) int {
	inner := t.TrackLocal.(*track)
	inner.mu.Lock()
	defer inner.mu.Unlock()
	return len(inner.bindings)
}

// sizeOf returns the size that a sequence parameter set says (H.264 section 7.3.2.1.1), for the profiles that openh264
// makes.
func sizeOf(sps []byte) (width, height int) {
	at := 8 * 4 // behind the NAL header, profile, constraints and level
	bit := func() int {
		b := int(sps[at/8]>>(7-at%8)) & 1
		at++
		return b
	}
	number := func() (n int) { // Exp-Golomb
		zeros := 0
		for bit() == 0 {
			zeros++
		}
		n = 1
		for range zeros {
			n = n<<1 | bit()
		}
		return n - 1
	}
	number()           // seq_parameter_set_id
	number()           // log2_max_frame_num_minus4
	if number() == 0 { // pic_order_cnt_type
		number()
	}
	number() // max_num_ref_frames
	bit()
	width, height = 16*(number()+1), 16*(number()+1)
	return width, height
}

// seeSize waits for a key frame and checks its size.
func seeSize(t *testing.T, p *place, width, height int) {
	t.Helper()
	for range 1000 {
		payload := (<-p.packets).Payload
		sps := payload
		if payload[0]&31 == 24 { // STAP-A
			sps = payload[3:]
		}
		if sps[0]&31 != 7 {
			continue
		}
		if w, h := sizeOf(sps); w != width || h != height {
			t.Errorf("a picture of %d × %d, want %d × %d", w, h, width, height)
		}
		return
	}
	t.Error("no parameter sets in 1000 packets")
}

// The small picture of a camera comes alone and beside the whole one, in its own size, as often as it is asked for.
func TestSmallPicture(t *testing.T) {
	camera, err := OpenCamera("VideoTest", nil)
	if err != nil {
		t.Fatal(err)
	}
	small := smallOf(t, camera)
	h264 := offer(webrtc.MimeTypeH264, 102)
	one, whole, two := newPlace("one", h264), newPlace("whole", h264), newPlace("two", h264)
	bind := func(track *Track, p *place, width, height int) {
		t.Helper()
		if _, err := track.Bind(p); err != nil {
			t.Fatal(err)
		}
		seeSize(t, p, width, height)
	}
	unbind := func(track *Track, p *place) {
		t.Helper()
		p.leave()
		if err := track.Unbind(p); err != nil {
			t.Error(err)
		}
	}
	bind(small, one, 320, 240)
	bind(camera, whole, 640, 480)
	for range 30 {
		<-one.packets
		<-whole.packets
	}
	unbind(small, one)
	<-whole.packets
	bind(small, two, 320, 240)
	unbind(camera, whole)
	for range 30 {
		<-two.packets
	}
	two.leave()
	finish(t, small) // which is the camera
	for _, track := range []*Track{camera, small} {
		if _, err := track.Bind(newPlace("late", h264)); err == nil {
			t.Error("bound after Close")
		}
		if n := encoders(track); n != 0 {
			t.Errorf("%d encoders run after Close", n)
		}
	}
	<-camera.Done()
}

// A picture that is small already, or gets few bits, comes in one size.
func TestNoSmallPicture(t *testing.T) {
	register(t, &storm{}, driver.Camera, "눈보라") // 240 lines
	for label, o := range map[string]*CameraOptions{"눈보라": nil, "VideoTest": {BitRate: 200_000}} {
		camera, err := OpenCamera(label, o)
		if err != nil {
			t.Fatal(err)
		}
		if list := camera.Encodings(); list != nil {
			t.Errorf("%s: %+v", label, list)
		}
		finish(t, camera)
	}
}

// The encoder of the small picture runs only while a peer shows it small, and makes no more than it may.
func TestSmallPictureInACall(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		register(t, &largeStorm{}, driver.Camera, "눈보라")
		camera, err := OpenCamera("눈보라", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer finish(t, camera)
		small := smallOf(t, camera)
		w.Join("데모", &noom.Config{Name: "지우", Tracks: []noom.LocalTrack{{Track: camera}}})
		bob, carol := w.Join("데모", &noom.Config{Name: "bob"}), w.Join("데모", &noom.Config{Name: "carol"})
		w.Settle()
		jiwoo := func(r noom.Room) noom.RemoteTrack {
			for _, p := range r.Peers() {
				for _, track := range p.Tracks() {
					return track
				}
			}
			t.Fatal("there is no picture")
			return nil
		}
		running := func(when string, whole, low int) {
			t.Helper()
			time.Sleep(10 * time.Second)
			if a, b := encoders(camera), encoders(small); a != whole || b != low {
				t.Errorf("%s: %d and %d encoders run, want %d and %d", when, a, b, whole, low)
			}
		}
		running("all show it large", 1, 0)
		jiwoo(bob).Want(240)
		running("bob shows it small", 1, 1)
		meter := w.MeterDownload("bob")
		time.Sleep(10 * time.Second)
		if got := meter.Report().Bitrate(); got < 100_000 || got > 350_000 {
			t.Errorf("the small picture has %d bit/s", got)
		}
		jiwoo(carol).Want(240)
		running("both show it small", 0, 1)
		jiwoo(bob).Want(480)
		jiwoo(carol).Want(480)
		running("both show it large", 1, 0)
	})
}
