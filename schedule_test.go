package noom

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/transport/v5/vnet"

	"noom/internal/fanout"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

var (
	schedules    = flag.Int("schedules", 20, "random schedules to run")
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

// slowly is how often a schedule's cameras have a frame: there are many, and
// hours of virtual time.
const slowly = 200 * time.Millisecond

// actor is one member of a schedule.
type actor struct {
	room    Room
	line    *wire
	away    atomic.Bool // its host is cut off
	senders []Sender
	count   int              // messages
	sent    map[string][]int // those that were taken for a peer, by its id

	mu  sync.Mutex
	got map[string][]int // by sender's id
}

func (a *actor) watch(ctx context.Context) {
	for e := range a.room.Events(ctx) {
		switch e := e.(type) {
		case DataReceived:
			n, _ := strconv.Atoi(string(e.Data))
			a.mu.Lock()
			a.got[e.Peer.ID()] = append(a.got[e.Peer.ID()], n)
			a.mu.Unlock()
		case ChannelOpened:
			go echoes(ctx, e.Channel)
		}
	}
}

// echoes sends back what comes.
func echoes(ctx context.Context, c Channel) {
	for {
		data, err := c.Receive(ctx)
		if err != nil || c.Send(ctx, data) != nil {
			return
		}
	}
}

func runSchedule(t *testing.T, w *world, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log []string
	actors := make([]*actor, 2+rng.IntN(4))
	for i := range actors {
		actors[i] = &actor{sent: make(map[string][]int), got: make(map[string][]int), line: &wire{Dialer: w.current()}}
	}
	loss := rng.IntN(4) // percent
	dice := rand.New(rand.NewPCG(seed, 1))
	w.router.AddChunkFilter(func(c vnet.Chunk) bool {
		for i, a := range actors {
			if a.away.Load() && (isHost(c.SourceAddr(), i) || isHost(c.DestinationAddr(), i)) {
				return false
			}
		}
		return dice.IntN(100) >= loss // the router calls this from one goroutine
	})
	for i, a := range actors {
		w.dialer = a.line
		a.room = w.join("데모", fmt.Sprint("member ", i), nil)
		go a.watch(ctx)
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
	}
	for range 30 {
		i := rng.IntN(len(actors))
		what := ""
		switch rng.IntN(14) {
		case 0:
			pause := time.Duration(rng.IntN(12_000)) * time.Millisecond
			actors[i].line.cut(true)
			time.AfterFunc(pause, func() { actors[i].line.cut(false) })
			what = fmt.Sprintf("no hub for %v", pause)
		case 1:
			pause := time.Duration(rng.IntN(25_000)) * time.Millisecond
			actors[i].away.Store(true)
			time.AfterFunc(pause, func() { actors[i].away.Store(false) })
			what = fmt.Sprintf("no network for %v", pause)
		case 2:
			w.restartHub(actors)
			what = "the hub is killed and started again, empty"
		default:
			what = actors[i].doSomething(ctx, t, rng)
		}
		log = append(log, fmt.Sprintf("%v member %d: %s", time.Since(epochOfBubbles), i, what))
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		if rng.IntN(10) == 0 {
			time.Sleep(time.Duration(rng.IntN(20_000)) * time.Millisecond)
		}
	}
	acted := time.Since(epochOfBubbles)
	defer func() {
		t.Logf("%d members: %v of doing, %v of settling", len(actors), acted, time.Since(epochOfBubbles)-acted)
	}()
	if err := settled(actors, 3*time.Minute); err != nil {
		t.Fatalf("seed %d, %d %% loss: %v, after\n  %s", seed, loss, err, strings.Join(log, "\n  "))
	}
}

// epochOfBubbles is when time begins in a synctest bubble.
var epochOfBubbles = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func isHost(addr net.Addr, i int) bool {
	host, _, _ := net.SplitHostPort(addr.String())
	return host == hostIP(i+1)
}

// current is a Dialer to whatever hub there is.
func (w *world) current() Dialer {
	return signal.DialerFunc(func(ctx context.Context) (Signaler, error) {
		w.mu.Lock()
		d := mem.Dialer(w.hub)
		w.mu.Unlock()
		return d.Dial(ctx)
	})
}

// restartHub puts an empty hub in the place of the old one, as kill -9 would:
// nobody is told.
func (w *world) restartHub(actors []*actor) {
	w.mu.Lock()
	w.hub = hub.New(nil)
	w.mu.Unlock()
	for _, a := range actors {
		a.line.mu.Lock()
		down := a.line.down
		a.line.mu.Unlock()
		a.line.cut(down)
	}
}

func (a *actor) doSomething(ctx context.Context, t *testing.T, rng *rand.Rand) string {
	r := a.room.(*room)
	links := r.roster.peers()
	pick := func() *peer { return links[rng.IntN(len(links))] }
	switch n := rng.IntN(10); {
	case n < 3 && len(a.senders) < 4:
		camera := newTestCamera(t)
		go filmEvery(ctx, camera, slowly)
		s, err := a.room.Publish(ctx, camera, &PublishOptions{Name: fmt.Sprint("track ", rng.IntN(1000))})
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
		if err := l.RestartICE(ctx); err != nil && !errors.Is(err, ErrNotConnected) && !errors.Is(err, ErrNoHub) && !errors.Is(err, ErrClosed) {
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
			} else if !errors.Is(err, ErrClosed) {
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
	var flowing []RemoteTrack
	for _, a := range actors {
		for _, b := range actors {
			if a == b {
				continue
			}
			p, ok := a.room.Peer(b.room.Self().ID)
			if !ok || p.State() != PeerConnected {
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
func sees(p Peer, senders []Sender) (flowing []RemoteTrack, err error) {
	tracks := p.Tracks()
	if len(tracks) != len(senders) {
		return nil, fmt.Errorf("sees %d tracks of %d", len(tracks), len(senders))
	}
	for _, track := range tracks {
		i := slices.IndexFunc(senders, func(s Sender) bool { return s.(*fanout.Sender).ID() == track.ID() })
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
func flow(tracks ...RemoteTrack) error {
	began := time.Now()
	arrive := make([]atomic.Bool, len(tracks))
	var readers sync.WaitGroup
	var taps []PacketReader
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
