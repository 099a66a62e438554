package noomtest_test

import (
	"testing"
	"time"

	"noom"
	"noom/noomtest"
)

// TestNoLatency: a network without any is no trap either.
func TestNoLatency(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		_, sink := call(t, w)
		w.Settle()
		if err := sink.Check(5, time.Second); err != nil {
			t.Error(err)
		}
		w.Join("데모", &noom.Config{Name: "carol"})
		w.Settle()
	}, noomtest.WithLatency(0), noomtest.WithLoss(0.02))
}
