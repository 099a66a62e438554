// Package join is noom join, and the example native-peer: a Go process in a call, which sends video and audio, and
// prints arrivals and departures, what it receives, and how it is connected.
package join

import (
	"context"
	"flag"

	"noom"
	"noom/cmd/noom/call"
	"noom/cmd/noom/command"
)

// Command returns the command of that name.
func Command(name string) command.Command {
	return command.Command{
		Name: name, Summary: "be in a call: files, test pattern, camera or screen", Usage: name + usage,
		Flags: func() *flag.FlagSet { return new(options).flags() },
		Do: func(ctx context.Context, args []string, streams command.Streams) error {
			o, err := parse(args)
			switch {
			case err != nil:
				return err
			case o.listDevices:
				return listDevices(streams.Out, o.json)
			}
			return stay(ctx, o, newOutput(name, streams, o.json))
		},
	}
}

// stay joins the room and stays until ctx, -duration or the room ends.
func stay(ctx context.Context, o *options, out *output) error {
	identity := noom.NewIdentity() // first, because the test pattern has its colour
	sources, err := openSources(o, identity.ID())
	if err != nil {
		return err
	}
	defer sources.close()
	room, err := o.Join(ctx, &noom.Config{
		Identity: identity, Tracks: sources.tracks(), Logger: call.Warnings(func(line string) { out.problem("warning: %s", line) }),
	})
	if err != nil && ctx.Err() != nil {
		return nil // asked to stop before it had joined
	}
	if err != nil {
		return err
	}
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	c := &conversation{
		room: room, out: out, echo: o.echo, sources: sources,
		peers: map[string]string{}, readers: map[noom.RemoteTrack]*reader{},
	}
	return c.run(ctx)
}
