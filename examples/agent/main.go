// Command agent is the skeleton of a voice agent: it listens to everyone in a room, answers 300 ms after somebody has
// fallen silent, is silent at once when somebody speaks again, and knows how much of its answer was heard. In place of
// models it has an echo made of a tone, or of a file, and a recogniser that only measures.
//
//	espeak-ng -w answer.wav "I am listening."
//	go run ./examples/agent -room demo -answer answer.wav
package main

import (
	"context"
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
	answer := flags.String("answer", "", "a WAV file to answer with, mono, 16 bits, as espeak-ng -w writes it; none: a tone")
	pause := flags.Duration("pause", 300*time.Millisecond, "how much silence ends what somebody says, 100ms to 5s")
	if err := flags.Parse(args); err != nil {
		return err
	}
	reply := tone
	if *answer != "" {
		pcm, err := load(*answer)
		if err != nil {
			return fmt.Errorf("agent: -answer: %w", err)
		}
		reply = func(time.Duration) []int16 { return pcm }
	}
	a := &agent{
		pause: *pause, out: out, recognizer: stopwatch{},
		model: func() Realtime { return &parrot{reply: reply} },
	}
	return bot.Run(ctx, *config, bot.Handlers{
		Entered: func(ctx context.Context, room noom.Room) {
			if err := a.talk(ctx, room); err != nil {
				log.Println(err)
			}
		},
	})
}
