// Command player is a channel: it plays a file, or all files of a folder one
// after the other, over and over. A WebM file has picture and sound; film.ivf
// and film.ogg are played together.
//
//	go run ./examples/player -room demo -play films
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

func run(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	config := bot.Flags(flags)
	path := flags.String("play", ".", "a .webm, .mkv, .ivf, .ogg or .h264 file, or a folder of them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	films, err := listFilms(*path)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var failed error
	err = bot.Run(ctx, *config, bot.Handlers{
		Entered: func(ctx context.Context, room noom.Room) {
			channel := &channel{room: room, out: out}
			if failed = channel.playAll(ctx, films); failed != nil {
				stop()
			}
		},
	})
	if err == nil {
		err = failed
	}
	return err
}
