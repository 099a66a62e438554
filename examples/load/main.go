// Command load fills a room: it joins as many peers as you like, each sending a test pattern and a
// tone to all others, and prints what arrives.
//
//	go run ./examples/load -room demo -peers 8
package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"noom/examples/bot"
)

func main() { bot.Main(run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags, call := bot.Flags("load")
	peers := flags.Int("peers", 4, "how many peers join")
	every := flags.Duration("every", time.Second, "how often statistics are printed")
	if err := bot.Parse(flags, args, out); err != nil {
		return err
	}
	if *peers < 1 || *every <= 0 {
		return &bot.UsageError{Bot: "load", Text: "-peers must be at least 1 and -every above 0"}
	}
	crowd := &crowd{}
	defer crowd.leave()
	for i := range *peers {
		if err := crowd.join(ctx, *call, i+1); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(*every):
			_, _ = fmt.Fprintln(out, crowd.statistics())
		}
	}
	return nil
}
