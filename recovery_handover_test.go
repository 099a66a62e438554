package noom_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/internal/link"
	"noom/internal/recovery"
	"noom/signal"
)

// inCall runs f for two members in a call, each filming for the other, whose
// hub then goes away for good.
func inCall(t *testing.T, f func(t *testing.T, a, b noom.Room)) {
	t.Helper()
	inWorld(t, 25*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var rooms []noom.Room
		for _, name := range []string{"지우", "민서"} {
			camera := newTestCamera(t)
			go film(ctx, camera)
			rooms = append(rooms, w.join("데모", name, &noom.Config{Tracks: []noom.LocalTrack{{Name: "camera", Track: camera}}}))
		}
		a, b := rooms[0], rooms[1]
		receives(t, a, b.Self().ID, "camera")
		receives(t, b, a.Self().ID, "camera")
		w.Hub().Kill()
		time.Sleep(time.Second)
		f(t, a, b)
	})
}

// TestNewPathWithoutHub: with the hub gone for good, a pair moves to a new
// connection; no data is lost or doubled, no picture stops, and then it
// negotiates on.
func TestNewPathWithoutHub(t *testing.T) {
	for _, who := range []string{"one", "both at once"} {
		t.Run(who, func(t *testing.T) {
			inCall(t, func(t *testing.T, a, b noom.Room) {
				p, q := peerOf(t, a, b), peerOf(t, b, a)
				before := p.Connection()
				longest := longestPause(p.Tracks()[0])
				saw := watch(t, b)
				moved := p.RestartICE(t.Context())
				if who != "one" {
					moved = errors.Join(moved, q.RestartICE(t.Context()))
				}
				if moved != nil {
					t.Fatal(moved)
				}
				for i := range 100 {
					if err := p.Send(t.Context(), fmt.Append(nil, i)); err != nil {
						t.Fatal(err)
					}
					time.Sleep(30 * time.Millisecond)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if len(saw.data) != 100 {
					t.Fatalf("%d messages arrived", len(saw.data))
				}
				for i, got := range saw.data {
					if got != fmt.Sprint(i) {
						t.Fatalf("message %d is %s", i, got)
					}
				}
				if p.Connection() == before {
					t.Error("no new connection was made")
				}
				if len(saw.states) > 0 {
					t.Errorf("states went through %v", saw.states)
				}
				if pause := longest(); pause > 200*time.Millisecond {
					t.Errorf("no packet for %v", pause)
				}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				camera := newTestCamera(t)
				go film(ctx, camera)
				if _, err := a.Publish(t.Context(), camera, &noom.PublishOptions{Name: "화면"}); err != nil {
					t.Fatal(err)
				}
				receives(t, b, a.Self().ID, "화면")
			})
		})
	}
}

// TestMovesInARow: a member that moves again while the old connection still lingers
// keeps it until the newest is up, because there is no other way to signal that.
func TestMovesInARow(t *testing.T) {
	inCall(t, func(t *testing.T, a, b noom.Room) {
		p := peerOf(t, a, b)
		if err := p.RestartICE(t.Context()); err != nil {
			t.Fatal(err)
		}
		for lingers := false; !lingers; time.Sleep(10 * time.Millisecond) {
			inspect(p, func(in link.Inside) { lingers = in.Pending(recovery.Linger) })
		}
		time.Sleep(800 * time.Millisecond) // of the second that it lingers
		saw, theirs := watch(t, a), watch(t, b)
		before := p.Connection()
		if err := p.RestartICE(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.Send(t.Context(), []byte("still here")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if p.Connection() == before {
			t.Error("no new connection was made")
		}
		if states := append(saw.states, theirs.states...); len(states) > 0 || len(theirs.data) != 1 {
			t.Errorf("states went through %v, and %d messages arrived", states, len(theirs.data))
		}
		left := 0
		inspect(p, func(in link.Inside) { left = len(in.Old) })
		if left > 0 {
			t.Errorf("%d old connections are still there", left)
		}
	})
}

// TestMoveThatFails: the new connection does not come up, so the old one goes
// on, and the next try succeeds.
func TestMoveThatFails(t *testing.T) {
	inCall(t, func(t *testing.T, a, b noom.Room) {
		p, q := peerOf(t, a, b), peerOf(t, b, a)
		if err := p.RestartICE(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(60 * time.Millisecond) // the offer has arrived, the answer has not
		reachable := false
		inspect(p, func(in link.Inside) { in.Fail(errors.New("asked to")); reachable = in.Machine.Reachable() })
		if !reachable {
			t.Fatal("the old connection was given up with the new one")
		}
		if err := q.Send(t.Context(), []byte("still here")); err != nil {
			t.Fatal(err)
		}
		until[noom.DataReceived](t, a, nil)
		time.Sleep(5 * time.Second)
		moved := false
		inspect(p, func(in link.Inside) {
			moved = in.Current != nil && in.Machine.Up(in.Current.Number) && len(in.Old) == 0
		})
		if !moved {
			t.Error("no new connection came up")
		}
	})
}

// TestGoodbyeWithoutHub: a member that leaves says so in-band.
func TestGoodbyeWithoutHub(t *testing.T) {
	inCall(t, func(t *testing.T, a, b noom.Room) {
		start := time.Now()
		if err := b.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := until[noom.PeerLeft](t, a, nil); e.Reason != signal.ReasonLeft {
			t.Errorf("left as %q", e.Reason)
		}
		if took := time.Since(start); took >= noom.PatienceAtParting { // it did not arrive
			t.Errorf("took %v", took)
		}
	})
}

// TestRestartWithoutAnything: neither a hub nor a connection.
func TestRestartWithoutAnything(t *testing.T) {
	inCall(t, func(t *testing.T, a, b noom.Room) {
		p := peerOf(t, a, b)
		inspect(p, func(in link.Inside) { in.Machine.Restarted() })
		if err := p.RestartICE(t.Context()); !errors.Is(err, noom.ErrNoHub) {
			t.Errorf("got %v", err)
		}
	})
}

// seen is what a room reported. It may be read after synctest.Wait.
type seen struct {
	states []noom.PeerState
	data   []string
}

// watch takes r's events from now on, without those that are there.
func watch(t *testing.T, r noom.Room) *seen {
	s := &seen{}
	drained, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	for range r.Events(drained) {
	}
	go func() {
		for e := range r.Events(context.Background()) {
			switch e := e.(type) {
			case noom.PeerStateChanged:
				s.states = append(s.states, e.State)
			case noom.DataReceived:
				s.data = append(s.data, string(e.Data))
			}
		}
	}()
	return s
}

// longestPause reads a track from now on and returns a function that says the longest
// time between two packets since.
func longestPause(track noom.RemoteTrack) func() time.Duration {
	var longest time.Duration
	last := time.Now()
	go func() {
		for range track.Packets() {
			longest = max(longest, time.Since(last))
			last = time.Now()
		}
	}()
	return func() time.Duration {
		synctest.Wait()
		return max(longest, time.Since(last))
	}
}
