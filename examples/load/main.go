// Command load fills a room: it joins as many peers as you like, each sending a test pattern and a
// tone to all others, and prints what arrives.
//
//	go run ./examples/load -room demo -peers 8
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"

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
	peers := flags.Int("peers", 4, "how many peers join")
	every := flags.Duration("every", time.Second, "how often statistics are printed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *peers < 1 || *every <= 0 {
		return errors.New("load: -peers must be at least 1 and -every above 0")
	}
	ctx, end := context.WithCancelCause(ctx)
	crowd := &crowd{end: end, rooms: make(map[int]noom.Room)}
	defer crowd.members.Wait()
	for i := range *peers {
		crowd.add(ctx, *config, i+1)
	}
	for {
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
				return cause
			}
			return nil
		case <-time.After(*every):
			_, _ = fmt.Fprintln(out, crowd.statistics())
		}
	}
}
