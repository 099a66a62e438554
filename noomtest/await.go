package noomtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"noom"
)

// Await takes events of r until one is an E that match accepts, and returns
// that; a nil match accepts each. After a virtual minute it fails the test
// and says what came instead.
func Await[E noom.Event](w *World, r noom.Room, match func(E) bool) E {
	w.t.Helper()
	w.alive("Await")
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	var zero E
	var came []string
	for {
		e, err := r.Next(ctx)
		if err != nil {
			instead := "nothing came"
			if len(came) > 0 {
				instead = "there came " + strings.Join(came, ", ")
			}
			w.bubble.connections.Store(true)
			w.note("%s has waited for %T in vain", r.Self().Name, zero)
			w.t.Fatalf("noomtest: %s waits for %T: %v; %s", r.Self().Name, zero, err, instead)
		}
		if e, ok := e.(E); ok && (match == nil || match(e)) {
			return e
		}
		came = append(came, strings.TrimPrefix(fmt.Sprintf("%T", e), "noom."))
	}
}
