// Command transcriber writes down who says what: for each speaker a WAV file and a WebVTT file on one line of time, and
// a caption to everybody in the room. In place of a model it has a recogniser that only measures.
//
//	go run ./examples/transcriber -room demo -folder transcripts
package main

import (
	"context"
	"flag"
	"fmt"
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
	folder := flags.String("folder", ".", "where the files go")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if info, err := os.Stat(*folder); err != nil {
		return fmt.Errorf("transcriber: -folder: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("transcriber: -folder: %s is no folder", *folder)
	}
	return bot.Run(ctx, *config, bot.Handlers{
		Entered: func(ctx context.Context, room noom.Room) {
			if err := transcribe(ctx, room, *folder, stopwatch{}, out); err != nil {
				log.Println(err)
			}
		},
	})
}
