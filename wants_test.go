package noom_test

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/internal/link"
	"noom/internal/mediatest"
	"noom/noomtest"
	"noom/signal"
)

// wantsLog is what a member says of what it wants.
type wantsLog struct {
	mu   sync.Mutex
	sent []sentWants
}

type sentWants struct {
	at    time.Time
	epoch int64
	signal.WantsBody
}

// watch returns a Config that writes down each of a member's wants when it is first sent.
func (l *wantsLog) watch(t *testing.T) *noom.Config {
	t.Helper()
	return &noom.Config{TraceBodies: true, Trace: func(e noom.Trace) {
		if e.Kind != noom.TraceSent || e.Message.Type != signal.TypeWants {
			return
		}
		w := sentWants{at: e.At, epoch: e.Message.Epoch.Number}
		if err := signal.DecodeBody(e.Message.Body, &w.WantsBody); err != nil {
			t.Error(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if !slices.ContainsFunc(l.sent, func(o sentWants) bool { return o.Version == w.Version }) {
			l.sent = append(l.sent, w)
		}
	}}
}

func (l *wantsLog) all() []sentWants {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

// showing is two members in a call, of whom a sends two pictures, which are tracks at b.
func showing(t *testing.T, w *world, log *wantsLog) (a, b noom.Room, camera, screen noom.RemoteTrack) {
	t.Helper()
	a = w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{
		{Name: "camera", Track: mediatest.NewRTPCamera(t)}, {Name: "screen", Track: mediatest.NewRTPCamera(t)},
	}})
	b = w.join("r", "b", log.watch(t))
	until(t, a, connected)
	until(t, b, connected)
	time.Sleep(time.Second)
	tracks := peerOf(t, b, a).Tracks()
	if len(tracks) != 2 {
		t.Fatalf("%d tracks", len(tracks))
	}
	return a, b, tracks[0], tracks[1]
}

// wantedOf is what b wants of a's track: a height, or -1 for all of it.
func wantedOf(t *testing.T, a, b noom.Room, track noom.RemoteTrack) int {
	t.Helper()
	if height, limited := noom.LinkOf(peerOf(t, a, b)).Wanted(track.ID()); limited {
		return height
	}
	return -1
}

// TestWants: the sender of a track learns at once what its receiver shows of it, and again in the next epoch.
func TestWants(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		var log wantsLog
		a, b, camera, screen := showing(t, w, &log)
		holds := func(what string, ofCamera, ofScreen int) {
			t.Helper()
			if c, s := wantedOf(t, a, b, camera), wantedOf(t, a, b, screen); c != ofCamera || s != ofScreen {
				t.Fatalf("%s: %d of the camera and %d of the screen are wanted, want %d and %d", what, c, s, ofCamera, ofScreen)
			}
		}
		for _, same := range []int{-1, -7, signal.MaxHeight + 1} {
			camera.Want(same)
		}
		time.Sleep(time.Second)
		holds("before", -1, -1)
		if sent := log.all(); len(sent) > 0 {
			t.Fatalf("what is wanted in full was said: %v", sent)
		}
		camera.Want(0)
		time.Sleep(30 * time.Millisecond)
		holds("at once", 0, -1)
		screen.Want(180)
		time.Sleep(100 * time.Millisecond)
		holds("too early", 0, -1)
		time.Sleep(450 * time.Millisecond)
		holds("half a second later", 0, 180)

		before := log.all()
		breakUp(peerOf(t, b, a))
		until(t, b, func(e noom.PeerStateChanged) bool { return e.State == noom.PeerFailed })
		until(t, b, connected)
		time.Sleep(time.Second)
		holds("over a rebuild", 0, 180)
		again := log.all()[len(before):]
		if len(again) != 1 || again[0].epoch <= before[0].epoch || !maps.Equal(again[0].Wants, before[len(before)-1].Wants) {
			t.Errorf("in the next epoch b said %v", again)
		}
		camera.Want(-1)
		screen.Want(0)
		time.Sleep(time.Second)
		holds("afterwards", -1, 0)
	})
}

