// Package capture opens cameras, microphones and screens as tracks, through
// github.com/pion/mediadevices:
//
//	camera, err := capture.OpenCamera("", nil)
//	if err != nil {
//		return err // says which device, and what to do
//	}
//	defer camera.Close()
//	_, err = room.Publish(ctx, camera, nil)
//
// # Building
//
// Devices need cgo. Without it, or without the build tag, everything here
// compiles and returns [ErrNotBuilt]:
//
//	CGO_ENABLED=1 go build -tags capture        # gcc and g++; video as H264
//	CGO_ENABLED=1 go build -tags capture,vpx    # libvpx-dev and pkg-config too; video as VP8
//	CGO_ENABLED=1 go build -tags capture,screen # libx11-dev, libxext-dev and pkg-config too; screens, on Linux
//
// The last two go together. Opus and H264 encoders come with mediadevices. Only programs that import
// this package look for devices, and they do so when they start.
//
// # Devices
//
// [Devices] lists them. A label stays the same from run to run; a name is what people call the
// device and need not be unique. A device can be open once at a time, in one process. A microphone
// without a channel, such as the "null" device of a machine without sound card, does not count.
// Errors are a [*DeviceError] that names the device, and no panic of a driver leaves this package.
//
// A device that is unplugged ends its [Track], and a Room that publishes it reports SourceEnded;
// the call goes on, and the Sender takes another Track by ReplaceTrack, of any size. A microphone
// knows how loud it is ([Track.AudioLevel]), so the others see the active speaker.
//
// # Screens
//
// A screen is published alongside the camera, as a track of its own:
//
//	screen, err := capture.OpenScreen("", nil)
//	…
//	_, err = room.Publish(ctx, screen, &noom.PublishOptions{Name: "screen"})
//
// Screens are those of the X server that DISPLAY named when the program started. Under Wayland that
// is XWayland, which shows only the windows of X programs. If the X server ends, Xlib ends the
// program with it.
package capture

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"

	"noom"
)

// Kind is camera, microphone or screen.
type Kind string

// The kinds of device.
const (
	Camera     Kind = "camera"
	Microphone Kind = "microphone"
	Screen     Kind = "screen"
)

// Device is one that can be opened.
type Device struct {
	Kind  Kind   `json:"kind"`
	Label string `json:"label"` // the same from run to run
	Name  string `json:"name"`  // for people; may be empty
}

// What can be wrong, to compare with errors.Is. ErrNotBuilt arrives as it is,
// the others inside a [*DeviceError].
var (
	// ErrNotBuilt: the program has no device support in it.
	ErrNotBuilt = errors.New("built without camera and microphone; build with CGO_ENABLED=1 and -tags capture (needs gcc and g++)")
	// ErrScreenNotBuilt is an ErrNotBuilt: there are devices, but no screens.
	ErrScreenNotBuilt error = screenNotBuilt{}
	// ErrNotFound: there is no such device, or none at all.
	ErrNotFound = errors.New("not there")
	// ErrBusy: the device is open already, here or in another program.
	ErrBusy = errors.New("busy; close whatever else uses it")
	// ErrForbidden: the operating system does not let this user have it.
	ErrForbidden = errors.New("forbidden; on Linux the user must be in the group video or audio")
	// ErrNoDriver: the device is there, but no driver gets anything out of it
	// that can be encoded.
	ErrNoDriver = errors.New("no driver for what it delivers")
)

type screenNotBuilt struct{}

func (screenNotBuilt) Error() string {
	return "built without screens; build on Linux with -tags capture,screen (needs libx11-dev, libxext-dev and pkg-config)"
}

// Is makes it an ErrNotBuilt.
func (screenNotBuilt) Is(target error) bool { return target == ErrNotBuilt }

// DeviceError says which device could not be used, and why.
type DeviceError struct {
	Kind  Kind
	Label string // as asked for; empty: any
	Err   error  // wraps ErrNotFound, ErrBusy, ErrForbidden or ErrNoDriver, or is the driver's own
}

func (e *DeviceError) Error() string {
	if e.Label == "" {
		return fmt.Sprintf("%s: %v", e.Kind, e.Err)
	}
	return fmt.Sprintf("%s %q: %v", e.Kind, e.Label, e.Err)
}

// Unwrap returns the cause.
func (e *DeviceError) Unwrap() error { return e.Err }

// The bounds of BitRate.
const (
	leastBitRate = 50_000
	mostBitRate  = 20_000_000
)

