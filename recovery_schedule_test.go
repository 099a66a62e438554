package noom_test

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
	"sync/atomic"
	"testing"
	"time"

	"noom"
	"noom/internal/fanout"
	"noom/internal/longtest"
	"noom/noomtest"
)

var (
	schedules    = flag.Int("schedules", 5, "random schedules to run; eight times as many if long tests are asked for")
	scheduleSeed = flag.Uint64("schedule", 0, "run only the schedule with this seed")
)

// TestSchedules lets two to five members do random things at random times, over
// a network and a hub to which random things happen, and then checks that
// everybody receives all that everybody publishes, and that every message
// arrived once and in order.
func TestSchedules(t *testing.T) {
	first, n := uint64(1), *schedules
	if *scheduleSeed != 0 {
		first, n = *scheduleSeed, 1
	}
	if longtest.Asked() {
		n *= 8
	}
	start := time.Now()
	for seed := first; seed < first+uint64(n); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			loss := rand.New(rand.NewPCG(seed, 1)).IntN(4) // percent
			inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) { runSchedule(t, w, loss) },
				noomtest.WithSeed(seed), noomtest.WithLoss(float64(loss)/100))
		})
		if t.Failed() {
			t.Fatalf("replay with: go test -run TestSchedules -schedule %d -v .", seed)
		}
	}
	t.Logf("%d schedules, %.1f a second", n, float64(n)/time.Since(start).Seconds())
}

// slowly is how often a schedule's cameras have a frame: there are many, and
// hours of virtual time.
const slowly = 200 * time.Millisecond

// actor is one member of a schedule.
type actor struct {
	name    string // of its host, too
	room    noom.Room
	senders []noom.Sender
	count   int              // messages
	sent    map[string][]int // those that were taken for a peer, by its id

	mu  sync.Mutex
	got map[string][]int // by sender's id
}

func (a *actor) watch(ctx context.Context) {
	for e := range a.room.Events(ctx) {
		switch e := e.(type) {
		case noom.DataReceived:
			n, _ := strconv.Atoi(string(e.Data))
			a.mu.Lock()
			a.got[e.Peer.ID()] = append(a.got[e.Peer.ID()], n)
			a.mu.Unlock()
		case noom.ChannelOpened:
			go echoes(ctx, e.Channel)
		}
	}
}

// echoes sends back what comes.
func echoes(ctx context.Context, c noom.Channel) {
	for {
		data, err := c.Receive(ctx)
		if err != nil || c.Send(ctx, data) != nil {
			return
		}
	}
}

func runSchedule(t *testing.T, w *world, loss int) {
	rng := w.Rand()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log []string
	actors := make([]*actor, 2+rng.IntN(4))
	for i := range actors {
		a := &actor{name: fmt.Sprint("member ", i), sent: make(map[string][]int), got: make(map[string][]int)}
		actors[i] = a
		a.room = w.join("데모", a.name, nil)
		go a.watch(ctx)
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
	}
	offline := &away{world: w, hosts: make(map[string]bool)}
	for range 30 {
		i := rng.IntN(len(actors))
		what := ""
		switch rng.IntN(14) {
		case 0:
			pause := time.Duration(rng.IntN(12_000)) * time.Millisecond
			w.CutSignaling(actors[i].name)
			healing := time.AfterFunc(pause, func() { w.HealSignaling(actors[i].name) })
			defer healing.Stop()
			what = fmt.Sprintf("no hub for %v", pause)
		case 1:
			pause := time.Duration(rng.IntN(25_000)) * time.Millisecond
			offline.set(actors[i].name, true)
			healing := time.AfterFunc(pause, func() { offline.set(actors[i].name, false) })
			defer healing.Stop()
			what = fmt.Sprintf("no network for %v", pause)
		case 2:
			w.Hub().Restart()
			what = "the hub is killed and started again, empty"
		default:
			what = actors[i].doSomething(ctx, t, rng)
		}
		log = append(log, fmt.Sprintf("%v member %d: %s", w.Elapsed(), i, what))
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		if rng.IntN(10) == 0 {
			time.Sleep(time.Duration(rng.IntN(20_000)) * time.Millisecond)
		}
	}
	acted := w.Elapsed()
	defer func() {
		t.Logf("%d members: %v of doing, %v of settling", len(actors), acted, w.Elapsed()-acted)
	}()
	if err := settled(actors, 3*time.Minute); err != nil {
		t.Fatalf("seed %d, %d %% loss: %v, after\n  %s", w.Seed(), loss, err, strings.Join(log, "\n  "))
	}
}

// away is which hosts are cut off from the network. Healing one of two leaves the other cut off.
type away struct {
	world *world
	mu    sync.Mutex
	hosts map[string]bool
}

func (a *away) set(host string, is bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hosts[host] = is
	a.world.Heal()
	for h, is := range a.hosts {
		if is {
			a.world.Cut(h)
		}
	}
}

