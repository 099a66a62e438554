// Command recorder records calls, each into one file: from the first track in the room until
// everyone has left.
//
//	go run ./examples/recorder -room demo -folder recordings
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"noom"
	"noom/examples/bot"
)

func main() { bot.Main(run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags, call := bot.Flags("recorder")
	folder := flags.String("folder", ".", "where the files go")
	if err := bot.Parse(flags, args, out); err != nil {
		return err
	}
	if info, err := os.Stat(*folder); err != nil {
		return fmt.Errorf("recorder: -folder: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("recorder: -folder: %s is no folder", *folder)
	}
	room, err := call.Join(ctx)
	if err != nil {
		return err
	}
	defer room.Leave(context.Background())
	tape := &tape{folder: *folder, out: out}
	defer tape.stop()
	for event := range room.Events(ctx) {
		switch event.(type) {
		case noom.TrackAdded:
			tape.begin(room)
		case noom.PeerLeft:
			tape.stopWithout(room.Peers())
		}
	}
	return room.Err()
}
