// Command native-peer is a Go process in a call. It joins a room, sends video and audio, and prints
// arrivals and departures, what it receives, and how it is connected:
//
//	go run ./examples/native-peer -url ws://localhost:8080/ws -room demo -name gopher
//
// README.md next to this file has the flags and the fields of -json.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/signal"
	"syscall"

	"noom"
	wire "noom/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program. It ends with ctx, and returns the exit code: 0 after
// that, 1 when something failed, 2 for bad arguments. What failed is one line
// on stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if err == nil && o.listDevices {
		err = listDevices(stdout, o.json)
	} else if err == nil {
		err = call(ctx, o, stdout, stderr)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		say(stdout, "%s", usage)
		return 0
	}
	say(stderr, "native-peer: %s\n", wire.Printable(err.Error()))
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

// call joins the room and stays until ctx, -duration or the room ends.
func call(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	identity := noom.NewIdentity() // first, because the test pattern has its colour
	sources, err := openSources(o, identity.ID())
	if err != nil {
		return err
	}
	defer sources.close()
	room, err := join(ctx, o, identity, sources.tracks())
	if err != nil && ctx.Err() != nil {
		return nil // asked to stop before it had joined
	}
	if err != nil {
		return err
	}
	c := &conversation{
		room: room, out: newOutput(stdout, stderr, o.json), echo: o.echo, sources: sources,
		peers: map[string]string{}, readers: map[noom.RemoteTrack]*reader{},
	}
	return c.run(ctx)
}
