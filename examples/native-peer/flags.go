package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"noom/signal"
)

const usage = `native-peer joins a noom room, sends video and audio, and prints what arrives.

  -url URL           the hub (default ws://localhost:8080/ws)
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
  -duration TIME     leave after so long, such as 90s (default: when interrupted)
  -json              print one JSON object per line; README.md has the fields
`

// options are the flags, checked as far as that goes without file or network.
type options struct {
	url, room, name    string
	token, tokenEnv    string // once checked, token has what the variable holds
	video, audio       string // a file, or one of the words below
	camera, microphone *string
	screen             *string
	listDevices        bool
	echo               bool
	iceServers         []webrtc.ICEServer // as noom.Config.ICEServers
	duration           time.Duration
	json               bool
}

// What -video and -audio may be instead of a file.
const (
	videoPattern = "pattern"
	audioTone    = "tone"
	nothing      = "none"
)

// usageError says which flag is wrong.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text + " (-help lists the flags)" }

func wrong(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// flags returns the flags, which set o.
func (o *options) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("native-peer", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.url, "url", "ws://localhost:8080/ws", "")
	flags.StringVar(&o.room, "room", "demo", "")
	flags.StringVar(&o.name, "name", "gopher", "")
	flags.StringVar(&o.token, "token", "", "")
	flags.StringVar(&o.tokenEnv, "token-env", "", "")
	flags.StringVar(&o.video, "video", "", "")
	flags.StringVar(&o.audio, "audio", "", "")
	flags.Func("camera", "", func(label string) error { o.camera = &label; return nil })
	flags.Func("microphone", "", func(label string) error { o.microphone = &label; return nil })
	flags.Func("screen", "", func(label string) error { o.screen = &label; return nil })
	flags.BoolVar(&o.listDevices, "list-devices", false, "")
	flags.BoolVar(&o.echo, "echo", false, "")
	flags.Func("ice", "", o.addICE)
	flags.DurationVar(&o.duration, "duration", 0, "")
	flags.BoolVar(&o.json, "json", false, "")
	return flags
}

func parse(args []string) (*options, error) {
	o := &options{}
	flags := o.flags()
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, usageError{err.Error()}
	}
	if flags.NArg() > 0 {
		return nil, wrong("unexpected argument %q", flags.Arg(0))
	}
	return o, o.check()
}

func (o *options) check() error {
	o.room, o.name = signal.CleanName(o.room), signal.CleanName(o.name)
	if err := signal.CheckRoom(o.room); err != nil {
		return wrong("-room: %v", err)
	}
	if err := signal.CheckName(o.name); err != nil {
		return wrong("-name: %v", err)
	}
	if err := o.readToken(); err != nil {
		return err
	}
	if err := checkURL(o.url); err != nil {
		return wrong("-url %q: %v", o.url, err)
	}
	if o.duration < 0 {
		return wrong("-duration: %v lies in the past", o.duration)
	}
	if o.camera != nil && o.video != "" {
		return wrong("-camera and -video: choose one")
	}
	if o.microphone != nil && o.audio != "" {
		return wrong("-microphone and -audio: choose one")
	}
	if o.video == "" {
		o.video = o.unlessEcho(videoPattern)
	}
	if o.audio == "" {
		o.audio = o.unlessEcho(audioTone)
	}
	return nil
}

// readToken takes the token from where the flags say it is.
func (o *options) readToken() error {
	where := "-token"
	if o.tokenEnv != "" {
		if o.token != "" {
			return wrong("-token and -token-env: choose one")
		}
		where = "-token-env " + o.tokenEnv
		var ok bool
		if o.token, ok = os.LookupEnv(o.tokenEnv); !ok {
			return wrong("%s: the environment has no such variable", where)
		}
	}
	if len(o.token) > signal.MaxToken {
		return wrong("%s: %d bytes, at most %d", where, len(o.token), signal.MaxToken)
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

func checkURL(text string) error {
	u, err := url.Parse(text)
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err // the rest repeats the URL
	}
	switch {
	case u.Scheme != "ws" && u.Scheme != "wss" && u.Scheme != "http" && u.Scheme != "https":
		return errors.New("want ws://host:port/path, or wss://")
	case u.Hostname() == "":
		return errors.New("it names no host; want ws://host:port/path")
	}
	return nil
}

// addICE takes stun:HOST:PORT and turn:USER:PASSWORD@HOST:PORT, where user
// and password may be escaped as in a URL.
func (o *options) addICE(text string) error {
	if text == nothing {
		o.iceServers = []webrtc.ICEServer{}
		return nil
	}
	scheme, rest, _ := strings.Cut(text, ":")
	server := webrtc.ICEServer{URLs: []string{text}}
	switch scheme {
	case "stun", "stuns":
	case "turn", "turns":
		at := strings.LastIndexByte(rest, '@')
		if at < 0 {
			return errors.New("a TURN server needs turn:user:password@host:port")
		}
		user, password, _ := strings.Cut(rest[:at], ":")
		name, err1 := url.PathUnescape(user)
		secret, err2 := url.PathUnescape(password)
		if err := errors.Join(err1, err2); err != nil {
			return errors.New("user or password has a bad % escape")
		}
		server = webrtc.ICEServer{URLs: []string{scheme + ":" + rest[at+1:]}, Username: name, Credential: secret}
	default:
		return errors.New("want stun:host:port or turn:user:password@host:port")
	}
	uri, err := stun.ParseURI(server.URLs[0])
	if err == nil && uri.Port > 65535 {
		err = stun.ErrPort
	}
	if err != nil {
		return fmt.Errorf("%w; want stun:host:port or turn:user:password@host:port", err)
	}
	o.iceServers = append(o.iceServers, server)
	return nil
}
