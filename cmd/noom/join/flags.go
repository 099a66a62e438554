package join

import (
	"flag"
	"time"

	"noom/cmd/noom/call"
	"noom/cmd/noom/command"
)

const usage = ` joins a noom room, sends video and audio, and prints what arrives.

  -url URL           the hub (default ws://localhost:8080/ws); may be repeated, or have
                     several with commas between, if they serve the same rooms
  -room NAME         the room, in any language (default demo)
  -name NAME         the nickname (default gopher)
  -token-env VAR     the token or password that the hub wants, from that variable
                     of the environment
  -token TOKEN       the same, where no other user can read this machine's
                     command lines

  -video FILE.ivf    play VP8, VP9 or AV1 over and over; "pattern": a moving
                     test picture, coloured by the own id (the default); "none"
  -audio FILE.ogg    play Opus over and over; "tone": 440 Hz (the default); "none"
  -camera LABEL      send a camera instead; "": the first one
  -microphone LABEL  send a microphone instead; "": the default one
  -screen LABEL      send a screen too, alongside the camera; "": the first
  -list-devices      print cameras, microphones and screens, and exit
  -echo              send everyone's media back to them, and nothing else
                     unless one of the flags above is given

  -ice URL           a STUN or TURN server instead of the hub's, such as
                     stun:host:3478 or turn:user:password@host:3478; may be
                     repeated; "none": no server
  -duration TIME     leave so long after joining, such as 90s (default: when interrupted)
  -json              print one JSON object per line; README.md has the fields
`

// options are the flags, checked as far as that goes without file or network.
type options struct {
	call.Call

	video, audio       string // a file, or one of the words below
	camera, microphone *string
	screen             *string
	listDevices        bool
	echo               bool
	duration           time.Duration
	json               bool
}

// What -video and -audio may be instead of a file.
const (
	videoPattern = "pattern"
	audioTone    = "tone"
	nothing      = "none"
)

// flags returns the flags, which set o.
func (o *options) flags() *flag.FlagSet {
	flags := command.NewFlags()
	o.Add(flags, "gopher")
	flags.StringVar(&o.video, "video", "", command.FileValue+" "+videoPattern+" "+nothing)
	flags.StringVar(&o.audio, "audio", "", command.FileValue+" "+audioTone+" "+nothing)
	flags.Func("camera", "", func(label string) error { o.camera = &label; return nil })
	flags.Func("microphone", "", func(label string) error { o.microphone = &label; return nil })
	flags.Func("screen", "", func(label string) error { o.screen = &label; return nil })
	flags.BoolVar(&o.listDevices, "list-devices", false, "")
	flags.BoolVar(&o.echo, "echo", false, "")
	flags.DurationVar(&o.duration, "duration", 0, "")
	flags.BoolVar(&o.json, "json", false, "")
	return flags
}

func parse(args []string) (*options, error) {
	o := &options{}
	if _, err := command.Parse(o.flags(), args); err != nil {
		return nil, err
	}
	return o, o.check()
}

func (o *options) check() error {
	if err := o.Check(); err != nil {
		return err
	}
	if o.duration < 0 {
		return command.Wrong("-duration: %v lies in the past", o.duration)
	}
	if o.camera != nil && o.video != "" {
		return command.Wrong("-camera and -video: choose one")
	}
	if o.microphone != nil && o.audio != "" {
		return command.Wrong("-microphone and -audio: choose one")
	}
	if o.video == "" {
		o.video = o.unlessEcho(videoPattern)
	}
	if o.audio == "" {
		o.audio = o.unlessEcho(audioTone)
	}
	return nil
}

// unlessEcho is what is sent by default.
func (o *options) unlessEcho(source string) string {
	if o.echo {
		return nothing
	}
	return source
}
