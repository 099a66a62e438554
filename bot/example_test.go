package bot_test

import (
	"context"
	"flag"
	"log"

	"noom"
	"noom/bot"
)

// A whole bot: it greets, and sends chat and tracks back, wherever its flags or the environment say.
func ExampleRun() {
	config := bot.Flags(flag.CommandLine)
	flag.Parse()
	err := bot.Run(context.Background(), *config, bot.Handlers{
		Joined: func(_ context.Context, room noom.Room, e noom.PeerJoined) {
			_ = room.TryChat("hello, " + e.Peer.Name())
		},
		Chat: func(_ context.Context, room noom.Room, e noom.ChatReceived) {
			_ = room.TryChat(e.From.Name + ": " + e.Text)
		},
		Track: func(ctx context.Context, _ noom.Room, e noom.TrackAdded) {
			_, _ = e.Peer.Publish(ctx, noom.Forward(e.Track), nil)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
}
