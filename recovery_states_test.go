package noom_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"noom"
	"noom/internal/link"
)

// TestEveryStateTakesEverything does each thing a user can do in each state a
// connection can be in, as the web platform tests do for one connection:
// whatever it was, the pair ends up with all it asked for.
func TestEveryStateTakesEverything(t *testing.T) {
	type pair struct {
		w    *world
		a, b noom.Room
	}
	fail := func(r noom.Room) {
		for _, p := range r.Peers() {
			breakUp(p)
		}
	}
	states := map[string]func(t *testing.T, p pair){
		"first offer on its way": func(*testing.T, pair) { time.Sleep(time.Millisecond) },
		"checking":               func(*testing.T, pair) { time.Sleep(35 * time.Millisecond) },
		"stable":                 func(*testing.T, pair) { time.Sleep(5 * time.Second) },
		"offer outstanding": func(t *testing.T, p pair) {
			time.Sleep(5 * time.Second)
			if _, err := p.a.Publish(t.Context(), newTestCamera(t), nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		},
		"offers wanted by both": func(t *testing.T, p pair) {
			time.Sleep(5 * time.Second)
			for _, r := range []noom.Room{p.a, p.b} {
				if _, err := r.Publish(t.Context(), newTestCamera(t), nil); err != nil {
					t.Fatal(err)
				}
			}
		},
		"restarting": func(t *testing.T, p pair) {
			time.Sleep(5 * time.Second)
			for _, r := range []noom.Room{p.a, p.b} {
				if err := r.Peers()[0].RestartICE(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		},
		"interrupted": func(_ *testing.T, p pair) {
			time.Sleep(5 * time.Second)
			p.w.Cut()
			time.Sleep(5 * time.Second)
		},
		"failed": func(_ *testing.T, p pair) {
			time.Sleep(5 * time.Second)
			p.w.Cut()
			time.Sleep(25 * time.Second)
		},
		"given up by one": func(_ *testing.T, p pair) { time.Sleep(5 * time.Second); fail(p.a) },
		"given up by both": func(_ *testing.T, p pair) {
			time.Sleep(5 * time.Second)
			fail(p.a)
			fail(p.b)
			time.Sleep(20 * time.Millisecond)
		},
	}
	actions := map[string]func(t *testing.T, p pair) (check func()){
		"publish": func(t *testing.T, p pair) func() {
			ctx, stop := context.WithCancel(t.Context())
			for range 3 {
				camera := newTestCamera(t)
				go film(ctx, camera)
				if _, err := p.b.Publish(ctx, camera, &noom.PublishOptions{Name: "late"}); err != nil {
					t.Fatal(err)
				}
			}
			return func() { receives(t, p.a, p.b.Self().ID, "late"); stop() }
		},
		"publish and close": func(t *testing.T, p pair) func() {
			s, err := p.b.Publish(t.Context(), newTestCamera(t), nil)
			if err != nil || s.Close() != nil {
				t.Fatal(err)
			}
			return func() {}
		},
		"restart": func(t *testing.T, p pair) func() {
			err := p.b.Peers()[0].RestartICE(t.Context())
			if err != nil && !errors.Is(err, noom.ErrNotConnected) {
				t.Fatal(err)
			}
			return func() {}
		},
		"send": func(t *testing.T, p pair) func() {
			if err := p.b.Peers()[0].Send(t.Context(), []byte("보냄")); err != nil {
				t.Fatal(err)
			}
			return func() { until(t, p.a, func(e noom.DataReceived) bool { return string(e.Data) == "보냄" }) }
		},
		"ask": func(t *testing.T, p pair) func() {
			must(t, p.a.Handle("거울", mirrors))
			answer := make(chan error, 1)
			go func() {
				_, err := p.b.Peers()[0].Ask(t.Context(), "거울", make([]byte, 100_000))
				answer <- err
			}()
			return func() { must(t, <-answer) }
		},
		"open a channel": func(t *testing.T, p pair) func() {
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			defer stop()
			c, err := p.b.Peers()[0].OpenChannel(ctx, "x", nil)
			if err == nil {
				_ = c.Close()
			} else if !errors.Is(err, noom.ErrNotConnected) && !errors.Is(err, noom.ErrChannelLost) && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			return func() {}
		},
	}
	for state, reach := range states {
		for action, do := range actions {
			t.Run(action+" when "+state, func(t *testing.T) {
				inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
					p := pair{w: w}
					p.a, p.b = w.join("r", "a", nil), w.join("r", "b", nil)
					reach(t, p)
					check := do(t, p)
					time.Sleep(time.Millisecond)
					p.w.Heal()
					check()
					time.Sleep(20 * time.Second)
					reached(t, p.a, p.b)
				})
			})
		}
		t.Run("leave when "+state, func(t *testing.T) {
			inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
				p := pair{w: w}
				p.a, p.b = w.join("r", "a", nil), w.join("r", "b", nil)
				reach(t, p)
				start := time.Now()
				if err := p.b.Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("leaving took %v", took)
				}
				if e := until[noom.PeerLeft](t, p.a, nil); e.Reason != noom.ReasonLeft {
					t.Fatalf("got %+v", e)
				}
			})
		})
	}
}

// reached checks that both are connected and that data goes both ways.
func reached(t *testing.T, a, b noom.Room) {
	t.Helper()
	for _, dir := range [][2]noom.Room{{a, b}, {b, a}} {
		if s := dir[0].Peers()[0].State(); s != noom.PeerConnected {
			t.Fatalf("%s: %s", dir[0].Self().Name, s)
		}
		reach(t, dir[0], dir[1])
	}
}

// TestRestartAtBothEnds: a restart that the other end's has met is asked for no longer.
func TestRestartAtBothEnds(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "a", nil), w.join("방", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		time.Sleep(5 * time.Second)
		ends := []noom.Peer{peerOf(t, a, b), peerOf(t, b, a)}
		for _, p := range ends {
			must(t, p.RestartICE(t.Context()))
		}
		time.Sleep(5 * time.Second)
		for _, p := range ends {
			asks := false
			inspect(p, func(in link.Inside) { asks = in.Machine.State().Asked })
			if asks || p.State() != noom.PeerConnected {
				t.Errorf("toward %s, %s, a restart is still asked for", p.Name(), p.State())
			}
		}
	})
}
