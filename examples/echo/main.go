// Command echo sends everyone back what they send: data, chat and media.
//
//	go run ./examples/echo -room demo
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"os"

	"noom"
	"noom/bot"
)

func main() {
	if err := run(context.Background(), flag.CommandLine, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, flags *flag.FlagSet, args []string, _ io.Writer) error {
	config := bot.Flags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	return bot.Run(ctx, *config, bot.Handlers{
		Chat: func(_ context.Context, room noom.Room, e noom.ChatReceived) {
			_ = room.TryChat(e.From.Name + ": " + e.Text) // without a hub nobody hears it
		},
		Data: func(ctx context.Context, _ noom.Room, e noom.DataReceived) {
			_ = e.Peer.SendTopic(ctx, e.Topic, e.Data) // until the peer has gone
		},
		Track: reflect,
	})
}

// reflect sends a track back to its sender, until it ends.
func reflect(ctx context.Context, _ noom.Room, e noom.TrackAdded) {
	sender, err := e.Peer.Publish(ctx, noom.Forward(e.Track), nil)
	if err != nil {
		return // the peer has gone
	}
	<-ctx.Done()
	_ = sender.Close() // the peer may be gone already
}
