// Package fifo has a queue whose array serves again and again: what is taken out leaves room for what comes.
package fifo

import "slices"

const keeps = 256 // items for which an empty queue keeps an array

// Queue holds items in the order in which they came. The zero Queue is empty.
type Queue[T any] struct {
	items []T
	head  int // where the first is
}

// Len returns how many items there are.
func (q *Queue[T]) Len() int { return len(q.items) - q.head }

// All returns the items, the first one first. The slice is valid until the next call of another method.
func (q *Queue[T]) All() []T { return q.items[q.head:] }

// Push adds an item as the last one.
func (q *Queue[T]) Push(item T) { q.items = append(q.items, item) }

// Pop takes the first item out. There has to be one.
func (q *Queue[T]) Pop() T {
	first := q.items[q.head]
	q.Drop(1)
	return first
}

// Drop takes the first n items out. There have to be so many.
func (q *Queue[T]) Drop(n int) {
	clear(q.items[q.head : q.head+n])
	q.head += n
	switch {
	case q.Len() > 0 && q.head > q.Len(): // so that an item is moved once at most, on average
		q.items, q.head = slices.Delete(q.items, 0, q.head), 0
	case q.Len() > 0:
	case cap(q.items) > keeps:
		q.items, q.head = nil, 0
	default:
		q.items, q.head = q.items[:0], 0
	}
}

// Filter takes out the items that keep refuses. keep is called with each of them, the first one first.
func (q *Queue[T]) Filter(keep func(T) bool) {
	q.items = slices.DeleteFunc(slices.Delete(q.items, 0, q.head), func(item T) bool { return !keep(item) })
	q.head = 0
}
