package voice

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
)

// heardTurn is a turn as somebody took it.
type heardTurn struct {
	*Turn
	pcm   []int16
	ended time.Time // when its end was known
	late  time.Duration
	first time.Duration // how late the first speech came
}

// audience takes all turns of a Listener.
type audience struct {
	l     *Listener
	mu    sync.Mutex
	turns []*heardTurn
	wg    sync.WaitGroup
}

func listen(t *testing.T, room noom.Room, o *ListenOptions) *audience {
	t.Helper()
	l, err := Listen(t.Context(), room, o)
	if err != nil {
		t.Fatal(err)
	}
	a := &audience{l: l}
	a.wg.Go(func() {
		for turn := range l.Turns(context.Background()) {
			a.wg.Go(func() { a.take(turn) })
		}
	})
	t.Cleanup(func() { a.close() })
	return a
}

func (a *audience) take(turn *Turn) {
	h := &heardTurn{Turn: turn}
	a.mu.Lock()
	a.turns = append(a.turns, h)
	a.mu.Unlock()
	for pcm := range turn.PCM(context.Background()) {
		now := time.Now()
		a.mu.Lock()
		if h.pcm == nil {
			h.first = now.Sub(turn.Started)
		}
		h.pcm = append(h.pcm, pcm...)
		h.late = max(h.late, now.Sub(turn.Started.Add(timeOf(len(h.pcm), turn.Rate))))
		a.mu.Unlock()
	}
	a.mu.Lock()
	h.ended = time.Now()
	a.mu.Unlock()
}

func (a *audience) close() {
	_ = a.l.Close()
	a.wg.Wait()
}

// all returns the turns so far.
func (a *audience) all() []*heardTurn {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*heardTurn(nil), a.turns...)
}

// word is a second of a voice without a pause.
func word(rate int) []int16 {
	pcm := make([]int16, 0, rate)
	for _, v := range speechLike(rate, 2*time.Second) {
		if len(pcm) < rate {
			pcm = append(pcm, v)
		}
	}
	return sineOver(pcm, rate)
}

// sineOver makes the pauses of speech as loud as its words.
func sineOver(pcm []int16, rate int) []int16 {
	for i, v := range sine(rate, 220, 4000, timeOf(len(pcm), rate)) {
		pcm[i] = int16(clip16(int(pcm[i]) + int(v)))
	}
	return pcm
}

// TestListen: everyone's turns come by themselves, with all of their sound, at once.
func TestListen(t *testing.T) {
	for _, rate := range []int{16000, 24000} {
		noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
			alice, bob := pair(w)
			carol := w.Join("데모", &noom.Config{Name: "carol"})
			w.Settle()
			a := listen(t, carol, &ListenOptions{Rate: rate})
			one, two := speak(t, alice, nil), speak(t, bob, &SpeakerOptions{Codec: G722, Rate: 16000})
			for range 3 { // at the same time
				for _, s := range []*Speaker{one, two} {
					if _, err := s.Write(word(s.Rate())); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(1900 * ms)
				if _, err := one.Write(word(24000)); err != nil { // alice goes on
					t.Fatal(err)
				}
				time.Sleep(3 * time.Second)
			}
			turns := a.all()
			count := map[string]int{}
			for _, h := range turns {
				name := h.Peer.Name()
				count[name]++
				end, why := h.Ended()
				sound := timeOf(len(h.pcm), rate)
				if why != EndSilence || h.ended.Sub(end) < 590*ms || h.ended.Sub(end) > 640*ms {
					t.Errorf("%s: %v, %v after the last speech", name, why, h.ended.Sub(end))
				}
				speech := end.Sub(h.Started)
				if speech < 950*ms || speech > 1240*ms || sound < speech+500*ms || sound > speech+640*ms {
					t.Errorf("%s: %v of speech with the pre-roll, %v of sound", name, speech, sound)
				}
				if h.late > 0 || h.first > 200*ms+80*ms {
					t.Errorf("%s: sound comes %v late, the first of it after %v", name, h.late, h.first)
				}
			}
			if len(count) != 2 || count["alice"] != 6 || count["밥"] != 3 {
				t.Errorf("%v", count)
			}
			if len(turns) > 1 {
				if d := turns[0].Started.Sub(turns[1].Started); max(d, -d) > 60*ms {
					t.Errorf("two that spoke at once began %v apart", d)
				}
			}
		})
	}
}

// TestListenDelay: from a packet to its sound it takes 80 ms at most, with packets that overtake each other too.
func TestListenDelay(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		a := listen(t, bob, nil)
		s := speak(t, alice, nil)
		p := record(t, Opus, 24000, trackOf(t, bob, "voice"))
		if _, err := s.Write(sineOver(make([]int16, 24000*5), 24000)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Second)
		turns := a.all()
		if len(turns) != 1 {
			t.Fatalf("%d turns", len(turns))
		}
		_, came, _, _ := p.look()
		var jitter, early time.Duration // behind the first packet, which may be late itself, and before it
		for i := range came {
			behind := came[i].Sub(came[0]) - time.Duration(i)*frameTime
			jitter, early = max(jitter, behind), min(early, behind)
		}
		if jitter-early < 15*ms {
			t.Errorf("packets are late by only %v", jitter-early)
		}
		if late := turns[0].late - jitter; late > 80*ms {
			t.Errorf("sound is late by %v", late)
		}
	}, noomtest.WithJitter(30*ms))
}

