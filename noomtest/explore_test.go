package noomtest_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
	"noom/signal"
)

var seeds = flag.Int("seeds", 8, "seeds of TestAnything")

// TestAnything lets two to four members go through everything that the kit can
// do to them, and all see each other's camera in the end.
func TestAnything(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 2)
	}
	noomtest.Explore(t, n, func(t *testing.T, w *noomtest.World) {
		var rooms []noom.Room
		var names []string
		for i := range 2 + w.Rand().IntN(3) {
			names = append(names, fmt.Sprint("member ", i))
			rooms = append(rooms, w.Join("데모", &noom.Config{
				Name: names[i], Tracks: []noom.LocalTrack{{Track: w.Camera()}},
			}))
			time.Sleep(time.Duration(w.Rand().IntN(200)) * time.Millisecond)
		}
		for range 8 {
			trouble(w, names)
			time.Sleep(time.Duration(w.Rand().IntN(3000)) * time.Millisecond)
		}
		w.Heal()
		for _, name := range names {
			w.HealSignaling(name)
		}
		w.Hub().Start()
		w.Settle()
		for _, r := range rooms {
			for _, p := range r.Peers() {
				tracks := p.Tracks()
				if len(tracks) != 1 {
					t.Fatalf("%s sees %d tracks of %s", r.Self().Name, len(tracks), p.Name())
				}
				if sink := w.Sink(tracks[0]); !sink.Wait(5) {
					t.Errorf("%s gets nothing of %s: %+v", r.Self().Name, p.Name(), sink.Report())
				}
			}
		}
	}, noomtest.WithNAT(noomtest.PortRestrictedNAT), noomtest.WithLoss(0.02), noomtest.WithJitter(5*time.Millisecond))
}

func trouble(w *noomtest.World, names []string) {
	pick := func() string { return names[w.Rand().IntN(len(names))] }
	types := []signal.Type{
		signal.TypeOffer, signal.TypeAnswer, signal.TypeCandidates, signal.TypeAsk, signal.TypeGrant,
	}
	frames := noomtest.Frames{Type: types[w.Rand().IntN(len(types))], Nth: 1}
	switch w.Rand().IntN(11) {
	case 0:
		w.Drop(frames).Optional()
	case 1:
		w.Delay(frames, time.Second).Optional()
	case 2:
		w.Repeat(frames, 2).Optional()
	case 3:
		w.Hub().Restart()
	case 4:
		w.Hub().Kill()
	case 5:
		w.Hub().Start()
	case 6:
		w.Cut(pick())
	case 7:
		w.Heal()
	case 8:
		w.NewAddress(pick())
	case 9:
		w.CutSignaling(pick())
	case 10:
		w.Sleep(pick(), time.Minute)
	}
}
