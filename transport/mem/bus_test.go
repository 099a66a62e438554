package mem_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom/transport/mem"
)

// A listener notes what an end hears.
type listener struct {
	mu    sync.Mutex
	heard []string
}

func (l *listener) hear(data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, string(data))
}

func listen(t *testing.T, e *mem.BusEnd, subjects ...string) *listener {
	t.Helper()
	l := &listener{}
	for _, subject := range subjects {
		if _, err := e.Subscribe(subject, l.hear); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func publish(t *testing.T, e *mem.BusEnd, subject string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := e.Publish(subject, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *listener) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.heard, want) {
		t.Errorf("heard %q, want %q", l.heard, want)
	}
	l.heard = nil
}

func TestBusCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		a, b, c := bus.Join(), bus.Join(), bus.Join()
		all, one := listen(t, b, "beat", "to.b"), listen(t, c, "beat")
		own := listen(t, a, "beat")
		publish(t, a, "beat", "1")
		publish(t, a, "to.b", "2")
		publish(t, a, "beat", "3")
		publish(t, a, "to.nobody", "4")
		all.expect(t, "1", "2", "3")
		one.expect(t, "1", "3")
		own.expect(t, "1", "3")
	})
}

func TestBusKeepsNoBytesOfTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		a, b := bus.Join(), bus.Join()
		heard := listen(t, b, "x")
		data := []byte("before")
		if err := a.Publish("x", data); err != nil {
			t.Fatal(err)
		}
		copy(data, "after.")
		heard.expect(t, "before")
	})
}

// What comes of each publisher is in order, whatever is lost.
func TestBusLosesAndKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		bus.Lose(0.3, 1)
		a, b := bus.Join(), bus.Join()
		heard := listen(t, b, "x")
		for i := range 1000 {
			publish(t, a, "x", fmt.Sprintf("%04d", i))
		}
		synctest.Wait()
		if n := len(heard.heard); n < 600 || n > 800 {
			t.Errorf("%d of 1000 came, a share of 0.3 was to be lost", n)
		}
		if !slices.IsSorted(heard.heard) || len(slices.Compact(slices.Clone(heard.heard))) != len(heard.heard) {
			t.Error("out of order, or twice")
		}
	})
}

func TestBusDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		a, b := bus.Join(), bus.Join()
		heard := listen(t, b, "x")
		bus.Delay(time.Second)
		publish(t, a, "x", "1")
		bus.Delay(0)
		publish(t, a, "x", "2")
		time.Sleep(time.Second - time.Millisecond)
		heard.expect(t)
		time.Sleep(time.Millisecond)
		heard.expect(t, "1", "2")
	})
}

func TestBusCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		a, b := bus.Join(), bus.Join()
		atA, atB := listen(t, a, "to.a"), listen(t, b, "to.b")
		bus.Cut(a, b)
		publish(t, a, "to.b", "1")
		publish(t, b, "to.a", "2")
		atB.expect(t)
		atA.expect(t, "2")
		bus.Heal()
		publish(t, a, "to.b", "3")
		atB.expect(t, "3")
	})
}

func TestBusCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		a, b := bus.Join(), bus.Join()
		atA, atB := listen(t, a, "x"), listen(t, b, "x")
		a.CutOff()
		if err := a.Publish("x", nil); !errors.Is(err, mem.ErrCutOff) {
			t.Errorf("published: %v", err)
		}
		if _, err := a.Subscribe("y", func([]byte) {}); !errors.Is(err, mem.ErrCutOff) {
			t.Errorf("subscribed: %v", err)
		}
		publish(t, b, "x", "1")
		atA.expect(t)
		atB.expect(t, "1")
		bus.Heal()
		publish(t, a, "x", "2")
		atA.expect(t, "2")
		atB.expect(t, "2")
	})
}

// A subscriber that hangs holds up nobody else, and what waits for it is bounded.
func TestBusNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		a, b, c := bus.Join(), bus.Join(), bus.Join()
		release, heard := make(chan struct{}), 0
		if _, err := b.Subscribe("x", func([]byte) { heard++; <-release }); err != nil {
			t.Fatal(err)
		}
		other := listen(t, c, "x")
		publish(t, a, "x", "first")
		other.expect(t, "first")
		const more = 70_000
		for range more {
			publish(t, a, "x", "")
		}
		close(release)
		synctest.Wait()
		if heard < 60_000 || heard >= more {
			t.Errorf("the one that hung hears %d", heard)
		}
	})
}

func TestBusCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		a, b := bus.Join(), bus.Join()
		heard := listen(t, b, "x")
		var cancel func()
		count := 0
		cancel, err := b.Subscribe("x", func([]byte) {
			count++
			cancel()
		})
		if err != nil {
			t.Fatal(err)
		}
		publish(t, a, "x", "1", "2")
		heard.expect(t, "1", "2")
		if count != 1 {
			t.Errorf("called %d times", count)
		}
	})
}

// A subscriber may cancel another one that the same message would reach.
func TestBusCancelsOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		a, b := bus.Join(), bus.Join()
		var cancel func()
		if _, err := b.Subscribe("x", func([]byte) { cancel() }); err != nil {
			t.Fatal(err)
		}
		late := &listener{}
		cancel, _ = b.Subscribe("x", late.hear)
		publish(t, a, "x", "1")
		late.expect(t)
	})
}

// An end that is closed hears nothing, not even what was on its way.
func TestBusEndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		a, b := bus.Join(), bus.Join()
		release, heard := make(chan struct{}), &listener{}
		if _, err := b.Subscribe("x", func(data []byte) { heard.hear(data); <-release }); err != nil {
			t.Fatal(err)
		}
		publish(t, a, "x", "1", "2")
		heard.expect(t, "1")
		b.Close()
		b.Close()
		close(release)
		publish(t, a, "x", "3")
		heard.expect(t)
		if err := b.Publish("x", nil); !errors.Is(err, mem.ErrCutOff) {
			t.Errorf("published: %v", err)
		}
	})
}

// It does not wait for what is delayed either.
func TestBusEndLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		bus.Delay(time.Hour)
		a, b := bus.Join(), bus.Join()
		heard := listen(t, b, "x")
		before := runtime.NumGoroutine()
		publish(t, a, "x", "1")
		synctest.Wait()
		b.Close()
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > before {
			t.Errorf("%d goroutines, %d before", n, before)
		}
		heard.expect(t)
	})
}

func TestBusProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus mem.Bus
		one, two := bus.Join(), bus.Join()
		heard := listen(t, two, "a")
		absent := 0
		probe := func(want int) {
			t.Helper()
			if err := one.Probe("a", func() { absent++ }); err != nil {
				t.Fatal(err)
			}
			if synctest.Wait(); absent != want {
				t.Errorf("%d times nobody was there, want %d", absent, want)
			}
		}
		probe(0)
		two.CutOff()
		probe(1)
		bus.Heal()
		probe(1)
		two.Close()
		probe(2)
		heard.expect(t) // nothing
		one.CutOff()
		if err := one.Probe("a", nil); !errors.Is(err, mem.ErrCutOff) {
			t.Errorf("cut off: %v", err)
		}
	})
}