// CameraOptions says what is wanted of a camera; nil works. The mode of the
// camera that comes nearest is used.
type CameraOptions struct {
	Width, Height int // pixels; 0: 640 and 480
	FPS           int // frames a second; 0: 30
	BitRate       int // bits a second, 50,000 to 20,000,000; 0: 1,000,000
}

// Devices lists what can be opened, sorted by kind and label. Where there is
// nothing it returns nothing and no error.
func Devices() ([]Device, error) { return devices() }

// OpenCamera opens the camera with that label, or else that name; empty: the first one. The picture
// is encoded as VP8 or H264, separately for each Bind, and in a Room in two sizes ([Track.Encodings]).
func OpenCamera(label string, o *CameraOptions) (*Track, error) {
	want := CameraOptions{}
	if o != nil {
		want = *o
	}
	fillZero(&want.Width, 640)
	fillZero(&want.Height, 480)
	fillZero(&want.FPS, 30)
	fillZero(&want.BitRate, 1_000_000)
	want.BitRate = min(max(want.BitRate, leastBitRate), mostBitRate)
	return openCamera(label, want)
}

func fillZero(v *int, otherwise int) {
	if *v <= 0 {
		*v = otherwise
	}
}

// OpenMicrophone opens the microphone with that label, or else that name;
// empty: the default one. The sound is encoded as Opus.
func OpenMicrophone(label string) (*Track, error) { return openMicrophone(label) }

// ScreenOptions says how a screen is wanted; nil works.
type ScreenOptions struct {
	FPS     int // frames a second, up to 60; 0: 10
	BitRate int // bits a second, 50,000 to 20,000,000; 0: 2,000,000
}

// OpenScreen opens the screen with that label; empty: the first one. The picture has the screen's
// own size and is encoded as VP8 or H264, separately for each Bind. A program without screens in it
// gets [ErrScreenNotBuilt] or [ErrNotBuilt].
func OpenScreen(label string, o *ScreenOptions) (*Track, error) {
	want := ScreenOptions{}
	if o != nil {
		want = *o
	}
	fillZero(&want.FPS, 10)
	fillZero(&want.BitRate, 2_000_000)
	want.FPS = min(want.FPS, 60)
	want.BitRate = min(max(want.BitRate, leastBitRate), mostBitRate)
	return openScreen(label, want)
}

// Track is an open device. It is a [webrtc.TrackLocal], and its methods may be
// called from anywhere at any time.
type Track struct {
	webrtc.TrackLocal
	label string
	close func() error
	done  <-chan struct{}
	err   func() error
	level func() (dBov int, ok bool) // nil: it has none
	rate  func(bps int)              // sets that of the encoders
	most  int                        // the most for rate; 0: they keep theirs

	encodings []noom.Encoding
}

// Encodings makes a camera [noom.Layered]: a Room that publishes it sends, beside its whole picture, a small one of up to
// 240 lines and 250 kbit/s to peers that show it small or whose connection takes no more. Each has an encoder, which runs
// only while some peer needs it. There is one encoding, and Encodings returns nil, for a picture of fewer than 360 lines
// or a BitRate below 250,000; for microphones, and for screens, whose text would not be readable.
// [noom.PublishOptions].Encodings replaces them.
func (t *Track) Encodings() []noom.Encoding { return slices.Clone(t.encodings) }

// SetTargetBitrate asks the encoders for so many bits a second: at least 50,000, and at most the BitRate of the options.
// A Room that publishes the track calls it as the network changes. A microphone has a rate of its own, and ignores it.
func (t *Track) SetTargetBitrate(bps int) {
	if t.most > 0 {
		t.rate(min(max(bps, leastBitRate), t.most))
	}
}

// FollowsTarget reports whether SetTargetBitrate has an effect.
func (t *Track) FollowsTarget() bool { return t.most > 0 }

// AudioLevel returns how loud a microphone was just now, in dBov (RFC 6464): from
// -127, silence, to 0; false before its first sound, and for pictures.
func (t *Track) AudioLevel() (dBov int, ok bool) {
	if t.level == nil {
		return 0, false
	}
	return t.level()
}

// Label returns the device's label.
func (t *Track) Label() string { return t.label }

// Close lets go of the device. It may be called more than once.
func (t *Track) Close() error { return t.close() }

// Done is closed when the track is over: after Close, or because the device is
// gone.
func (t *Track) Done() <-chan struct{} { return t.done }

// Err says why the device ended by itself; nil while it has not, and after Close.
func (t *Track) Err() error { return t.err() }
