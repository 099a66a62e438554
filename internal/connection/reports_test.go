package connection

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// wire is RTCP that waits to be read, as pion's buffers have it.
type wire struct {
	reports *Reports
	spawned int // goroutines

	mu      sync.Mutex
	waiting map[uint32][]int
	ended   bool
}

func newWire() *wire {
	w := &wire{reports: new(Reports), waiting: make(map[uint32][]int)}
	w.reports.spawn = func(f func()) { w.spawned++; go f() }
	return w
}

// arrive has a packet about a source arrive.
func (w *wire) arrive(source uint32, n int) {
	w.mu.Lock()
	w.waiting[source] = append(w.waiting[source], n)
	w.mu.Unlock()
	w.reports.Arrived(source)
}

// reader returns what reads a source into list, and takes that long for a packet.
func (w *wire) reader(t *testing.T, source uint32, list *[]int, takes time.Duration) func([]byte) error {
	return func([]byte) error {
		time.Sleep(takes)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.ended {
			return errors.New("closed")
		}
		if len(w.waiting[source]) == 0 {
			t.Fatalf("%d is read while nothing waits: pion would block", source)
		}
		*list = append(*list, w.waiting[source][0])
		w.waiting[source] = w.waiting[source][1:]
		return nil
	}
}

// of returns what was read into list.
func (w *wire) of(list *[]int) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(*list)
}

// TestReportsAreReadAsTheyCome: each is read once and in order, those that came before there was a reader too. A source whose
// reader takes its time has no other wait, and nothing has a goroutine while nothing comes.
func TestReportsAreReadAsTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		var slow, fast []int
		for n := range 3 {
			w.arrive(1, n)
		}
		w.reports.add(1, w.reader(t, 1, &slow, time.Second))
		w.reports.add(2, w.reader(t, 2, &fast, 0))
		synctest.Wait()
		for n := range 5 {
			w.arrive(1, 3+n)
			w.arrive(2, n)
			synctest.Wait()
			if soon, later := w.of(&fast), w.of(&slow); len(soon) != n+1 || len(later) != 0 {
				t.Errorf("%v and %v were read at once", soon, later)
			}
		}
		time.Sleep(time.Minute)
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7}; !slices.Equal(w.of(&slow), want) || !slices.Equal(w.of(&fast), want[:5]) {
			t.Errorf("%v and %v were read", w.of(&slow), w.of(&fast))
		}
		if w.spawned != 6 {
			t.Errorf("%d goroutines", w.spawned)
		}
		w.arrive(1, 8)
		time.Sleep(time.Minute)
		if len(w.of(&slow)) != 9 {
			t.Error("nothing is read after a pause")
		}
	}) // which fails if a goroutine waits
}

// TestReportsOfWhatEnds: what waited is forgotten, and a source that comes again is read by its new reader.
func TestReportsOfWhatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		var before, after []int
		remove := w.reports.add(1, w.reader(t, 1, &before, 0))
		w.arrive(1, 0)
		synctest.Wait()
		removeNext := w.reports.add(1, w.reader(t, 1, &after, 0))
		remove() // comes late
		w.arrive(1, 1)
		synctest.Wait()
		removeNext()
		if len(w.reports.sources) != 0 {
			t.Errorf("%d sources are kept", len(w.reports.sources))
		}
		w.reports.add(1, w.reader(t, 1, &after, 0))
		w.arrive(1, 2)
		synctest.Wait()
		w.ended = true
		w.arrive(1, 3)
		synctest.Wait()
		if !slices.Equal(w.of(&before), []int{0}) || !slices.Equal(w.of(&after), []int{1, 2}) {
			t.Errorf("%v and %v were read", w.of(&before), w.of(&after))
		}
	})
}
