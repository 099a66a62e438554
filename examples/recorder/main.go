// Command recorder records calls, each into one file: from the first track in the room until
// everyone has left.
//
//	go run ./examples/recorder -room demo -folder recordings
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
		return fmt.Errorf("recorder: -folder: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("recorder: -folder: %s is no folder", *folder)
	}
	tape := &tape{folder: *folder, out: out}
	return bot.Run(ctx, *config, bot.Handlers{
		Entered: func(ctx context.Context, _ noom.Room) {
			<-ctx.Done()
			tape.stop()
		},
		Track: func(_ context.Context, room noom.Room, _ noom.TrackAdded) { tape.begin(room) },
		Left:  func(_ context.Context, room noom.Room, _ noom.PeerLeft) { tape.stopWithout(room.Peers()) },
	})
}
