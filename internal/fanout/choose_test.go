package fanout

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom/internal/mediatest"
)

// TestPausedLeg: nothing is sent, no encoder is asked, and it goes on with a key frame, at the
// time that the clock says.
func TestPausedLeg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		camera := mediatest.NewDeviceCamera()
		s := publishTrack(t, camera)
		l, wire := boundLeg(t, s)
		l.Connected()
		var number uint32
		want := mediatest.Show(t, camera, &number, 3, true)
		before := wire.headers()
		asked, _, _ := camera.Asked()
		l.Choose(Paused)
		l.requestKeyframe()
		mediatest.Show(t, camera, &number, 20, true)
		l.requestKeyframe()
		l.Connected()
		if a, _, _ := camera.Asked(); a != asked || !l.Paused() || l.Pauses() != 1 {
			t.Errorf("asked %d times for a key frame while paused; paused %v, %d times", a-asked, l.Paused(), l.Pauses())
		}
		l.Choose(0)
		if a, _, _ := camera.Asked(); a != asked+1 {
			t.Errorf("asked %d times for a key frame after the pause", a-asked)
		}
		mediatest.Show(t, camera, &number, 2, false)
		want = append(want, mediatest.Show(t, camera, &number, 2, true)...)
		after := wire.headers()
		if got := wire.frames(t); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
		step := after[len(before)].Timestamp - before[0].Timestamp
		if want := uint32(25 * mediatest.FrameTime.Milliseconds() * 90); step != want {
			t.Errorf("timestamps move by %d over the pause, want %d", step, want)
		}
	})
}

// TestPauseDropsTheQueue: what is queued when a leg is paused is not sent.
func TestPauseDropsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		camera := mediatest.NewDeviceCamera()
		s := publishTrack(t, camera)
		l, wire := boundLeg(t, s)
		wire.slow = make(chan struct{})
		var number uint32
		mediatest.Show(t, camera, &number, 3, true)
		l.Choose(Paused)
		close(wire.slow)
		if n := len(wire.headers()); n != 1 { // it was being written
			t.Errorf("%d packets", n)
		}
		must(t, s.Close())
	})
}

// TestLegAboveItsShare: its peer's requests wait until it no longer is, and its own do not.
func TestLegAboveItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cameras := publishEncodings(t, 2)
		l, _ := boundLeg(t, s)
		l.Connected()
		var number uint32
		mediatest.Show(t, cameras[0], &number, 30, true)
		asked, _, _ := cameras[0].Asked()
		l.SetAboveShare(true)
		for range 10 {
			l.requestKeyframe()
			time.Sleep(keyframeInterval)
		}
		if a, _, _ := cameras[0].Asked(); a != asked {
			t.Errorf("%d requests of a leg above its share", a-asked)
		}
		must(t, s.SetOpen(1, true))
		l.Choose(1)
		if a, _, _ := cameras[1].Asked(); a == 0 {
			t.Error("the chosen encoding was not asked")
		}
		l.Choose(0)
		mediatest.Show(t, cameras[0], &number, 30, true)
		asked, _, _ = cameras[0].Asked()
		l.requestKeyframe()
		l.SetAboveShare(false)
		if a, _, _ := cameras[0].Asked(); a != asked+1 {
			t.Errorf("%d requests after it, want 1", a-asked)
		}
	})
}

// TestQueuedKeyframeServesALostPacket: a packet is lost whose key frame is queued already. The
// stream goes on with that, and needs no further one.
func TestQueuedKeyframeServesALostPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		camera := mediatest.NewDeviceCamera()
		s := publishTrack(t, camera)
		_, wire := boundLeg(t, s)
		wire.slow, wire.down = make(chan struct{}), true
		var number uint32
		mediatest.Show(t, camera, &number, 1, true)
		mediatest.Show(t, camera, &number, 1, true)
		wire.slow <- struct{}{}
		synctest.Wait()
		wire.down = false
		close(wire.slow)
		mediatest.Show(t, camera, &number, 2, false)
		if got, want := wire.frames(t), []uint32{2, 3, 4}; !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
	})
}

// TestSenderForgetsItsLegs: whatever the order in which a leg is attached and detached at
// once, the sender has it once, or no longer.
func TestSenderForgetsItsLegs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishTrack(t, mediatest.NewDeviceCamera())
		for range 300 {
			l := legOf(s)
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() { l.Attach(s) })
				wg.Go(l.Detach)
			}
			wg.Wait()
			l.Attach(s)
			if s.addLeg(l); len(s.legs) != 1 { // as two calls of Attach at once may do
				t.Fatalf("attached, it is there %d times", len(s.legs))
			}
			wg.Go(func() { l.Attach(s) })
			wg.Go(l.Detach)
			wg.Wait()
			l.Detach()
			if len(s.legs) != 0 {
				t.Fatalf("detached, it is there %d times", len(s.legs))
			}
		}
	})
}
