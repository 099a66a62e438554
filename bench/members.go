package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/rtp"
)

const (
	meshTimeout = time.Minute            // for a mesh to stand
	firstsEvery = 100 * time.Millisecond // how often a source sends something until then
	afterwards  = 500 * time.Millisecond // for what is under way when it stands
)

// A mesh is the members of one room. Each sends two tracks to every other.
type mesh struct {
	task    meshTask
	sources []source

	arrived atomic.Int64  // packets
	missing atomic.Int64  // packets, by their numbers, that others came after
	tracks  atomic.Int64  // those of which one has arrived
	stands  chan struct{} // closed when that is all of them
	failed  chan error    // holds the first failure
	paused  atomic.Int64

	// Of a process of one member; nil in one of all.
	entered chan timeline  // gets one when the member is in the room; a nil one if nobody keeps it
	begun   chan time.Time // gets when the first packet came
}

// beMembers is all members of a room, measures itself and prints the result.
func beMembers(task string) error {
	m := &mesh{stands: make(chan struct{}), failed: make(chan error, 1)}
	if err := json.Unmarshal([]byte(task), &m.task); err != nil {
		return err
	}
	stop, err := startProfile()
	if err != nil {
		return err
	}
	r, err := m.measure()
	if err != nil {
		return err
	}
	stop()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// ends is how many ends of connections there are.
func (m *mesh) ends() int { return m.task.Members * (m.task.Members - 1) }

func (m *mesh) measure() (meshResult, error) {
	for range m.task.Members {
		s, err := newSource()
		if err != nil {
			return meshResult{}, err
		}
		m.sources = append(m.sources, s)
	}
	r := meshResult{Ends: m.ends()}
	before, began := measureSelf(), time.Now()
	if err := m.setUp(); err != nil {
		return meshResult{}, err
	}
	r.Wall, r.CPU = time.Since(began), cpuOfSelf()-before.cpu
	time.Sleep(afterwards)
	after := measureSelf()
	r.Heap, r.Goroutines = after.heap-before.heap, after.goroutines-before.goroutines
	if err := writeProfiles(); err != nil {
		return meshResult{}, err
	}
	if m.task.Media > 0 {
		m.media(&r)
	}
	select {
	case err := <-m.failed:
		return meshResult{}, err
	default:
		return r, nil
	}
}

// joinMesh are the kinds of members: each joins, and stays until the hub is gone.
var joinMesh = map[string]func(m *mesh, number int) error{"noom": joinNoom, "pion": joinPion, "pion-data": joinPionData}

// setUp has all members join at once, and returns when each has a packet of every track of every other.
func (m *mesh) setUp() error {
	join := joinMesh[m.task.Kind]
	if join == nil {
		return fmt.Errorf("no members %q", m.task.Kind)
	}
	for i := range m.task.Members {
		go func() {
			if err := join(m, i); err != nil {
				m.fail(fmt.Errorf("member %d: %w", i, err))
			}
		}()
	}
	ticks := time.NewTicker(firstsEvery)
	defer ticks.Stop()
	late := time.After(meshTimeout)
	for {
		select {
		case <-ticks.C:
			for _, s := range m.sources {
				if err := errors.Join(s.sound(), s.picture(0)); err != nil {
					return err
				}
			}
		case <-m.stands:
			return nil
		case err := <-m.failed:
			return err
		case <-late:
			return fmt.Errorf("after %v, %d of %d tracks have begun", meshTimeout, m.tracks.Load(), 2*m.ends())
		}
	}
}

// media has all members send, and counts.
func (m *mesh) media(r *meshResult) {
	before, began, packets := measureSelf(), time.Now(), m.arrived.Load()
	var sent atomic.Int64
	var busy sync.WaitGroup
	for i, s := range m.sources {
		busy.Go(func() {
			time.Sleep(time.Duration(i) * soundEvery / time.Duration(len(m.sources))) // not all at one moment
			n, err := s.send(m.task.Media)
			if err != nil {
				m.fail(err)
			}
			sent.Add(int64(n * (m.task.Members - 1)))
		})
	}
	busy.Wait()
	r.Length, r.MediaCPU, r.Delivered = time.Since(began), cpuOfSelf()-before.cpu, m.arrived.Load()-packets
	r.Mallocs = mallocs() - before.mallocs
	r.Sent, r.PausedBySenders = sent.Load(), m.paused.Load()
	for range 30 { // for what is on its way
		if r.Arrived = m.arrived.Load() - packets; r.Arrived >= r.Sent {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	r.Missing = m.missing.Load()
}

// read takes a track's packets until it ends.
func (m *mesh) read(next func() (*rtp.Packet, error)) {
	var numbers sequence
	for first := true; ; first = false {
		p, err := next()
		if err != nil {
			return
		}
		if first {
			m.begin()
		}
		m.arrived.Add(1)
		m.missing.Add(numbers.take(p.SequenceNumber))
		if first && m.tracks.Add(1) == int64(2*m.ends()) {
			close(m.stands)
		}
	}
}

// enter says that a member is in the room, if anybody listens.
func (m *mesh) enter(t timeline) {
	select {
	case m.entered <- t:
	default:
	}
}

// begin says that a track has, if anybody listens.
func (m *mesh) begin() {
	select {
	case m.begun <- time.Now():
	default: // or if another was first
	}
}

// A sequence is the numbers of a track's packets.
type sequence struct {
	begun bool
	last  uint16
}

// take returns how many more are missing with a packet of that number: fewer, if it comes late.
func (s *sequence) take(number uint16) int64 {
	if !s.begun {
		s.begun, s.last = true, number
		return 0
	}
	ahead := int16(number - s.last)
	if ahead <= 0 {
		return -1
	}
	s.last = number
	return int64(ahead) - 1
}

func (m *mesh) fail(err error) {
	select {
	case m.failed <- err:
	default: // another was first
	}
}

// A usage is what this process has used, and uses.
type usage struct {
	cpu        time.Duration
	heap       int64
	mallocs    int64
	goroutines int
}

// measureSelf collects garbage first.
func measureSelf() usage {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return usage{cpuOfSelf(), int64(s.HeapAlloc), int64(s.Mallocs), runtime.NumGoroutine()}
}

func mallocs() int64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.Mallocs)
}

// cpuOfSelf is this process's time, user and system, to the microsecond.
func cpuOfSelf() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no reason to
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// writeProfiles writes those of the heap and of the goroutines beside the CPU's, if that was asked for.
func writeProfiles() error {
	path := os.Getenv(profileVar)
	if path == "" {
		return nil
	}
	for _, name := range []string{"heap", "goroutine"} {
		f, err := os.Create(path + "." + name)
		if err != nil {
			return err
		}
		if err := errors.Join(pprof.Lookup(name).WriteTo(f, 0), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
