//go:build capture && cgo

package capture

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/mediadevices/pkg/driver"
	_ "github.com/pion/mediadevices/pkg/driver/audiotest" // a microphone that hums
	"github.com/pion/mediadevices/pkg/driver/availability"
	_ "github.com/pion/mediadevices/pkg/driver/videotest" // a camera that sees bars
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// place is somewhere to bind a track to.
type place struct {
	id      string
	codecs  []webrtc.RTPCodecParameters
	packets chan *rtp.Packet
	control chan rtcp.Packet
	gone    chan struct{}
	once    sync.Once
}

func newPlace(id string, codecs ...webrtc.RTPCodecParameters) *place {
	return &place{id: id, codecs: codecs, packets: make(chan *rtp.Packet), control: make(chan rtcp.Packet), gone: make(chan struct{})}
}

func offer(mime string, payloadType webrtc.PayloadType) webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime}, PayloadType: payloadType}
}

func (p *place) CodecParameters() []webrtc.RTPCodecParameters           { return p.codecs }
func (p *place) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter { return nil }
func (p *place) SSRC() webrtc.SSRC                                      { return 7 }
func (p *place) SSRCRetransmission() webrtc.SSRC                        { return 0 }
func (p *place) SSRCForwardErrorCorrection() webrtc.SSRC                { return 0 }
func (p *place) WriteStream() webrtc.TrackLocalWriter                   { return p }
func (p *place) ID() string                                             { return p.id }
func (p *place) RTCPReader() interceptor.RTCPReader                     { return interceptor.RTCPReaderFunc(p.readRTCP) }
func (p *place) Write([]byte) (int, error)                              { panic("not used") }
func (p *place) leave()                                                 { p.once.Do(func() { close(p.gone) }) }

func (p *place) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	select {
	case p.packets <- &rtp.Packet{Header: *h, Payload: slices.Clone(payload)}:
		return len(payload), nil
	case <-p.gone:
		return 0, io.ErrClosedPipe
	}
}

func (p *place) readRTCP(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
	select {
	case packet := <-p.control:
		raw, err := packet.Marshal()
		return copy(b, raw), a, err
	case <-p.gone:
		return 0, nil, io.EOF
	}
}

func TestDevices(t *testing.T) {
	list, err := Devices()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []Device{{Camera, "VideoTest", ""}, {Microphone, "AudioTest", ""}} {
		if !slices.Contains(list, want) {
			t.Errorf("%v is not among %v", want, list)
		}
	}
	for _, d := range list {
		if strings.Contains(d.Name, "Discard all samples") {
			t.Errorf("the null device is listed: %v", d)
		}
	}
}

// keyFrame reports whether an RTP payload begins a key frame.
func keyFrame(mime string, payload []byte) bool {
	if mime == webrtc.MimeTypeVP8 {
		return payload[0]&0x10 != 0 && payload[1]&1 == 0
	}
	nal := payload[0] & 31
	return nal == 5 || nal == 7 || nal == 24 && payload[3]&31 == 7
}

