// Command announcer greets newcomers: by data, and with a sound for each of them alone, as soon as
// they can hear it.
//
//	go run ./examples/announcer -room demo -sound welcome.ogg
package main

import (
	"context"
	"io"
	"log"

	"noom"
	"noom/examples/bot"
)

func main() { bot.Main(run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags, call := bot.Flags("announcer")
	sound := flags.String("sound", "", "an Ogg file with Opus; none: two seconds of a tone")
	if err := bot.Parse(flags, args, out); err != nil {
		return err
	}
	if err := playable(*sound); err != nil {
		return err
	}
	room, err := call.Join(ctx)
	if err != nil {
		return err
	}
	defer room.Leave(context.Background())
	greeted := map[string]bool{}
	for event := range room.Events(ctx) {
		e, changed := event.(noom.PeerStateChanged)
		if changed && e.State == noom.PeerConnected && !greeted[e.Peer.ID()] {
			greeted[e.Peer.ID()] = true
			if err := greet(ctx, e.Peer, *sound); err != nil {
				log.Println(err)
			}
		}
	}
	return room.Err()
}
