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
	"noom/transport/auto"
)

// Main runs a bot until it ends, or until the program is interrupted, which
// ends ctx. What failed is one line on stderr; the exit code is 2 for arguments
// that cannot be right, else 1.
func Main(run func(ctx context.Context, args []string, out io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err == nil || errors.Is(err, flag.ErrHelp) || errors.Is(err, context.Canceled) {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	if _, ok := errors.AsType[*UsageError](err); ok {
		os.Exit(2)
	}
	os.Exit(1)
}

// UsageError says which argument cannot be right.
type UsageError struct{ Bot, Text string }

func (e *UsageError) Error() string { return e.Bot + ": " + e.Text + " (-help lists the flags)" }

// Call says which call to join, and under which name.
type Call struct {
	URL, Room, Name, Token string
}

// Flags returns a bot's flags, -url, -room, -name and -token-env, to which it
// may add its own before they are parsed.
func Flags(name string) (*flag.FlagSet, *Call) {
	c := &Call{}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&c.URL, "url", "ws://localhost:8080/ws", "the hub")
	flags.StringVar(&c.Room, "room", "demo", "the room, in any language")
	flags.StringVar(&c.Name, "name", name, "the nickname")
	// On the command line other users of the machine could read it.
	flags.Func("token-env", "the environment `VARIABLE` that holds the token or password for the hub", func(variable string) error {
		var ok bool
		if c.Token, ok = os.LookupEnv(variable); !ok {
			return fmt.Errorf("the environment has no %s", variable)
		}
		return nil
	})
	return flags, c
}

// Parse reads args, all of which must be flags. Asked for help, it prints them
// to out and returns [flag.ErrHelp]; other errors are a *[UsageError].
func Parse(flags *flag.FlagSet, args []string, out io.Writer) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprintf(out, "%s takes these flags:\n", flags.Name())
		flags.SetOutput(out)
		flags.PrintDefaults()
		return err
	case err != nil:
		return &UsageError{flags.Name(), err.Error()}
	case flags.NArg() > 0:
		return &UsageError{flags.Name(), fmt.Sprintf("unexpected argument %q", flags.Arg(0))}
	}
	return nil
}

// Join joins the call and publishes tracks.
func (c *Call) Join(ctx context.Context, tracks ...noom.LocalTrack) (noom.Room, error) {
	return noom.Join(ctx, &auto.Dialer{URL: c.URL}, c.Room, &noom.Config{
		Name: c.Name, Token: c.Token, Tracks: tracks,
		// So that bots find each other on a machine without a network.
		Settings: func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) },
	})
}
