// Command player is a channel: it plays a file, or all files of a folder one
// after the other, over and over. A WebM file has picture and sound; film.ivf
// and film.ogg are played together.
//
//	go run ./examples/player -room demo -play films
package main

import (
	"context"
	"io"

	"noom/examples/bot"
)

func main() { bot.Main(run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags, call := bot.Flags("player")
	path := flags.String("play", ".", "a .webm, .mkv, .ivf, .ogg or .h264 file, or a folder of them")
	if err := bot.Parse(flags, args, out); err != nil {
		return err
	}
	films, err := listFilms(*path)
	if err != nil {
		return err
	}
	room, err := call.Join(ctx)
	if err != nil {
		return err
	}
	defer room.Leave(context.Background())
	channel := &channel{room: room, out: out}
	failed := 0 // in a row
	for i := 0; ctx.Err() == nil && room.Err() == nil; i++ {
		err := channel.play(ctx, films[i%len(films)])
		if err == nil {
			failed = 0
			continue
		}
		if failed++; failed == len(films) { // none of them can be played
			return err
		}
		channel.say("%v", err)
	}
	return room.Err()
}