func (a *actor) doSomething(ctx context.Context, t *testing.T, rng *rand.Rand) string {
	links := a.room.Peers()
	pick := func() noom.Peer { return links[rng.IntN(len(links))] }
	switch n := rng.IntN(10); {
	case n < 3 && len(a.senders) < 4:
		camera := newTestCamera(t)
		go filmEvery(ctx, camera, slowly)
		s, err := a.room.Publish(ctx, camera, &noom.PublishOptions{Name: fmt.Sprint("track ", rng.IntN(1000))})
		if err != nil {
			t.Fatal(err)
		}
		a.senders = append(a.senders, s)
		return "publish " + s.Name()
	case n == 3 && len(a.senders) > 0:
		i := rng.IntN(len(a.senders))
		name := a.senders[i].Name()
		if err := a.senders[i].Close(); err != nil {
			t.Fatal(err)
		}
		a.senders = slices.Delete(a.senders, i, i+1)
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
		go filmEvery(ctx, camera, slowly)
		if err := a.senders[i].ReplaceTrack(camera); err != nil {
			t.Fatal(err)
		}
		return "replace " + a.senders[i].Name()
	case n == 6 && len(links) > 0:
		l := pick()
		if err := l.RestartICE(ctx); err != nil && !errors.Is(err, noom.ErrNotConnected) && !errors.Is(err, noom.ErrNoHub) && !errors.Is(err, noom.ErrClosed) {
			t.Fatal(err)
		}
		return "restart toward " + l.Name()
	case n == 7 && len(links) > 0:
		l := pick()
		breakUp(l)
		return "rebuild toward " + l.Name()
	case n == 8 && len(links) > 0:
		l := pick()
		open, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		c, err := l.OpenChannel(open, "파일", nil)
		if err != nil {
			return fmt.Sprintf("open channel to %s: %v", l.Name(), err)
		}
		defer func() { _ = c.Close() }()
		for i := range 5 {
			_ = c.Send(open, fmt.Append(nil, i)) // what it lost shows below
		}
		for i := range 5 {
			data, err := c.Receive(open)
			if err != nil {
				return fmt.Sprintf("channel to %s: %v", l.Name(), err)
			}
			if string(data) != fmt.Sprint(i) {
				t.Errorf("channel to %s: got %s, want %d", l.Name(), data, i)
			}
		}
		return "channel to " + l.Name()
	default:
		a.count++
		for _, l := range links {
			if err := l.Send(ctx, fmt.Append(nil, a.count)); err == nil {
				a.sent[l.ID()] = append(a.sent[l.ID()], a.count)
			} else if !errors.Is(err, noom.ErrClosed) {
				t.Fatal(err)
			}
		}
		return fmt.Sprint("send ", a.count)
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
	var flowing []noom.RemoteTrack
	for _, a := range actors {
		for _, b := range actors {
			if a == b {
				continue
			}
			p, ok := a.room.Peer(b.room.Self().ID)
			if !ok || p.State() != noom.PeerConnected {
				return fmt.Errorf("%s is not connected to %s", a.room.Self().Name, b.room.Self().Name)
			}
			tracks, err := sees(p, b.senders)
			if err != nil {
				return fmt.Errorf("%s of %s: %w", a.room.Self().Name, b.room.Self().Name, err)
			}
			flowing = append(flowing, tracks...)
			a.mu.Lock()
			got := slices.Clone(a.got[p.ID()])
			a.mu.Unlock()
			if want := b.sent[a.room.Self().ID]; !slices.Equal(got, want) {
				return fmt.Errorf("%s got messages %v of %s, which sent %v", a.room.Self().Name, got, b.room.Self().Name, want)
			}
		}
	}
	return flow(flowing...)
}

// sees checks p's tracks against the senders at the other end and returns
// those of which packets must come.
func sees(p noom.Peer, senders []noom.Sender) (flowing []noom.RemoteTrack, err error) {
	tracks := p.Tracks()
	if len(tracks) != len(senders) {
		return nil, fmt.Errorf("sees %d tracks of %d", len(tracks), len(senders))
	}
	for _, track := range tracks {
		i := slices.IndexFunc(senders, func(s noom.Sender) bool { return s.(*fanout.Sender).ID() == track.ID() })
		if i < 0 {
			return nil, fmt.Errorf("sees %s, which is gone", track.Name())
		}
		if track.Muted() != senders[i].Muted() {
			return nil, fmt.Errorf("%s: muted %t", track.Name(), track.Muted())
		}
		if !track.Muted() {
			flowing = append(flowing, track)
		}
	}
	return flowing, nil
}

// flow checks that packets of all tracks are arriving right now.
func flow(tracks ...noom.RemoteTrack) error {
	began := time.Now()
	arrive := make([]atomic.Bool, len(tracks))
	var readers sync.WaitGroup
	var taps []noom.PacketReader
	for i, t := range tracks {
		tap := t.Tap()
		taps = append(taps, tap)
		readers.Go(func() {
			for !arrive[i].Load() { // first what waits there
				if _, err := tap.ReadRTP(); err != nil {
					return
				}
				arrive[i].Store(tap.(interface{ Arrived() time.Time }).Arrived().After(began))
			}
		})
	}
	time.Sleep(3 * slowly)
	for _, tap := range taps {
		_ = tap.Close()
	}
	readers.Wait()
	for i, t := range tracks {
		if !arrive[i].Load() {
			return fmt.Errorf("nothing comes of %s", t.Name())
		}
	}
	return nil
}
