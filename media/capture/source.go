//go:build capture && cgo

package capture

import (
	"fmt"
	"image"
	"time"

	"github.com/pion/mediadevices"
	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/driver"
	frames "github.com/pion/mediadevices/pkg/io"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/wave"
)

// driverSource closes a driver under the lock.
type driverSource struct{ driver.Driver }

func (s driverSource) Close() error {
	drivers.Lock()
	defer drivers.Unlock()
	return s.Driver.Close()
}

type videoSource struct {
	video.Reader
	mediadevices.Source
}

// framePoll is how often one encoder looks whether another one has got the next picture, where a camera has two. What
// mediadevices does otherwise makes pictures up to 33 ms late.
const framePoll = 5 * time.Millisecond

// framesOf returns the pictures of a device as a track from which any number of encoders read.
func framesOf(d driver.Driver, r video.Reader, encoders []codec.VideoEncoderBuilder) *mediadevices.VideoTrack {
	selector := mediadevices.NewCodecSelector(mediadevices.WithVideoEncoders(encoders...))
	track := mediadevices.NewVideoTrack(videoSource{r, driverSource{d}}, selector).(*mediadevices.VideoTrack)
	track.Broadcaster = video.NewBroadcaster(r, &video.BroadcasterConfig{Core: &frames.BroadcasterConfig{PollDuration: framePoll}})
	return track
}

type audioSource struct {
	audio.Reader
	driverSource
}

// watchVideo and watchAudio call end for a device that fails. mediadevices reports an encoder that
// was merely closed in the same way.

func watchVideo(r video.Reader, end *ending) video.Reader {
	return video.ReaderFunc(func() (picture image.Image, release func(), err error) {
		defer end.watch(&err, &release)
		return r.Read()
	})
}

func watchAudio(r audio.Reader, end *ending, loud *loudness) audio.Reader {
	return audio.ReaderFunc(func() (chunk wave.Audio, release func(), err error) {
		defer end.watch(&err, &release)
		if chunk, release, err = r.Read(); err == nil {
			loud.hear(chunk)
		}
		return chunk, release, err
	})
}

// watch, deferred by what reads a device, ends the track with its error.
// Drivers panic on what they did not expect: a frame that is too short, a
// device without a channel. That must cost the track and not the process.
func (e *ending) watch(err *error, release *func()) {
	if p := recover(); p != nil {
		*err, *release = panicError(p), func() {}
	}
	if *err != nil {
		e.reach(*err)
	}
}

func panicError(p any) error { return fmt.Errorf("%w: it panicked: %v", ErrNoDriver, p) }

// calm, deferred by what calls a driver, makes its panic an error.
func recoverPanic(err *error) {
	if p := recover(); p != nil {
		*err = panicError(p)
	}
}
