package connection

import (
	"sync"

	"noom/internal/packet"
)

// Reports reads the RTCP of one connection. pion's interceptors, and ours among them, work only while it is read of each
// sender and receiver. A goroutine for each would wait nearly all of the time; here one reads while there is something to
// read. Its methods may be called from anywhere. The zero Reports is ready.
type Reports struct {
	spawn func(func()) // Set before the first add.

	mu      sync.Mutex // a leaf lock: nothing outside is called while it is held
	sources map[uint32]*reportSource
}

// reportSource is a source on which the peer reports: one of ours, or one of its own.
type reportSource struct {
	run     func()                 // Immutable. Reads what waits.
	read    func(buf []byte) error // reads one packet; nil: there is nobody yet who does
	number  int                    // of that reader, among those that there were
	waiting int                    // packets that were not read
	reading bool                   // a goroutine does
}

// Arrived is called when a packet about a source can be read.
func (r *Reports) Arrived(source uint32) {
	s, begins := r.note(source, func(s *reportSource) { s.waiting++ })
	if begins {
		r.spawn(s.run)
	}
}

// add has read called for each packet about a source, those that wait included, and not what was added before.
func (r *Reports) add(source uint32, read func(buf []byte) error) (remove func()) {
	number := 0
	s, begins := r.note(source, func(s *reportSource) {
		s.number++
		number, s.read = s.number, read
	})
	if begins {
		r.spawn(s.run)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if s.number == number && r.sources[source] == s {
			delete(r.sources, source)
		}
	}
}

// note notes something of a source, and reports whether a goroutine has to read it now.
func (r *Reports) note(source uint32, what func(*reportSource)) (s *reportSource, begins bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s = r.sources[source]; s == nil {
		if r.sources == nil {
			r.sources = make(map[uint32]*reportSource)
		}
		s = new(reportSource)
		s.run = func() { r.run(s) }
		r.sources[source] = s
	}
	what(s)
	begins = s.waiting > 0 && s.read != nil && !s.reading
	s.reading = s.reading || begins
	return s, begins
}

// buffers are what packets are read into, one for each goroutine that reads.
var buffers = sync.Pool{New: func() any { return new([packet.ReceiveMTU]byte) }}

// run reads a source until nothing waits.
func (r *Reports) run(s *reportSource) {
	buf := buffers.Get().(*[packet.ReceiveMTU]byte)
	defer buffers.Put(buf)
	r.mu.Lock()
	defer r.mu.Unlock()
	for s.waiting > 0 {
		s.waiting--
		read := s.read
		r.mu.Unlock()
		_ = read(buf[:]) // an error means that the source has ended, and nothing arrives any longer
		r.mu.Lock()
	}
	s.reading = false
}
