//go:build unix

package browsertest

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// Tests have browsers a few at a time, whatever their package is, and as often as they like while they have.
func TestTurns(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var now, ever atomic.Int32
	t.Run("all", func(t *testing.T) {
		for i := range 3 * most() {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				takeTurn(t)
				takeTurn(t)
				if n := now.Add(1); int(n) > most() {
					t.Errorf("%d have a turn", n)
				}
				ever.Add(1)
				<-time.After(20 * time.Millisecond)
				now.Add(-1)
			})
		}
	})
	if n := int(ever.Load()); n != 3*most() {
		t.Errorf("%d tests had their turn", n)
	}
}
