package fanout

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pion/webrtc/v4"

	"noom/internal/mediatest"
)

// imitator is a follower whose answer the test gives.
type imitator struct {
	*mediatest.DeviceCamera
	mu      sync.Mutex
	silent  bool
	next    func() webrtc.TrackLocal // called by Follow; nil: there is none
	changed chan struct{}
}

func newImitator() *imitator {
	return &imitator{DeviceCamera: mediatest.NewDeviceCamera(), changed: make(chan struct{})}
}

func (i *imitator) Follow() (silent bool, next webrtc.TrackLocal, changed <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.next != nil {
		next = i.next()
	}
	return i.silent, next, i.changed
}

// answer makes what f sets the answer from now on.
func (i *imitator) answer(f func()) {
	i.mu.Lock()
	f()
	close(i.changed)
	i.changed = make(chan struct{})
	i.mu.Unlock()
	synctest.Wait()
}

// TestFollower: a sender is as silent as what its track follows, each change is reported once, and it goes on with the
// track that the follower names, unless it was given another one in that very moment.
func TestFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		news := 0
		changed := func(want int) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if news != want {
				t.Errorf("%d changes were reported, want %d", news, want)
			}
			news = 0
		}
		first, second := newImitator(), newImitator()
		s, err := NewSender(first, Options{}, Hooks{OnClose: func() {}, OnChange: func() {
			mu.Lock()
			defer mu.Unlock()
			news++
		}})
		must(t, err)
		defer func() { _ = s.Close() }()
		synctest.Wait()
		changed(0)
		for _, silent := range []bool{true, true, false} {
			first.answer(func() { first.silent = silent })
			if s.Silent() != silent {
				t.Errorf("silent: %v, want %v", s.Silent(), silent)
			}
		}
		changed(2)

		second.silent = true
		first.answer(func() { first.next = func() webrtc.TrackLocal { return second } })
		if s.Track() != webrtc.TrackLocal(second) || !s.Silent() {
			t.Errorf("it goes on with %v, silent: %v", s.Track(), s.Silent())
		}

		third := mediatest.NewDeviceCamera()
		second.answer(func() {
			second.next = func() webrtc.TrackLocal {
				must(t, s.ReplaceTrack(third))
				return mediatest.NewDeviceCamera()
			}
		})
		if s.Track() != webrtc.TrackLocal(third) || s.Silent() {
			t.Errorf("the follower has replaced what was given: %v, silent: %v", s.Track(), s.Silent())
		}
	})
}
