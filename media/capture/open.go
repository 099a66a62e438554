//go:build capture && cgo

package capture

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/pion/mediadevices"
	"github.com/pion/mediadevices/pkg/codec/opus"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/driver/availability"
	_ "github.com/pion/mediadevices/pkg/driver/camera"     // registers cameras
	_ "github.com/pion/mediadevices/pkg/driver/microphone" // registers microphones
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

// drivers guards every driver's state, which mediadevices leaves unguarded
// and shares by the whole process; so it is held over calls into drivers.
var drivers sync.Mutex

func devices() ([]Device, error) {
	drivers.Lock()
	defer drivers.Unlock()
	var list []Device
	for _, kind := range []Kind{Camera, Microphone, Screen} {
		for _, d := range knownDrivers(kind) {
			list = append(list, Device{kind, d.Info().Label, d.Info().Name})
		}
	}
	return list, nil
}

// knownDrivers returns the drivers of a kind, best first and then by label. It is
// called with the lock held.
func knownDrivers(kind Kind) []driver.Driver {
	var filter driver.FilterFn
	switch kind {
	case Camera:
		filter = driver.FilterAnd(driver.FilterVideoRecorder(), driver.FilterDeviceType(driver.Camera))
	case Screen:
		filter = driver.FilterAnd(driver.FilterVideoRecorder(), driver.FilterDeviceType(driver.Screen))
	case Microphone:
		filter = driver.FilterAnd(driver.FilterAudioRecorder(), hasChannel)
	}
	list := driver.GetManager().Query(filter)
	slices.SortFunc(list, func(a, b driver.Driver) int {
		return cmp.Or(cmp.Compare(b.Info().Priority, a.Info().Priority), strings.Compare(a.Info().Label, b.Info().Label))
	})
	return list
}

// hasChannel reports whether a microphone has a channel. Opening one touches no
// hardware. One that is open has been asked before.
func hasChannel(d driver.Driver) bool {
	if d.Status() != driver.StateClosed {
		return true
	}
	modes, err := modesOf(d)
	if err != nil {
		return false
	}
	defer func() { _ = d.Close() }() // nothing was recorded
	return slices.ContainsFunc(modes, hasSound)
}

// modesOf opens a driver and asks what it can do.
func modesOf(d driver.Driver) (modes []prop.Media, err error) {
	defer recoverPanic(&err)
	if err := d.Open(); err != nil {
		return nil, err
	}
	return d.Properties(), nil
}

func hasSound(p prop.Media) bool { return p.ChannelCount > 0 && p.SampleRate > 0 }

// open finds and opens a device and chooses how it is to record. It is called
// with the lock held.
func open(kind Kind, label string, score func(prop.Media) float64) (driver.Driver, prop.Media, error) {
	fail := func(err error) (driver.Driver, prop.Media, error) {
		return nil, prop.Media{}, &DeviceError{kind, label, err}
	}
	list := knownDrivers(kind)
	i := slices.IndexFunc(list, func(d driver.Driver) bool { return label == "" || d.Info().Label == label })
	if i < 0 {
		i = slices.IndexFunc(list, func(d driver.Driver) bool { return d.Info().Name == label })
	}
	if i < 0 {
		return fail(notFound(kind, list))
	}
	d := list[i]
	if d.Status() != driver.StateClosed {
		return fail(ErrBusy)
	}
	modes, err := modesOf(d)
	if err != nil {
		return fail(refusal(d, err))
	}
	best, least := prop.Media{}, math.Inf(1)
	for _, p := range modes {
		if s := score(p); s < least {
			best, least = p, s
		}
	}
	if math.IsInf(least, 1) {
		_ = d.Close() // nothing was recorded
		return fail(ErrNoDriver)
	}
	return d, best, nil
}

// notFound says what there is instead.
func notFound(kind Kind, list []driver.Driver) error {
	if len(list) == 0 {
		return fmt.Errorf("%w: no %s on this machine", ErrNotFound, kind)
	}
	labels := make([]string, len(list))
	for i, d := range list {
		labels[i] = fmt.Sprintf("%q", d.Info().Label)
	}
	return fmt.Errorf("%w; there is %s", ErrNotFound, strings.Join(labels, ", "))
}

