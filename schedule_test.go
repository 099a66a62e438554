package noom

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

var (
	schedules    = flag.Int("schedules", 30, "random schedules to run")
	scheduleSeed = flag.Uint64("schedule", 0, "run only the schedule with this seed")
)

// TestSchedules lets two to four members do random things at random times and
// then checks that everybody receives all that everybody publishes, and that
// every message arrived once and in order.
func TestSchedules(t *testing.T) {
	first, n := uint64(1), *schedules
	if *scheduleSeed != 0 {
		first, n = *scheduleSeed, 1
	}
	if testing.Short() {
		n = min(n, 5)
	}
	start := time.Now()
	for seed := first; seed < first+uint64(n); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) { runSchedule(t, w, seed) })
		})
		if t.Failed() {
			t.Fatalf("replay with: go test -run TestSchedules -schedule %d -v .", seed)
		}
	}
	t.Logf("%d schedules, %.1f a second", n, float64(n)/time.Since(start).Seconds())
}

// actor is one member of a schedule.
type actor struct {
	room    Room
	senders []Sender
	cameras []*webrtc.TrackLocalStaticSample
	sent    int // messages

	mu  sync.Mutex
	got map[string][]int // messages, by sender's id
}

func (a *actor) watch(ctx context.Context) {
	for e := range a.room.Events(ctx) {
		if d, ok := e.(DataReceived); ok {
			n, _ := strconv.Atoi(string(d.Data))
			a.mu.Lock()
			a.got[d.Peer.ID()] = append(a.got[d.Peer.ID()], n)
			a.mu.Unlock()
		}
	}
}

func runSchedule(t *testing.T, w *world, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log []string
	actors := make([]*actor, 2+rng.IntN(3))
	for i := range actors {
		r := w.join("데모", fmt.Sprint("member ", i), nil)
		actors[i] = &actor{room: r, got: make(map[string][]int)}
		go actors[i].watch(ctx)
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
	}
	for range 30 {
		i := rng.IntN(len(actors))
		what := actors[i].doSomething(ctx, t, rng)
		log = append(log, fmt.Sprintf("member %d: %s", i, what))
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
	}
	if err := settled(actors, 90*time.Second); err != nil {
		t.Fatalf("seed %d: %v, after\n  %s", seed, err, strings.Join(log, "\n  "))
	}
}

func (a *actor) doSomething(ctx context.Context, t *testing.T, rng *rand.Rand) string {
	r := a.room.(*room)
	links := r.peers()
	pick := func() *link { return links[rng.IntN(len(links))] }
	switch n := rng.IntN(10); {
	case n < 3 && len(a.senders) < 4:
		camera := newTestCamera(t)
		go film(ctx, camera)
		s, err := a.room.Publish(ctx, camera, &PublishOptions{Name: fmt.Sprint("track ", rng.IntN(1000))})
		if err != nil {
			t.Fatal(err)
		}
		a.senders, a.cameras = append(a.senders, s), append(a.cameras, camera)
		return "publish " + s.Name()
	case n == 3 && len(a.senders) > 0:
		i := rng.IntN(len(a.senders))
		name := a.senders[i].Name()
		if err := a.senders[i].Close(); err != nil {
			t.Fatal(err)
		}
		a.senders = slices.Delete(a.senders, i, i+1)
		a.cameras = slices.Delete(a.cameras, i, i+1)
		return "close " + name
	case n == 4 && len(a.senders) > 0:
		s := a.senders[rng.IntN(len(a.senders))]
		if err := s.SetMuted(!s.Muted()); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("mute %s %t", s.Name(), s.Muted())
	case n == 5 && len(a.senders) > 0:
		i := rng.IntN(len(a.senders))
		camera := newTestCamera(t)
		go film(ctx, camera)
		if err := a.senders[i].ReplaceTrack(camera); err != nil {
			t.Fatal(err)
		}
		return "replace " + a.senders[i].Name()
	case n == 6 && len(links) > 0:
		l := pick()
		if err := l.RestartICE(ctx); err != nil && !errors.Is(err, ErrNotConnected) {
			t.Fatal(err)
		}
		return "restart toward " + l.Name()
	case n == 7 && len(links) > 0:
		l := pick()
		l.mail.post(func() { l.fail(errors.New("asked to")) })
		return "rebuild toward " + l.Name()
	default:
		if len(links) == 0 {
			return "nothing"
		}
		// To all, whether connected or not, so that the count is the same for all.
		a.sent++
		for _, l := range links {
			if err := l.Send(ctx, fmt.Append(nil, a.sent)); err != nil {
				t.Fatal(err)
			}
		}
		return fmt.Sprint("send ", a.sent)
	}
}

// settled waits until everything is as it should be.
func settled(actors []*actor, patience time.Duration) (err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = wrong(actors); err == nil {
			return nil
		}
	}
	return err
}

// wrong says what is not as it should be.
func wrong(actors []*actor) error {
	for _, a := range actors {
		for _, b := range actors {
			if a == b {
				continue
			}
			p, ok := a.room.Peer(b.room.Self().ID)
			if !ok || p.State() != PeerConnected {
				return fmt.Errorf("%s is not connected to %s", a.room.Self().Name, b.room.Self().Name)
			}
			if err := sees(p, b.senders); err != nil {
				return fmt.Errorf("%s of %s: %w", a.room.Self().Name, b.room.Self().Name, err)
			}
			a.mu.Lock()
			got := slices.Clone(a.got[p.ID()])
			a.mu.Unlock()
			for i := range got {
				if got[i] != got[0]+i {
					return fmt.Errorf("%s got messages %v of %s", a.room.Self().Name, got, b.room.Self().Name)
				}
			}
			if len(got) > 0 && got[len(got)-1] != b.sent {
				return fmt.Errorf("%s got messages %v of %d of %s", a.room.Self().Name, got, b.sent, b.room.Self().Name)
			}
		}
	}
	return nil
}

func sees(p Peer, senders []Sender) error {
	tracks := p.Tracks()
	if len(tracks) != len(senders) {
		return fmt.Errorf("sees %d tracks of %d", len(tracks), len(senders))
	}
	for _, track := range tracks {
		i := slices.IndexFunc(senders, func(s Sender) bool { return s.(*sender).id == track.ID() })
		if i < 0 {
			return fmt.Errorf("sees %s, which is gone", track.Name())
		}
		if track.Muted() != senders[i].Muted() {
			return fmt.Errorf("%s: muted %t", track.Name(), track.Muted())
		}
		if !senders[i].Muted() && !flows(track.(*remoteTrack)) {
			return fmt.Errorf("nothing comes of %s", track.Name())
		}
	}
	return nil
}

// flows reports whether packets are arriving right now.
func flows(t *remoteTrack) bool {
	for range trackRing {
		t.mu.Lock()
		n := t.count
		t.mu.Unlock()
		if n == 0 {
			break
		}
		if _, err := t.ReadRTP(); err != nil {
			return false
		}
	}
	time.Sleep(100 * time.Millisecond)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count > 0
}
