package bot_test

import (
	"context"
	"flag"
	"log"
	"time"

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

// A bot that answers questions: what time it is, and nothing else.
func ExampleHandlers_question() {
	config := bot.Flags(flag.CommandLine)
	flag.Parse()
	err := bot.Run(context.Background(), *config, bot.Handlers{
		Question: func(_ context.Context, _ noom.Room, q bot.Question) ([]byte, error) {
			if q.Topic != "time" {
				return nil, noom.ErrNotHandled
			}
			return time.Now().AppendFormat(nil, time.RFC3339), nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
}
