package repair

import (
	"slices"
	"testing"
	"time"
)

var start = time.Unix(1_000_000, 0)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

// ask checks what is asked for at a time.
func ask(t *testing.T, l *losses, ms int, want ...uint16) {
	t.Helper()
	if got := l.due(at(ms), nil); !slices.Equal(got, want) {
		t.Errorf("after %d ms: asked for %v, want %v", ms, got, want)
	}
}

func TestAsksTwice(t *testing.T) {
	var l losses
	l.came(65534, at(0))
	l.came(1, at(0)) // 65535 and 0 are missing
	ask(t, &l, 5)    // they may be late
	ask(t, &l, 20, 65535, 0)
	ask(t, &l, 100)
	l.came(0, at(150)) // late after all
	ask(t, &l, 220, 65535)
	ask(t, &l, 500)
	ask(t, &l, 5000)
	if len(l.missing) != 0 {
		t.Errorf("waits for %v", l.missing)
	}
}

func TestRepairedIsNotAskedForAgain(t *testing.T) {
	var l losses
	l.came(1, at(0))
	l.came(3, at(0))
	ask(t, &l, 20, 2)
	l.repaired(2, at(420))
	ask(t, &l, 440)
	// The answer took 400 ms, so the next one is given 600.
	l.came(5, at(1000))
	ask(t, &l, 1020, 4)
	ask(t, &l, 1500)
	ask(t, &l, 1620, 4)
	l.repaired(7, at(1700)) // nobody misses it
	l.repaired(4, at(1700))
	ask(t, &l, 9000)
}

func TestABreakIsNoLoss(t *testing.T) {
	var l losses
	l.came(1, at(0))
	l.came(3, at(0))
	l.came(4000, at(0))
	ask(t, &l, 100)
	l.came(4000+maxMissing, at(0))
	l.came(4000+2*maxMissing, at(0))
	if n := len(l.due(at(100), nil)); n != maxMissing {
		t.Errorf("asks for %d packets at once, want %d", n, maxMissing)
	}
	l.came(10, at(200)) // far back
	ask(t, &l, 9000)
}