// TestWantsTogether: a receiver that changes its mind all the time says so twice a second, and at last what holds.
func TestWantsTogether(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		var log wantsLog
		a, b, camera, screen := showing(t, w, &log)
		for n := range 2000 {
			camera.Want(n % 1000)
			screen.Want(n % 777)
			time.Sleep(time.Millisecond)
		}
		camera.Want(90)
		time.Sleep(time.Second)
		if got := wantedOf(t, a, b, camera); got != 90 {
			t.Errorf("%d is wanted at last, want 90", got)
		}
		sent := log.all()
		for i, s := range sent[1:] {
			if s.at.Sub(sent[i].at) < 499*time.Millisecond || s.Version <= sent[i].Version {
				t.Errorf("version %d was sent %v after version %d", s.Version, s.at.Sub(sent[i].at), sent[i].Version)
			}
		}
		if len(sent) < 4 {
			t.Errorf("%d were sent", len(sent))
		}
		for _, height := range []int{91, 92, 91} { // the last two within half a second
			camera.Want(height)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		if more := log.all()[len(sent):]; len(more) != 1 || more[0].Wants[camera.ID()] != 91 {
			t.Errorf("what is as it was was said: %v", more)
		}
	})
}

// TestWantsBehindADescription: in an epoch that the peer has begun, and whose offer is late, the answer comes first.
func TestWantsBehindADescription(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		var log wantsLog
		a, b, camera, _ := showing(t, w, &log)
		camera.Want(0)
		time.Sleep(time.Second)
		before := log.all()
		lost := w.Drop(noomtest.Frames{From: "a", To: "b", Type: signal.TypeOffer, Nth: 1})
		breakUp(peerOf(t, a, b))
		until(t, b, func(e noom.PeerStateChanged) bool { return e.State != noom.PeerConnected })
		time.Sleep(500 * time.Millisecond) // less than until a frame is repeated
		if lost.Hits() != 1 || len(log.all()) != len(before) {
			t.Errorf("%d offers were lost, and b said %v", lost.Hits(), log.all()[len(before):])
		}
		until(t, b, connected)
		if again := log.all()[len(before):]; len(again) != 1 {
			t.Errorf("behind its answer b said %v", again)
		}
	})
}

// TestWantsThatAreNone: what is old, or about tracks that are none, changes nothing.
func TestWantsThatAreNone(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a, b, camera, screen := showing(t, w, new(wantsLog))
		ends := 0
		for _, step := range []struct {
			version  int64
			wants    map[string]int
			ofCamera int
		}{
			{3, map[string]int{camera.ID(): 360, "nobody": 0}, 360},
			{3, map[string]int{camera.ID(): 0}, 360},
			{2, nil, 360},
			{0, nil, 360},
			{4, map[string]int{"nobody": 0}, -1},
		} {
			body, err := signal.EncodeBody(&signal.WantsBody{Version: step.version, Wants: step.wants})
			must(t, err)
			inspect(peerOf(t, b, a), func(in link.Inside) { in.Frames.Send(signal.TypeWants, body, false) })
			time.Sleep(50 * time.Millisecond)
			if got := wantedOf(t, a, b, camera); got != step.ofCamera {
				t.Errorf("version %d: %d of the camera is wanted, want %d", step.version, got, step.ofCamera)
			}
		}
		if got := wantedOf(t, a, b, screen); got != -1 {
			t.Errorf("%d of the screen is wanted", got)
		}
		for _, e := range waiting(t, a) {
			if e, ok := e.(noom.PeerStateChanged); ok && e.State != noom.PeerConnected {
				ends++
			}
		}
		if ends > 0 {
			t.Error("the connection was given up")
		}
	})
}

// TestLaterTypes: a frame of a type that a later version has added is skipped, and what comes behind it arrives, by hub
// and in-band.
func TestLaterTypes(t *testing.T) {
	for name, hubOnly := range map[string]bool{"by hub": true, "in-band": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
				a, b, camera, _ := showing(t, w, new(wantsLog))
				connection := peerOf(t, b, a).Connection()
				inspect(peerOf(t, b, a), func(in link.Inside) {
					in.Frames.Send("wave", []byte("no JSON"), hubOnly)
					in.Frames.Send("wave", nil, hubOnly)
				})
				camera.Want(0)
				time.Sleep(500 * time.Millisecond) // less than until a frame is repeated
				if got := wantedOf(t, a, b, camera); got != 0 {
					t.Errorf("what came behind it says %d", got)
				}
				inspect(peerOf(t, b, a), func(in link.Inside) {
					if in.Frames.Pending() {
						t.Error("something is not acknowledged")
					}
				})
				if peerOf(t, b, a).Connection() != connection {
					t.Error("the connection was given up")
				}
			})
		})
	}
}
