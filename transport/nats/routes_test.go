package nats_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"noom/transport/nats"
	"noom/transport/nats/embed"
)

// A witness is a log that waits for one line.
type witness struct {
	slog.Handler
	of   string
	once sync.Once
	seen chan struct{}
}

func newWitness(of string) *witness {
	return &witness{Handler: slog.DiscardHandler, of: of, seen: make(chan struct{})}
}

func (w *witness) Enabled(context.Context, slog.Level) bool { return true }

func (w *witness) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, w.of) {
		w.once.Do(func() { close(w.seen) })
	}
	return nil
}

// TestNothingOldOverRoutes: two servers give up the route between them within seconds, and what was sent into it is lost.
func TestNothingOldOverRoutes(t *testing.T) {
	stale := []*witness{newWitness("Stale Connection"), newWitness("Stale Connection")}
	first := start(t, embed.Options{ClusterListen: "127.0.0.1:0", Secret: secret, Logger: slog.New(stale[0])})
	p := newProxy(t, first.ClusterAddr().String())
	second := start(t, embed.Options{ClusterListen: "127.0.0.1:0", Cluster: []string{p.address()}, Secret: secret, Logger: slog.New(stale[1])})
	here, err := first.Dial(nats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(here.Close)
	there, err := second.Dial(nats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(there.Close)
	heard := hear(t, there, "a")
	meet(t, here, "a", heard)

	p.cut(false)
	for range 10 {
		if err := here.Publish("a", []byte("old")); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range stale {
		<-w.seen
	}
	p.heal()
	until(t, "there is a route again", func() bool { return first.Routes() == 1 && second.Routes() == 1 })
	until(t, "something comes", func() bool {
		_ = here.Publish("a", []byte("new"))
		return len(heard) > 0
	})
	if got := next(t, heard); got != "new" {
		t.Errorf("%q comes after the cut", got)
	}
}
