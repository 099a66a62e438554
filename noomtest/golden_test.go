package noomtest_test

import (
	"testing"

	"noom"
	"noom/noomtest"
	"noom/signal"
)

func TestGolden(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		w.Drop(noomtest.Frames{From: "bob", To: "alice", Type: signal.TypeAnswer, Nth: 1})
		alice := w.Join("lobby", &noom.Config{Name: "alice"})
		bob := w.Join("lobby", &noom.Config{Name: "bob", NoCard: true})
		w.Settle()
		for _, r := range []noom.Room{bob, alice} {
			if _, err := r.Publish(t.Context(), w.Camera(), nil); err != nil {
				t.Fatal(err)
			}
			w.Settle()
		}
		w.Golden("lost-answer")
	})
}