// TestListenLoss: a tenth is lost, and turns are as long as they are.
func TestListenLoss(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		a := listen(t, bob, nil)
		s := speak(t, alice, nil)
		w.Loss(0.1, "alice")
		for range 4 {
			if _, err := s.Write(sineOver(make([]int16, 24000*2), 24000)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(4 * time.Second)
		}
		turns := a.all()
		for _, h := range turns {
			end, why := h.Ended()
			if speech := end.Sub(h.Started); why != EndSilence || speech < 1900*ms || speech > 2320*ms {
				t.Errorf("%v of speech, %v", speech, why)
			}
			if h.late > 90*ms {
				t.Errorf("sound is late by %v", h.late)
			}
		}
		if len(turns) != 4 {
			t.Errorf("%d turns", len(turns))
		}
	})
}

// TestTurnsEnd: by a mute, by the end of the track, by a member that goes, by Close.
func TestTurnsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(alice noom.Room, s *Speaker, a *audience)
		want TurnEnd
		most time.Duration
	}{
		"mute":  {func(_ noom.Room, s *Speaker, _ *audience) { _ = s.Sender().SetMuted(true) }, EndMuted, 120 * ms},
		"track": {func(_ noom.Room, s *Speaker, _ *audience) { _ = s.Close() }, EndTrack, 120 * ms},
		"leave": {func(r noom.Room, _ *Speaker, _ *audience) { _ = r.Leave(context.Background()) }, EndTrack, 400 * ms},
		"close": {func(_ noom.Room, _ *Speaker, a *audience) { a.close() }, EndClosed, 0},
	} {
		noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
			alice, bob := pair(w)
			a := listen(t, bob, nil)
			s := speak(t, alice, nil)
			if _, err := s.Write(word(24000)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(800 * ms)
			begun := time.Now()
			c.end(alice, s, a)
			time.Sleep(time.Second)
			turns := a.all()
			if len(turns) != 1 {
				t.Fatalf("%s: %d turns", name, len(turns))
			}
			if _, why := turns[0].Ended(); why != c.want || turns[0].ended.Sub(begun) > c.most {
				t.Errorf("%s: %v after %v, want %v within %v", name, why, turns[0].ended.Sub(begun), c.want, c.most)
			}
		})
	}
}

// TestNobodyReads: what nobody takes is bounded and counted.
func TestNobodyReads(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		l, err := Listen(t.Context(), bob, &ListenOptions{EndAfter: 100 * ms, PreRoll: -1})
		if err != nil {
			t.Fatal(err)
		}
		s := speak(t, alice, &SpeakerOptions{Codec: PCMU, Rate: 8000})
		for range 40 {
			if _, err = s.Write(sine(8000, 300, 8000, 200*ms)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(600 * ms)
		}
		if n := l.Dropped(); n != 8 {
			t.Errorf("%d turns dropped of 40", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range mostWaiting {
			if _, err = l.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err = l.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Second)
		for range 45 {
			if _, err = s.Write(sine(8000, 300, 16000, 800*ms)); err != nil { // -9 dBov is no noise
				t.Fatal(err)
			}
			time.Sleep(800 * ms)
		}
		turn, err := l.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		pcm, err := turn.Whole(t.Context())
		if err != nil || len(pcm) != 30*16000 || turn.Dropped() < 5*time.Second {
			t.Errorf("%v: %d samples, %v dropped", err, len(pcm), turn.Dropped())
		}
		if pcm, err = turn.Whole(t.Context()); pcm != nil || err != nil {
			t.Errorf("%d samples more, %v", len(pcm), err)
		}
		if err = l.Close(); err != nil {
			t.Error(err)
		}
		if _, err = l.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	})
}

// TestChosenTracks: only what is wanted is listened to, four tracks of a peer at most, and later ones once there is room.
func TestChosenTracks(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		a := listen(t, bob, &ListenOptions{Tracks: func(_ noom.Peer, t noom.RemoteTrack) bool { return t.Name() != "music" }})
		names := []string{"music", "하나", "둘", "셋", "넷"}
		var speakers []*Speaker
		for _, name := range append(names, "다섯") {
			speakers = append(speakers, speak(t, alice, &SpeakerOptions{Name: name, Codec: PCMU, Rate: 8000}))
			time.Sleep(200 * ms)
		}
		say := func() (heard map[string]int) {
			before := len(a.all())
			for _, s := range speakers {
				if _, err := s.Write(sine(8000, 300, 8000, 300*ms)); err != nil && !errors.Is(err, noom.ErrClosed) {
					t.Fatal(err)
				}
			}
			time.Sleep(2 * time.Second)
			heard = map[string]int{}
			for _, h := range a.all()[before:] {
				heard[h.Track.Name()]++
			}
			return heard
		}
		if got := say(); len(got) != 4 || got["music"] != 0 || got["다섯"] != 0 {
			t.Errorf("%v", got)
		}
		_ = speakers[1].Close()
		time.Sleep(time.Second)
		if got := say(); len(got) != 4 || got["하나"] != 0 || got["다섯"] != 1 {
			t.Errorf("%v", got)
		}
	})
}

func TestWrongListeners(t *testing.T) {
	for _, o := range []ListenOptions{{Rate: 44100}, {PreRoll: time.Minute}, {EndAfter: time.Millisecond}, {EndAfter: time.Hour}} {
		if _, err := Listen(t.Context(), nil, &o); !errors.Is(err, ErrOptions) && !errors.Is(err, ErrCodec) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
