// Command announcer greets newcomers: by data, and with a sound for each of them alone, as soon as
// they can hear it.
//
//	go run ./examples/announcer -room demo -sound welcome.ogg
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
	sound := flags.String("sound", "", "an Ogg file with Opus, or a WAV file, mono, 16 bits, as speech synthesisers write it; none: two seconds of a tone")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := playable(*sound); err != nil {
		return err
	}
	return bot.Run(ctx, *config, bot.Handlers{
		Connected: func(ctx context.Context, _ noom.Room, e noom.PeerStateChanged) {
			if err := greet(ctx, e.Peer, *sound); err != nil {
				log.Println(err)
			}
		},
	})
}
