package join

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/media"
	"noom/media/capture"
	"noom/signal"
)

// source is something to send: of package media or of package capture.
type source interface {
	webrtc.TrackLocal
	Close() error
	Done() <-chan struct{}
	Err() error
}

// origin is a source and the flag it comes from.
type origin struct {
	source
	flag string
	name string // what the others see; empty: by kind
	told bool   // what is wrong with it has been printed
}

type origins []*origin

// openSources opens what the flags ask for. Its errors name the flag.
func openSources(o *options, id string) (origins, error) {
	var list origins
	add := func(flag, name string, s source, err error) error {
		if err != nil {
			list.close()
			return fmt.Errorf("%s: %w", flag, err)
		}
		list = append(list, &origin{source: s, flag: flag, name: name})
		return nil
	}
	if flag, s, err := openVideo(o, id); flag != "" {
		if err = add(flag, "", s, err); err != nil {
			return nil, err
		}
	}
	if flag, s, err := openAudio(o); flag != "" {
		if err = add(flag, "", s, err); err != nil {
			return nil, err
		}
	}
	if o.screen != nil {
		s, err := capture.OpenScreen(*o.screen, nil)
		if err = add("-screen", "screen", s, err); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// openVideo returns the flag that decided; none if no video is wanted.
func openVideo(o *options, id string) (flag string, s source, err error) {
	switch {
	case o.camera != nil:
		s, err = capture.OpenCamera(*o.camera, nil)
		return "-camera", s, err
	case o.video == nothing:
		return "", nil, nil
	case o.video == videoPattern:
		return "-video", media.TestPattern(&media.PatternOptions{Color: media.ColorOf(id)}), nil
	}
	s, err = media.OpenIVF(o.video, nil)
	return "-video", s, err
}

// openAudio is as openVideo.
func openAudio(o *options) (flag string, s source, err error) {
	switch {
	case o.microphone != nil:
		s, err = capture.OpenMicrophone(*o.microphone)
		return "-microphone", s, err
	case o.audio == nothing:
		return "", nil, nil
	case o.audio == audioTone:
		return "-audio", media.Tone(), nil
	}
	s, err = media.OpenOgg(o.audio, nil)
	return "-audio", s, err
}

func (list origins) tracks() []noom.LocalTrack {
	tracks := make([]noom.LocalTrack, len(list))
	for i, o := range list {
		tracks[i] = noom.LocalTrack{Name: o.name, Track: o.source}
	}
	return tracks
}

func (list origins) close() {
	for _, o := range list {
		_ = o.Close() // nothing was written, so nothing is lost
	}
}

// listDevices prints cameras, microphones and screens, one a line.
func listDevices(out io.Writer, asJSON bool) error {
	list, err := capture.Devices()
	if err != nil {
		return fmt.Errorf("-list-devices: %w", err)
	}
	for _, d := range list {
		if !asJSON {
			say(out, "-%s %q  %s\n", d.Kind, d.Label, signal.Printable(d.Name))
			continue
		}
		if err := json.NewEncoder(out).Encode(d); err != nil {
			return err
		}
	}
	if len(list) == 0 && !asJSON {
		say(out, "no camera, no microphone and no screen on this machine\n")
	}
	return nil
}
