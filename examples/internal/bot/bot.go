// Package bot is what the example bots have in common: the flags that say which
// call to join, and an end with Ctrl-C.
package bot

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/transport/ws"
)

// Main runs a bot until it ends, or until the program is interrupted, which
// ends ctx.
func Main(run func(ctx context.Context, args []string, out io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil && !errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Call says which call to join, and as whom.
type Call struct {
	URL, Room, Name string
}

// Flags returns a bot's flags, -url, -room and -name, to which it may add its
// own before they are parsed.
func Flags(name string) (*flag.FlagSet, *Call) {
	c := &Call{}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&c.URL, "url", "ws://localhost:8080/ws", "the hub")
	flags.StringVar(&c.Room, "room", "demo", "the room, in any language")
	flags.StringVar(&c.Name, "name", name, "the nickname")
	return flags, c
}

// Join joins the call and publishes tracks.
func (c *Call) Join(ctx context.Context, tracks ...noom.LocalTrack) (noom.Room, error) {
	return noom.Join(ctx, ws.Dialer{URL: c.URL}, c.Room, &noom.Config{
		Name: c.Name, Tracks: tracks,
		// So that bots find each other on a machine without a network.
		Settings: func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) },
	})
}
