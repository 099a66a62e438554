package noom

import (
	"slices"
	"testing"
	"time"
)

// epoch0 is when a room of these tests began.
var epoch0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestAdmissionMesh: who enters a room of 16 waits for nobody.
func TestAdmissionMesh(t *testing.T) {
	a := newAdmission[int]()
	for i := range 15 {
		a.ask(i)
	}
	if turn, again := a.next(epoch0); len(turn) != 15 || again != 0 {
		t.Errorf("%v at once, and again in %v", turn, again)
	}
}

// TestAdmissionChurn: of thousands who come and go, few are built for, in the order
// in which they came, and who stays has its turn.
func TestAdmissionChurn(t *testing.T) {
	a := newAdmission[int]()
	built, now := 0, epoch0
	for i := range 10_000 {
		a.ask(i)
		turn, _ := a.next(now)
		built += len(turn)
		a.done(i)
		now = now.Add(time.Millisecond)
	}
	if built > admitBurst+10*admitRate+1 {
		t.Errorf("%d connections for newcomers of 10 s", built)
	}
	for i := range 200 {
		a.ask(i)
		a.ask(i)
	}
	var order []int
	for range 1000 {
		turn, again := a.next(now)
		order = append(order, turn...)
		if len(a.open) > admitPlaces {
			t.Fatalf("%d at once", len(a.open))
		}
		if again == 0 {
			break
		}
		now = now.Add(again)
	}
	if len(order) != 200 || !slices.IsSorted(order) {
		t.Errorf("%d of 200 had their turn: %v", len(order), order)
	}
	if since := now.Sub(epoch0); since > 60*time.Second {
		t.Errorf("where none comes up, 200 take %v", since)
	}
}
