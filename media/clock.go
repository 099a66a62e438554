package media

import "sync"

// origin is what the tracks of one sender have in common: its clock, and streams of tracks that are
// over, because a member that comes back continues where it was.
type origin struct {
	readers int // tracks that are being read; guarded by the Recording's mu

	kin kin // of the goroutine in run

	mu      sync.Mutex
	retired map[streamKey]*stream
}

type streamKey struct{ track, codec string }

// stream returns the stream in which a track of that name and codec is written.
func (o *origin) stream(track, title string, f recordFormat) *stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := streamKey{track, f.codec}
	s := o.retired[key]
	if s == nil {
		return &stream{name: title, format: f}
	}
	delete(o.retired, key)
	return s
}

func (o *origin) retire(track string, s *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.retired) < maxGone {
		o.retired[streamKey{track, s.format.codec}] = s
	}
}
