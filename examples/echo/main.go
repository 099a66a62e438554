// Command echo sends everyone back what they send: data, chat and media.
//
//	go run ./examples/echo -room demo
package main

import (
	"context"
	"io"

	"noom"
	"noom/examples/bot"
)

func main() { bot.Main(run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags, call := bot.Flags("echo")
	if err := bot.Parse(flags, args, out); err != nil {
		return err
	}
	room, err := call.Join(ctx)
	if err != nil {
		return err
	}
	defer room.Leave(context.Background())
	for event := range room.Events(ctx) {
		switch e := event.(type) { // a member that has left in between, or takes nothing, gets nothing: the others do not wait for it
		case noom.ChatReceived:
			_ = room.TryChat(e.From.Name + ": " + e.Text)
		case noom.DataReceived:
			_ = e.Peer.TrySend(e.Data)
		case noom.TrackAdded:
			go reflect(ctx, e.Peer, e.Track)
		}
	}
	return room.Err()
}