// refusal finds out why a driver does not open or record, as far as it reports that.
func refusal(d driver.Driver, err error) error {
	_, available := driver.IsAvailable(d)
	for _, e := range []error{err, available} {
		switch {
		case errors.Is(e, fs.ErrPermission):
			return fmt.Errorf("%w (%w)", ErrForbidden, err)
		case errors.Is(e, availability.ErrBusy) || busyErrno(e):
			return fmt.Errorf("%w (%w)", ErrBusy, err)
		case errors.Is(e, availability.ErrNoDevice) || errors.Is(e, fs.ErrNotExist):
			return fmt.Errorf("%w (%w)", ErrNotFound, err)
		}
	}
	return err
}

func openCamera(label string, o CameraOptions) (*Track, error) {
	return openVideo(Camera, label, o.FPS, o.BitRate, func(p prop.Media) float64 { return cameraScore(p, o) })
}

// openScreen: a screen has one mode, and no pace of its own.
func openScreen(label string, o ScreenOptions) (*Track, error) {
	if !screensBuilt {
		return nil, ErrScreenNotBuilt
	}
	return openVideo(Screen, label, o.FPS, o.BitRate, func(prop.Media) float64 { return 0 })
}

func openVideo(kind Kind, label string, fps, bitRate int, score func(prop.Media) float64) (*Track, error) {
	drivers.Lock()
	defer drivers.Unlock()
	d, mode, err := open(kind, label, score)
	if err != nil {
		return nil, err
	}
	if mode.FrameRate == 0 {
		mode.FrameRate = float32(fps) // the device does not report it
	}
	encoders, err := videoEncoders(bitRate, mode.FrameRate)
	if err != nil {
		_ = d.Close() // nothing was recorded
		return nil, &DeviceError{kind, label, err}
	}
	reader, err := recordVideo(d, mode)
	if err != nil {
		return nil, &DeviceError{kind, label, refusal(d, err)}
	}
	end := newEnding()
	from := framesOf(d, watchVideo(reader, end), encoders)
	track := newTrack(d, from, codecsOf(encoders), end)
	track.most = bitRate
	if kind == Camera {
		err = track.addSmall(d, from, mode, end)
	}
	if err != nil {
		return nil, errors.Join(&DeviceError{kind, label, err}, track.Close())
	}
	return track, nil
}

func recordVideo(d driver.Driver, mode prop.Media) (r video.Reader, err error) {
	defer recoverPanic(&err)
	return d.(driver.VideoRecorder).VideoRecord(mode)
}

func recordAudio(d driver.Driver, mode prop.Media) (r audio.Reader, err error) {
	defer recoverPanic(&err)
	return d.(driver.AudioRecorder).AudioRecord(mode)
}

// cameraScore is how far a camera's mode is from what is wanted; infinite if
// it cannot be encoded.
func cameraScore(p prop.Media, o CameraOptions) float64 {
	if p.Width <= 0 || p.Height <= 0 || p.FrameFormat == frame.FormatZ16 { // Z16 is depth
		return math.Inf(1)
	}
	score := math.Abs(math.Log(float64(p.Width)/float64(o.Width))) + math.Abs(math.Log(float64(p.Height)/float64(o.Height)))
	if p.FrameRate > 0 {
		score += math.Abs(math.Log(float64(p.FrameRate) / float64(o.FPS)))
	}
	if p.FrameFormat == frame.FormatMJPEG {
		score += 0.1 // costs decoding
	}
	return score
}

func openMicrophone(label string) (*Track, error) {
	drivers.Lock()
	defer drivers.Unlock()
	d, mode, err := open(Microphone, label, func(p prop.Media) float64 {
		if !hasSound(p) || p.ChannelCount > 2 {
			return math.Inf(1)
		}
		return float64(p.ChannelCount) // a voice is mono
	})
	if err != nil {
		return nil, err
	}
	encoder, err := opus.NewParams()
	if err != nil {
		_ = d.Close() // nothing was recorded
		return nil, &DeviceError{Microphone, label, err}
	}
	encoder.BitRate = 32_000
	reader, err := recordAudio(d, mode)
	if err != nil {
		return nil, &DeviceError{Microphone, label, refusal(d, err)}
	}
	selector := mediadevices.NewCodecSelector(mediadevices.WithAudioEncoders(&encoder))
	end, loud := newEnding(), new(loudness)
	source := audioSource{watchAudio(reader, end, loud), driverSource{d}}
	track := newTrack(d, mediadevices.NewAudioTrack(source, selector), []string{encoder.RTPCodec().MimeType}, end)
	track.level = loud.level
	return track, nil
}
