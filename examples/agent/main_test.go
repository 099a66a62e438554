package main

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/examples/bottest"
	"noom/media/voice"
	"noom/noomtest"
)

const (
	ms      = time.Millisecond
	latency = 10 * ms // of the world's network
	packet  = 20 * ms
)

// ear notes when sound comes over a track, and how much.
type ear struct {
	mu    sync.Mutex
	sound []time.Time // when each packet with sound in it came
}

func hear(t *testing.T, room noom.Room, c voice.Codec) *ear {
	t.Helper()
	decoder, err := voice.NewDecoder(c, 0)
	if err != nil {
		t.Fatal(err)
	}
	var track noom.RemoteTrack
	for track == nil {
		for _, p := range room.Peers() {
			for _, r := range p.Tracks() {
				track = r
			}
		}
		time.Sleep(packet)
	}
	e := &ear{}
	tap := track.Tap()
	t.Cleanup(func() { _ = tap.Close() })
	go func() {
		for {
			p, err := tap.ReadRTP()
			if err != nil {
				return
			}
			pcm, err := decoder.Decode(p.Payload)
			if err != nil {
				panic(err)
			}
			loud := 0
			for _, v := range pcm {
				if v > 500 || v < -500 {
					loud++
				}
			}
			if loud > len(pcm)/4 {
				e.mu.Lock()
				e.sound = append(e.sound, time.Now())
				e.mu.Unlock()
			}
		}
	}()
	return e
}

// since returns when sound came from at on.
func (e *ear) since(at time.Time) (sound []time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.sound {
		if !s.Before(at) {
			sound = append(sound, s)
		}
	}
	return sound
}

// hum is what the person of the test says: G.711 has no delay, so that each time is exact.
func hum(lasts time.Duration) []int16 {
	pcm := make([]int16, lasts*8000/time.Second)
	for i := range pcm {
		pcm[i] = 9000
		if i/20%2 == 0 {
			pcm[i] = -9000
		}
	}
	return pcm
}

// scripted is a parrot that notes what it is told.
type scripted struct {
	parrot
	mu    sync.Mutex
	heard []time.Duration
}

func (s *scripted) Heard(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, d)
}

// TestReactions: the answer leaves exactly 300 ms after the last sound of the question has come; somebody who interrupts
// is listened to within 80 ms; and the model learns how much was heard.
func TestReactions(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		model := &scripted{parrot: parrot{reply: tone}}
		a := &agent{pause: 300 * ms, out: io.Discard, model: func() Realtime { return model }, recognizer: stopwatch{}}
		room := w.Join("데모", &noom.Config{Name: "agent"})
		ended := make(chan error, 1)
		go func() { ended <- a.talk(t.Context(), room) }()
		person := w.Join("데모", &noom.Config{Name: "지우"})
		w.Settle()
		mouth, err := voice.NewSpeaker(t.Context(), person, &voice.SpeakerOptions{Codec: voice.PCMU, Rate: 8000})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = mouth.Close() }()
		e, own := hear(t, person, voice.Opus), hear(t, room, voice.PCMU)
		time.Sleep(5 * time.Second) // both rest, and the round trip is known

		// A question of two seconds.
		asked := time.Now()
		say(t, mouth, 2*time.Second)
		time.Sleep(2*time.Second + 300*ms + 2*latency + time.Second)
		question, answer := own.since(asked), e.since(asked)
		if len(question) != 100 || len(answer) == 0 {
			t.Fatalf("%d packets of the question came, %d of the answer", len(question), len(answer))
		}
		if reaction := answer[0].Sub(question[99]) - latency; reaction != 300*ms {
			t.Errorf("the answer leaves %v after the question", reaction)
		}

		// The person interrupts, a second into an answer of two.
		interrupted := time.Now()
		say(t, mouth, time.Second)
		time.Sleep(500 * ms)
		first := own.since(interrupted)[0]
		late := e.since(first.Add(packet + 40*ms + latency + 1)) // the second packet makes it certain
		if len(late) > 0 {
			t.Errorf("the agent still speaks %v after it was interrupted", late[len(late)-1].Sub(first))
		}
		before := len(e.since(asked))

		// What was said is answered, too, and to its end.
		time.Sleep(3 * time.Second)
		second := e.since(interrupted.Add(time.Second))
		if n := len(second); n < 64 || n > 67 { // a second, and the pause that ended it
			t.Errorf("%d packets of the second answer", n)
		}
		model.mu.Lock()
		defer model.mu.Unlock()
		if len(model.heard) != 2 {
			t.Fatalf("the model knows of %v", model.heard)
		}
		if d := time.Duration(before)*packet - model.heard[0]; d < 0 || d > 3*packet { // some was still on its way
			t.Errorf("%v of the first answer were heard, the model thinks %v", time.Duration(before)*packet, model.heard[0])
		}
		if d := model.heard[1] - time.Duration(len(second))*packet; max(d, -d) > 2*packet {
			t.Errorf("%v of the second answer were heard, the model thinks %v", time.Duration(len(second))*packet, model.heard[1])
		}
		if err := room.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func say(t *testing.T, mouth *voice.Speaker, lasts time.Duration) {
	t.Helper()
	if _, err := mouth.Write(hum(lasts)); err != nil {
		t.Fatal(err)
	}
}

// TestTwoAtOnce: each of two is heard, and one answer at a time is given.
func TestTwoAtOnce(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		var out bottest.Output
		a := &agent{pause: 300 * ms, out: &out, model: func() Realtime { return &parrot{reply: tone} }, recognizer: stopwatch{}}
		room := w.Join("데모", &noom.Config{Name: "agent"})
		ended := make(chan error, 1)
		go func() { ended <- a.talk(t.Context(), room) }()
		for i, name := range []string{"지우", "bob"} {
			person := w.Join("데모", &noom.Config{Name: name})
			mouth, err := voice.NewSpeaker(t.Context(), person, &voice.SpeakerOptions{Codec: voice.PCMU, Rate: 8000})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = mouth.Close() }()
			w.Settle()
			say(t, mouth, time.Duration(i+2)*time.Second)
		}
		time.Sleep(10 * time.Second)
		for _, want := range []string{"지우: (2.", "bob: (3.", ", before somebody spoke"} {
			if want != ", before somebody spoke" && !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, &out)
			}
		}
		if err := room.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Before anybody speaks to an agent that cannot answer.
func TestNoAnswer(t *testing.T) {
	for path, says := range map[string]string{"없음.wav": "no such file", "main.go": "WAV"} {
		if err := run(t.Context(), bottest.Flags(), []string{"-answer", path}, io.Discard); err == nil || !strings.Contains(err.Error(), "-answer") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
}

// TestProgram: the program answers somebody at a hub.
func TestProgram(t *testing.T) {
	stage := bottest.New(t)
	out, _ := stage.Start(run, "-name", "agent", "-pause", "200ms")
	room := stage.Join("지우")
	bottest.Await(t, room, func(e noom.PeerStateChanged) bool { return e.State == noom.PeerConnected })
	mouth, err := voice.NewSpeaker(t.Context(), room, &voice.SpeakerOptions{Codec: voice.PCMU, Rate: 8000})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mouth.Close() }()
	say(t, mouth, 500*ms)
	bottest.Until(t, func() bool {
		return strings.Contains(out.String(), "지우: (") && strings.Contains(out.String(), "were heard")
	})
}
