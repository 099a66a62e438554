package pairtest

import (
	"fmt"
	"hash/maphash"
	"math"
	"strings"
)

// Result is what a search saw.
type Result struct {
	States, Events int
	Depth          int
	Marks          Mark   // situations that were reached
	Violation      error  // the first that was found; its text ends in a transcript
	Transcript     string // how it came about
}

// key stands for a state: 128 bits of a hash, so that two of a million states
// share one with a probability of 10⁻²⁷.
type key [2]uint64

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// visited is how a state was first reached.
type visited struct {
	from  int32
	event Event
}

// search is a search under way.
type search struct {
	cfg    *Config
	seen   map[key]struct{}
	rests  map[key]struct{} // states that are known to come to rest
	steps  []visited
	buffer []byte
}

// Search visits every state of a model, breadth first, and stops at the first
// violation or, unless it is 0, after so many states.
func Search(cfg *Config, limit int) Result {
	s := &search{cfg: cfg, seen: make(map[key]struct{}), rests: make(map[key]struct{})}
	start := New(cfg)
	s.steps = []visited{{from: -1}}
	s.seen[s.key(start)] = struct{}{}
	frontier := []*World{start}
	first := 0 // index in steps of the frontier's first
	var r Result
	var events []Event
	for len(frontier) > 0 {
		var next []*World
		for k, w := range frontier {
			frontier[k] = nil
			at := int32(first + k)
			if err := s.fair(w); err != nil {
				return s.violated(r, err, at, nil)
			}
			events = w.Events(events[:0])
			for _, ev := range events {
				c := w.clone()
				c.Do(ev)
				r.Events++
				r.Marks |= c.marks
				if c.err != nil {
					return s.violated(r, c.err, at, &ev)
				}
				id := s.key(c)
				if _, ok := s.seen[id]; ok {
					continue
				}
				s.seen[id] = struct{}{}
				s.steps = append(s.steps, visited{at, ev})
				next = append(next, c)
			}
			if limit > 0 && len(s.steps) > limit {
				r.States = len(s.steps)
				return r
			}
		}
		first += len(frontier)
		frontier = next
		r.Depth++
	}
	r.States = len(s.steps)
	return r
}

// fair checks that a fair world brings w to rest. The way there leads through
// states whose way is then known.
func (s *search) fair(w *World) error {
	id := s.key(w)
	if _, ok := s.rests[id]; ok {
		return nil
	}
	way := []key{id}
	c := w.clone()
	fair := settling{World: c}
	_, err := fair.run(func() bool {
		id := s.key(c)
		if _, ok := s.rests[id]; ok {
			return true
		}
		way = append(way, id)
		return false
	})
	if err == nil {
		for _, id := range way {
			s.rests[id] = struct{}{}
		}
	}
	return err
}

func (s *search) violated(r Result, err error, at int32, last *Event) Result {
	r.States = len(s.steps)
	var events []Event
	for k := at; s.steps[k].from >= 0; k = s.steps[k].from {
		events = append([]Event{s.steps[k].event}, events...)
	}
	settle := last == nil
	if !settle {
		events = append(events, *last)
	}
	r.Violation, r.Transcript = err, transcript(s.cfg, events, settle, false)
	return r
}

// transcript plays events and returns what a reader needs to follow them. With
// settle, the world then comes to rest as well as it can.
func transcript(cfg *Config, events []Event, settle, reverse bool) string {
	var b strings.Builder
	room := math.MaxInt
	w := New(cfg)
	w.script = func(line string) {
		if room--; room >= 0 {
			fmt.Fprintln(&b, line)
		}
	}
	for _, ev := range events {
		w.Do(ev)
	}
	if settle {
		w.tell("and then, with nothing new:")
		room = maxLines
		s := settling{World: w, reverse: reverse}
		if _, err := s.run(nil); err != nil && w.err == nil {
			fmt.Fprintln(&b, "!!", err)
		}
	}
	return b.String()
}

// maxLines of the way to rest are printed: one that leads nowhere repeats itself.
const maxLines = 120

// key hashes all that decides how w goes on.
func (s *search) key(w *World) key {
	s.buffer = w.encode(s.buffer[:0])
	return key{maphash.Bytes(seeds[0], s.buffer), maphash.Bytes(seeds[1], s.buffer)}
}
