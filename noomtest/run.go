package noomtest

import (
	"context"
	"flag"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
)

var patience = flag.Duration("noomtest.patience", 30*time.Second,
	"real time after which a test is given up whose virtual time stands still")

// Run runs f in a [World], inside a bubble of [testing/synctest]: time is
// virtual, it goes on only when every goroutine waits, and a minute passes in
// milliseconds. The t that f gets is the bubble's; t.Run, t.Parallel and
// t.Deadline do not work on it.
//
// Everything that f starts must end when f returns or t.Context ends.
// Rooms of [World.Join] are left then.
//
// A test that has failed keeps its transcript and a sequence diagram as files, in its artifacts
// with the flag -artifacts of go test, otherwise in a new folder for temporary files, and prints
// where. If connections have to do with it, both are printed too: if the kit has failed the
// test, as [World.Settle] and [Await] do, or if members were not connected when f ended. Otherwise, as
// after an assertion of your own, the last twenty lines before f ended are.
func Run(t *testing.T, f func(t *testing.T, w *World), opts ...Option) {
	t.Helper()
	run(t, newOptions(opts), f)
}

// bubble is what the goroutine outside knows of the one inside.
type bubble struct {
	t     *testing.T // outside; once the test is over, failing panics with the line
	world atomic.Pointer[World]
	ticks atomic.Int64 // seconds of virtual time
	id    atomic.Pointer[string]

	connections atomic.Bool // have to do with the failure
	until       string      // the transcript of a failed test when its function ended

	mu    sync.Mutex
	lines []string // said
}

// fail is t.Errorf from any goroutine, in or out of the bubble, once for each line.
func (b *bubble) fail(format string, args ...any) {
	b.t.Helper()
	line := fmt.Sprintf(format, args...)
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Contains(b.lines, line) {
		return
	}
	b.lines = append(b.lines, line)
	b.connections.Store(true)
	b.t.Error(line)
}

func run(t *testing.T, o *options, f func(t *testing.T, w *World)) {
	t.Helper()
	b := &bubble{t: t}
	over := make(chan any, 1)
	go func() {
		// Also when a failed test ends this goroutine.
		defer func() { over <- recover() }()
		synctest.Test(t, func(t *testing.T) { b.inside(t, o, f) })
	}()
	problem := b.watch(over)
	if problem != "" {
		b.fail("%s", problem)
	}
	if t.Failed() {
		b.report()
	}
	if t.Failed() {
		t.FailNow()
	}
}

// inside is the test in its bubble.
func (b *bubble) inside(t *testing.T, o *options, f func(t *testing.T, w *World)) {
	t.Helper()
	id := goroutineBubble()
	b.id.Store(&id)
	w, err := newWorld(t, o, b)
	if err != nil {
		t.Fatalf("noomtest: %v", err)
	}
	b.world.Store(w)
	go w.keepTime()
	t.Cleanup(func() { w.close() })
	defer func() { // also when f is left by t.FailNow
		if !t.Failed() {
			return
		}
		if b.until = w.transcript.String(); w.apart() {
			b.connections.Store(true)
		}
	}()
	f(t, w)
}

// keepTime ends a world that lasts too long, and reports to the outside that time goes on.
func (w *World) keepTime() {
	for time.Since(w.began) < w.options.limit {
		select {
		case <-time.After(time.Second):
			w.bubble.ticks.Add(1)
		case <-w.gone:
			return
		}
	}
	w.fail("the test has not ended after %v of virtual time: something it waits for never happens, or raise WithLimit", w.options.limit)
	w.close()
}

