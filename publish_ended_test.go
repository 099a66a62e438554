package noom_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
)

// device is a camera that can be unplugged.
type device struct {
	*webrtc.TrackLocalStaticSample
	done chan struct{}
	once sync.Once
	err  error
}

func newDevice(t *testing.T) *device {
	t.Helper()
	return &device{TrackLocalStaticSample: newTestCamera(t), done: make(chan struct{})}
}

func (d *device) Done() <-chan struct{} { return d.done }
func (d *device) Err() error            { return d.err }

func (d *device) unplug(err error) {
	d.once.Do(func() {
		d.err = err
		close(d.done)
	})
}

// endings takes the events up to now and returns how many sources ended.
func endings(t *testing.T, r noom.Room) (n int) {
	t.Helper()
	for _, e := range waiting(t, r) {
		if _, ok := e.(noom.SourceEnded); ok {
			n++
		}
	}
	return n
}

// TestUnpluggedCamera: a camera that is unplugged is an event, the call goes on, and another takes its
// place. One that has been replaced, or closed with its Sender, is no news.
func TestUnpluggedCamera(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		first, second, third := newDevice(t), newDevice(t), newDevice(t)
		for _, d := range []*device{first, second, third} {
			go film(ctx, d.TrackLocalStaticSample)
		}
		a := w.join("방", "하나", &noom.Config{Tracks: []noom.LocalTrack{{Track: first}}})
		b := w.join("방", "two", nil)
		receives(t, b, a.Self().ID, "camera")
		must(t, a.Senders()[0].ReplaceTrack(second))
		time.Sleep(time.Second)
		first.unplug(nil)
		if n := endings(t, a); n != 0 {
			t.Errorf("%d sources ended, though another had taken over", n)
		}
		gone := errors.New("gone")
		second.unplug(gone)
		if e := until[noom.SourceEnded](t, a, nil); e.Sender != a.Senders()[0] || !errors.Is(e.Err, gone) {
			t.Errorf("%v, %v", e.Sender, e.Err)
		}
		must(t, a.Senders()[0].ReplaceTrack(third))
		time.Sleep(time.Second)
		if err := flow(b.Peers()[0].Tracks()[0]); err != nil {
			t.Error(err)
		}
		alone := newDevice(t)
		alone.unplug(gone) // before it is published
		s, err := a.Peers()[0].Publish(ctx, alone, nil)
		must(t, err)
		if e := until[noom.SourceEnded](t, a, nil); e.Sender != s {
			t.Error("another sender")
		}
		must(t, a.Senders()[0].Close())
		third.unplug(gone)
		if n := endings(t, a); n != 0 {
			t.Errorf("%d sources ended, of a closed Sender", n)
		}
	})
}
