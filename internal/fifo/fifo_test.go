package fifo

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestQueue compares a Queue with a slice, and looks for what the Queue still holds of items that were taken out.
func TestQueue(t *testing.T) {
	var q Queue[int]
	var model []int
	for i := range 100_000 {
		switch r := rand.IntN(1000); {
		case r < 480:
			q.Push(i)
			model = append(model, i)
		case r < 800 && len(model) > 0:
			if got := q.Pop(); got != model[0] {
				t.Fatalf("took %d out, want %d", got, model[0])
			}
			model = model[1:]
		case r < 998:
			n := rand.IntN(min(len(model), 3) + 1)
			q.Drop(n)
			model = model[n:]
		case r < 999:
			q.Filter(func(item int) bool { return item%3 > 0 })
			model = slices.DeleteFunc(slices.Clone(model), func(item int) bool { return item%3 == 0 })
		default:
			q.Drop(len(model))
			model = nil
		}
		if !slices.Equal(q.All(), model) || q.Len() != len(model) {
			t.Fatalf("%v, want %v", q.All(), model)
		}
		for at, item := range q.items[:cap(q.items)] {
			if item != 0 && (at < q.head || at >= len(q.items)) {
				t.Fatalf("%d is held", item)
			}
		}
	}
}

// TestArrayServesAgain: a queue that does not grow allocates nothing.
func TestArrayServesAgain(t *testing.T) {
	for _, rest := range []int{0, 10, 1000} {
		var q Queue[*int]
		for range rest {
			q.Push(nil)
		}
		turn := func() {
			q.Push(nil)
			q.Pop()
		}
		for range 10 * (rest + 1) {
			turn()
		}
		if got := testing.AllocsPerRun(1000, turn); got > 0 {
			t.Errorf("%v allocations for each item behind %d others", got, rest)
		}
	}
}
