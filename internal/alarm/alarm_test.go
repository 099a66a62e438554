package alarm

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// bell is an Alarm that notes when it rings.
type bell struct {
	*Alarm
	began time.Time
	rang  []time.Duration
	takes time.Duration // each ring
	next  []time.Duration
}

func newBell(takes time.Duration, next ...time.Duration) *bell {
	b := &bell{began: time.Now(), takes: takes, next: next}
	b.Alarm = New(func() (again time.Duration) {
		b.rang = append(b.rang, time.Since(b.began))
		time.Sleep(b.takes)
		if len(b.next) > 0 {
			again, b.next = b.next[0], b.next[1:]
		}
		return again
	})
	return b
}

// want waits, closes and compares when it rang, in seconds.
func (b *bell) want(t *testing.T, seconds ...float64) {
	t.Helper()
	time.Sleep(time.Minute)
	b.Close()
	var got []float64
	for _, at := range b.rang {
		got = append(got, at.Seconds())
	}
	if !slices.Equal(got, seconds) {
		t.Errorf("it rang at %v, want %v", got, seconds)
	}
}

// TestRingsWhenSet: as often as the function says, and not when it was to ring before it was set again.
func TestRingsWhenSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(0, 2*time.Second, time.Second)
		b.Set(time.Second)
		b.want(t, 1, 3, 4)

		b = newBell(0)
		b.Set(3 * time.Second)
		b.Set(2 * time.Second)
		time.Sleep(time.Second)
		b.Set(5 * time.Second)
		b.want(t, 6)

		b = newBell(0)
		b.Set(0)
		time.Sleep(10 * time.Second)
		b.Set(time.Second)
		b.want(t, 0, 11)

		newBell(0).want(t)
	})
}

// TestSetWhileItRings: that counts, and not what the function returns. Two never ring at once.
func TestSetWhileItRings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(4*time.Second, 10*time.Second)
		b.Set(time.Second)
		time.Sleep(2 * time.Second)
		b.Set(time.Second)
		b.want(t, 1, 5)

		b = newBell(4 * time.Second)
		b.Set(time.Second)
		time.Sleep(2 * time.Second)
		b.Set(7 * time.Second)
		b.want(t, 1, 9)
	})
}

// TestCloseWaits: until the ring is over, and nothing rings later.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell(4*time.Second, time.Second)
		b.Set(time.Second)
		time.Sleep(2 * time.Second)
		b.Close()
		if since := time.Since(b.began); since != 5*time.Second {
			t.Errorf("Close returned after %v, want 5s", since)
		}
		b.Set(time.Second)
		b.Close()
		b.want(t, 1)

		b = newBell(0)
		b.Set(time.Second)
		b.Close()
		b.want(t)
	})
}

// TestNoObjects: setting and ringing makes none.
func TestNoObjects(t *testing.T) {
	rang := make(chan struct{}, 1)
	a := New(func() time.Duration { rang <- struct{}{}; return 0 })
	defer a.Close()
	if n := testing.AllocsPerRun(100, func() {
		a.Set(time.Microsecond)
		<-rang
	}); n >= 1 {
		t.Errorf("%v objects a ring", n)
	}
}