// watch waits for the end of the bubble and returns what was wrong with it.
func (b *bubble) watch(over <-chan any) string {
	ticker := time.NewTicker(max(*patience/20, time.Millisecond))
	defer ticker.Stop()
	last, since := int64(-1), time.Now()
	for {
		select {
		case e := <-over:
			err, _ := e.(error)
			switch {
			case e == nil:
				return ""
			case err == nil || !strings.HasPrefix(err.Error(), "deadlock:"):
				panic(e)
			}
			return "noomtest: goroutines of the test never end: let them return when t.Context ends or the Room is closed\n" +
				stacks(*b.id.Load(), false)
		case <-ticker.C:
			if now := b.ticks.Load(); now != last {
				last, since = now, time.Now()
			}
			if time.Since(since) > *patience {
				id := b.id.Load()
				if id == nil {
					continue
				}
				return fmt.Sprintf("noomtest: virtual time has stood still for %v of real time: a goroutine computes without end, or waits in a way "+
					"that a bubble cannot see: for a mutex, a file, the real network or a channel made outside Run%s\n%s",
					*patience, blame(stacks(*id, true)), stacks(*id, true))
			}
		}
	}
}

// blame says so if it was none of the test's doing.
func blame(stacks string) string {
	if strings.Contains(stacks, "webrtc.(*SCTPTransport).onClose") {
		return " (here pion does: two ends of a connection were closed at one instant; let a millisecond pass between the two)"
	}
	return ""
}

// close ends the world: first what the test has begun, then the network.
func (w *World) close() {
	w.closing.Do(func() {
		var leaving sync.WaitGroup
		w.mu.Lock()
		rooms, sources := slices.Clone(w.rooms), slices.Clone(w.sources)
		w.mu.Unlock()
		for _, r := range rooms {
			leaving.Go(func() { _ = r.Leave(context.Background()) })
		}
		for _, s := range sources {
			_ = s.Close()
		}
		leaving.Wait()
		w.endRooms()
		for _, line := range w.faults.missed() {
			w.fail("%s", line)
		}
		w.mu.Lock()
		w.ended = true
		w.mu.Unlock()
		for _, h := range w.hubs {
			h.kill()
		}
		for _, h := range w.hosts {
			h.breakLines(errNoWorld)
		}
		if w.turn != nil {
			_ = w.turn.server.Close()
		}
		if err := w.net.stop(); err != nil {
			w.fail("stopping the network: %v", err)
		}
		close(w.gone)
	})
}

// endRooms ends the Rooms that other code has joined and not left, and says so.
func (w *World) endRooms() {
	open := func() (list []*session) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, s := range w.order {
			if !s.over {
				list = append(list, s)
			}
		}
		return list
	}
	wait := func(d time.Duration) bool {
		for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
			w.pause()
			if len(open()) == 0 {
				return true
			}
		}
		return false
	}
	if wait(3 * time.Second) {
		return
	}
	w.mu.Lock()
	w.ended = true // a redial is refused for good
	w.mu.Unlock()
	for _, s := range open() {
		w.fail("the room %q that %s joined is still open: its code must call Leave when it is done, at the latest when t.Context ends", s.room, s.host.name)
		w.note("%s is thrown out of %q", s.host.name, s.room)
		s.line.down.put(signal.Message{Type: signal.TypeBye, From: s.id, Reason: signal.ReasonClosed}, 0)
	}
	wait(30 * time.Second)
}

// Goroutines.

var bubbleName = regexp.MustCompile(`synctest bubble \d+`)

// goroutineBubble returns the name of the bubble it is called in, as stacks have it.
func goroutineBubble() string {
	text := make([]byte, 256)
	return bubbleName.FindString(string(text[:runtime.Stack(text, false)]))
}

// stacks returns the stacks of a bubble's goroutines, at most 12 of them.
// frozen leaves out those that wait in a way that lets time go on.
func stacks(bubble string, frozen bool) string {
	text := make([]byte, 4<<20)
	text = text[:runtime.Stack(text, true)]
	var list []string
	for stack := range strings.SplitSeq(string(text), "\n\n") {
		header, _, _ := strings.Cut(stack, "\n")
		if strings.Contains(header, bubble+"]") && !strings.Contains(stack, "synctest.Run(") &&
			(!frozen || !strings.Contains(header, "durable")) {
			list = append(list, stack)
		}
	}
	if len(list) > 12 {
		list = append(list[:12], fmt.Sprintf("(%d more)", len(list)-12))
	}
	return strings.Join(list, "\n\n")
}