func TestCamera(t *testing.T) {
	for range 2 { // it can be opened again after Close
		camera, err := OpenCamera("VideoTest", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := OpenCamera("VideoTest", nil); !errors.Is(twice, ErrBusy) {
			t.Errorf("opened twice: %v", twice)
		}
		if camera.Kind() != webrtc.RTPCodecTypeVideo || camera.Label() != "VideoTest" {
			t.Errorf("kind %v, label %q", camera.Kind(), camera.Label())
		}
		if id := camera.StreamID(); id == "" || id != camera.StreamID() {
			t.Error("the stream id is another one at every call")
		}
		p := newPlace("p", offer("video/AV1", 45), offer(webrtc.MimeTypeVP8, 96), offer(webrtc.MimeTypeH264, 102))
		codec, err := camera.Bind(p)
		if err != nil {
			t.Fatal(err)
		}
		seeKeyFrames(t, p, codec)
		if err := camera.Unbind(p); err != nil {
			t.Error(err)
		}
		if err := camera.Unbind(p); !errors.Is(err, webrtc.ErrUnbindFailed) {
			t.Errorf("unbound twice: %v", err)
		}
		p.leave()
		again := newPlace("again", offer(webrtc.MimeTypeH264, 102))
		if _, err := camera.Bind(again); err != nil {
			t.Fatalf("bound again: %v", err)
		}
		<-again.packets
		again.leave()
		finish(t, camera)
	}
}

// seeKeyFrames sees one, waits for other pictures, asks, and sees another one
// long before the encoder's own interval.
func seeKeyFrames(t *testing.T, p *place, codec webrtc.RTPCodecParameters) {
	t.Helper()
	keys, asked := 0, false
	for n := 0; keys < 2; n++ {
		packet := <-p.packets
		if packet.PayloadType != uint8(codec.PayloadType) || packet.SSRC != 7 {
			t.Fatalf("payload type %d, SSRC %d", packet.PayloadType, packet.SSRC)
		}
		if keyFrame(codec.MimeType, packet.Payload) && (keys == 0 || asked) {
			keys++
		}
		if packet.Marker && keys == 1 && !asked {
			asked = true
			p.control <- &rtcp.PictureLossIndication{MediaSSRC: 7}
			n = 0
		}
		if n > 1000 {
			t.Fatalf("%d key frames in 1000 packets", keys)
		}
	}
}

// finish closes a track, twice.
func finish(t *testing.T, track *Track) {
	t.Helper()
	for range 2 {
		if err := track.Close(); err != nil {
			t.Error(err)
		}
	}
	<-track.Done()
	if err := track.Err(); err != nil {
		t.Errorf("ended by itself: %v", err)
	}
}

func TestMicrophone(t *testing.T) {
	microphone, err := OpenMicrophone("AudioTest")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := microphone.Bind(newPlace("none", offer(webrtc.MimeTypePCMU, 0))); !errors.Is(err, webrtc.ErrUnsupportedCodec) {
		t.Errorf("bound without Opus: %v", err)
	}
	p := newPlace("p", offer(webrtc.MimeTypePCMU, 0), offer(webrtc.MimeTypeOpus, 111))
	if _, err := microphone.Bind(p); err != nil {
		t.Fatal(err)
	}
	var last *rtp.Packet
	for range 20 {
		packet := <-p.packets
		if packet.PayloadType != 111 || len(packet.Payload) < 10 {
			t.Fatalf("payload type %d, %d bytes", packet.PayloadType, len(packet.Payload))
		}
		if last != nil && packet.Timestamp-last.Timestamp != 960 {
			t.Errorf("a step of %d, want 960", packet.Timestamp-last.Timestamp)
		}
		last = packet
	}
	if dBov, ok := microphone.AudioLevel(); !ok || dBov < -40 || dBov > 0 {
		t.Errorf("it hums at %d dBov, %v", dBov, ok)
	}
	p.leave()
	finish(t, microphone)
	if _, err := microphone.Bind(p); err == nil {
		t.Error("bound after Close")
	}
}

// strange is a driver that does what a test wants.
type strange struct {
	open      error
	available error
	modes     []prop.Media
	panics    any
	early     bool // it panics when it is asked what it can do
}

func (s *strange) Open() error  { return s.open }
func (s *strange) Close() error { return nil }
func (s *strange) Properties() []prop.Media {
	if s.early {
		panic(s.panics)
	}
	return s.modes
}
func (s *strange) IsAvailable() (bool, error) { return s.available == nil, s.available }

type strangeCamera struct{ strange }

func (s *strangeCamera) VideoRecord(prop.Media) (video.Reader, error) {
	if s.panics != nil {
		panic(s.panics)
	}
	return nil, s.available
}

type strangeMicrophone struct{ strange }

func (s *strangeMicrophone) AudioRecord(prop.Media) (audio.Reader, error) {
	return audio.ReaderFunc(func() (wave.Audio, func(), error) { panic(s.panics) }), nil
}

func register(t *testing.T, a driver.Adapter, kind driver.DeviceType, label string) {
	t.Helper()
	if err := driver.GetManager().Register(a, driver.Info{Label: label, DeviceType: kind, Priority: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, d := range driver.GetManager().Query(func(d driver.Driver) bool { return d.Info().Label == label }) {
			driver.GetManager().Delete(d.ID())
		}
	})
}

func TestDevicesThatCannotBeUsed(t *testing.T) {
	mode := []prop.Media{{Video: prop.Video{Width: 64, Height: 48}}}
	register(t, &strangeCamera{strange{open: &fs.PathError{Err: fs.ErrPermission}}}, driver.Camera, "금지")
	register(t, &strangeCamera{strange{open: errors.New("x"), available: availability.ErrBusy}}, driver.Camera, "busy")
	register(t, &strangeCamera{strange{modes: mode, available: availability.ErrBusy}}, driver.Camera, "busy late")
	register(t, &strangeCamera{strange{open: errors.New("x"), available: availability.ErrNoDevice}}, driver.Camera, "unplugged")
	register(t, &strangeCamera{}, driver.Camera, "blind")
	register(t, &strangeCamera{strange{modes: mode, panics: "no such register"}}, driver.Camera, "panics")
	register(t, &strangeCamera{strange{early: true, panics: "no such register"}}, driver.Camera, "panics early")
	register(t, &strangeMicrophone{strange{early: true, panics: "no such register"}}, driver.Microphone, "panics in the list")
	for label, want := range map[string]error{
		"panics": ErrNoDriver, "panics early": ErrNoDriver, "금지": ErrForbidden, "busy": ErrBusy, "busy late": ErrBusy, "unplugged": ErrNotFound, "blind": ErrNoDriver, "없음": ErrNotFound,
	} {
		_, err := OpenCamera(label, nil)
		if e, ok := errors.AsType[*DeviceError](err); !ok || e.Kind != Camera || e.Label != label {
			t.Errorf("%s: %T: %v", label, err, err)
		}
		if !errors.Is(err, want) || !strings.Contains(err.Error(), label) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %v", label, err, want)
		}
	}
	if _, err := OpenCamera("없음", nil); !strings.Contains(err.Error(), `"VideoTest"`) {
		t.Errorf("%v; it does not say what there is", err)
	}
}

