// Package brokenbot has bots with the mistakes that bots have. It is the code
// of somebody who uses noom, in a module of its own.
package brokenbot

import (
	"context"
	"sync"

	"noom"
)

// Greeter greets those who are in the room. It forgets those who come later.
func Greeter(ctx context.Context, d noom.Dialer, cfg *noom.Config) error {
	room, err := noom.Join(ctx, d, "lobby", cfg)
	if err != nil {
		return err
	}
	defer room.Leave(context.Background())
	for _, p := range room.Peers() {
		if err := room.Chat(ctx, "hello, "+p.Name()); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// Echo says again what is said. Its event loop hands the work to a queue that
// the loop itself works off: the second message that comes at once blocks it for ever.
func Echo(ctx context.Context, d noom.Dialer, cfg *noom.Config) error {
	room, err := noom.Join(ctx, d, "lobby", cfg)
	if err != nil {
		return err
	}
	defer room.Leave(context.Background())
	work := make(chan string, 1)
	for event := range room.Events(ctx) {
		if e, ok := event.(noom.ChatReceived); ok {
			work <- e.Text
			if e.Text != "wait" {
				room.Chat(ctx, <-work)
			}
		}
	}
	return nil
}

// Counter counts messages, and locks a mutex that it holds.
type Counter struct {
	mu sync.Mutex
	n  int
}

func (c *Counter) Run(ctx context.Context, d noom.Dialer, cfg *noom.Config) error {
	room, err := noom.Join(ctx, d, "lobby", cfg)
	if err != nil {
		return err
	}
	defer room.Leave(context.Background())
	for event := range room.Events(ctx) {
		if _, ok := event.(noom.ChatReceived); ok {
			c.mu.Lock()
			c.n++
			c.print()
			c.mu.Unlock()
		}
	}
	return nil
}

func (c *Counter) print() {
	c.mu.Lock()
	defer c.mu.Unlock()
	println(c.n)
}