// The device of a machine without sound card has no channel; it is listed
// nowhere and cannot be opened.
func TestNullMicrophone(t *testing.T) {
	register(t, &strangeMicrophone{strange{modes: []prop.Media{{Audio: prop.Audio{SampleRate: 48000}}}}}, driver.Microphone, "null")
	list, err := Devices()
	if err != nil || slices.ContainsFunc(list, func(d Device) bool { return d.Label == "null" }) {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := OpenMicrophone("null"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// A driver that panics ends the track, not the process.
func TestPanickingDriver(t *testing.T) {
	modes := []prop.Media{{Audio: prop.Audio{SampleRate: 48000, ChannelCount: 1}}}
	register(t, &strangeMicrophone{strange{modes: modes, panics: "index out of range"}}, driver.Microphone, "panics")
	microphone, err := OpenMicrophone("panics")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := microphone.Bind(newPlace("p", offer(webrtc.MimeTypeOpus, 111))); !errors.Is(err, ErrNoDriver) {
		t.Error(err)
	}
	<-microphone.Done()
	if err := microphone.Err(); !errors.Is(err, ErrNoDriver) || !strings.Contains(err.Error(), "index out of range") {
		t.Error(err)
	}
	if err := microphone.Close(); err != nil {
		t.Error(err)
	}
}
