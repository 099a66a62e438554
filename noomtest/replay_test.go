package noomtest_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
	"noom/signal"
)

// watch lists the events of a room, but for those that depend on what is measured, until it is over.
func watch(t *testing.T, r noom.Room) (events []string) {
	t.Helper()
	for e := range r.Events(t.Context()) {
		switch e := e.(type) {
		case noom.PeerJoined:
			events = append(events, fmt.Sprint("joined ", e.Peer.Name(), " ", e.Existing))
		case noom.PeerLeft:
			events = append(events, fmt.Sprint("left ", e.Member.Name, " ", e.Reason))
		case noom.PeerRenamed:
			events = append(events, "renamed "+e.Old+" "+e.Peer.Name())
		case noom.PeerStateChanged:
			events = append(events, fmt.Sprint("state ", e.Peer.Name(), " ", e.State))
		case noom.TrackAdded:
			events = append(events, fmt.Sprint("track of ", e.Peer.Name(), " ", e.Track.Name()))
		case noom.TrackRemoved:
			events = append(events, "end of "+e.Track.Name())
		case noom.TrackMuted:
			events = append(events, fmt.Sprint("mute ", e.Track.Name(), " ", e.Muted))
		case noom.ChatReceived:
			events = append(events, "chat "+e.From.Name+": "+e.Text)
		case noom.SignalingLost:
			events = append(events, "signaling lost")
		case noom.SignalingRestored:
			events = append(events, "signaling restored")
		case noom.Closed:
			events = append(events, "closed")
		}
	}
	return events
}

// recorded runs a call with a glare, an outage of the hub and one of the network, and returns what 지우 has seen of it, and its
// traces as a file.
func recorded(t *testing.T) (events []string, file *bytes.Buffer) {
	t.Helper()
	file = new(bytes.Buffer)
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		bob := w.Join("데모", &noom.Config{Name: "bob"})
		var mu sync.Mutex
		config := &noom.Config{Name: "지우", TraceBodies: true, Trace: func(e noom.Trace) {
			mu.Lock()
			defer mu.Unlock()
			if err := noomtest.WriteTrace(file, e); err != nil {
				t.Error(err)
			}
		}}
		jiwoo := w.Join("데모", config)
		seen := make(chan []string, 1)
		go func() { seen <- watch(t, jiwoo) }()
		w.Settle()
		for _, r := range []noom.Room{bob, jiwoo} { // at once, so both need an offer
			if _, err := r.Publish(t.Context(), w.Camera(), &noom.PublishOptions{Name: "camera of " + r.Self().Name}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		w.CutSignaling("지우")
		time.Sleep(10 * time.Second)
		w.HealSignaling("지우")
		time.Sleep(5 * time.Second)
		w.Cut("지우", "bob")
		time.Sleep(25 * time.Second)
		w.Heal("지우", "bob")
		time.Sleep(20 * time.Second)
		carol := w.Join("데모", &noom.Config{Name: "carol"})
		time.Sleep(5 * time.Second)
		_ = carol.Chat(t.Context(), "안녕")
		_ = bob.Rename(t.Context(), "밥")
		time.Sleep(time.Second) // what comes by different ways keeps its order only if it is not at once
		_ = bob.Senders()[0].SetMuted(true)
		time.Sleep(5 * time.Second)
		_ = bob.Senders()[0].Close()
		time.Sleep(time.Second)
		_ = carol.Leave(t.Context())
		time.Sleep(5 * time.Second)
		if err := w.Hub().Running().Kick("데모", bob.Self().ID); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Second)
		_ = jiwoo.Leave(t.Context())
		events = <-seen
	})
	return events, file
}

// TestReplay: a call that was recorded happens again, with the same events.
func TestReplay(t *testing.T) {
	want, file := recorded(t)
	for _, part := range []string{"signaling lost", "state bob interrupted", "track of bob camera of bob", "mute camera of bob true", "left 밥 kicked"} {
		if !slices.Contains(want, part) {
			t.Fatalf("the call has no %q: %q", part, want)
		}
	}
	trace, err := noomtest.ReadTrace(file)
	if err != nil {
		t.Fatal(err)
	}
	story, err := noomtest.Replay(trace)
	if err != nil {
		t.Fatal(err)
	}
	if hosts := story.Hosts(); !slices.Equal(hosts, []string{"지우", "bob", "carol"}) || len(story.Skipped()) > 0 {
		t.Errorf("hosts %q, skipped %q", hosts, story.Skipped())
	}
	var got []string
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		story.Play(w, func(r noom.Room) { got = watch(t, r) })
	})
	if !slices.Equal(got, want) {
		t.Errorf("the replay has\n%s\nbut it was\n%s\naccording to\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), story)
	}
}

// TestDamagedTrace: what cannot be replayed is refused with what is wrong with it.
func TestDamagedTrace(t *testing.T) {
	if _, err := noomtest.ReadTrace(strings.NewReader("{}\n\n{\"At\":\"yesterday\"}\n")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("a line that is none: %v", err)
	}
	if _, err := noomtest.ReadTrace(strings.NewReader(strings.Repeat("x", 2<<20))); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a line without an end: %v", err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	self, bob := noom.Member{ID: "a", Name: "지우", Session: "s"}, noom.Member{ID: "b", Name: "bob"}
	entry := func(after time.Duration, kind noom.TraceKind, m *signal.Message) noom.Trace {
		return noom.Trace{At: at.Add(after), Room: "데모", Self: self, Kind: kind, Message: m}
	}
	join := entry(0, noom.TraceSent, &signal.Message{Type: signal.TypeJoin, Name: "지우"})
	joined := entry(time.Second, noom.TraceReceived, &signal.Message{Type: signal.TypeJoined, Self: &self, Members: []noom.Member{bob}})
	offer := entry(2*time.Second, noom.TraceReceived, &signal.Message{Type: signal.TypeOffer, From: "b", Body: []byte(`{"table":`)})
	offer.Peer = bob
	another := joined
	another.Self.Session = "another"
	stranger := entry(2*time.Second, noom.TraceState, nil)
	stranger.Peer.ID = "c"
	for says, trace := range map[string][]noom.Trace{
		"it is empty":                    nil,
		"its beginning is missing":       {joined},
		"the join has failed":            {join, entry(time.Second, noom.TraceOver, nil)},
		"entry 1 is of another Room":     {join, another},
		"entry 2 is 4s before":           {join, entry(5*time.Second, noom.TraceNote, nil), joined},
		"entry 1, a frame, has no":       {join, entry(0, noom.TraceSent, nil)},
		"entry 1 has no Self":            {join, {}},
		"entry 1: a welcome has no":      {join, entry(0, noom.TraceReceived, &signal.Message{Type: signal.TypeWelcome})},
		"entry 1: a joined has no":       {join, entry(0, noom.TraceReceived, &signal.Message{Type: signal.TypeJoined})},
		"entry 1: there is no kind":      {join, entry(0, "dream", nil)},
		`entry 2: the body of "offer"`:   {join, joined, offer},
		`entry 2: it is about the conne`: {join, joined, stranger},
	} {
		if _, err := noomtest.Replay(trace); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	story, err := noomtest.Replay([]noom.Trace{join, joined, entry(time.Second, noom.TraceSent, &signal.Message{Type: signal.TypeKick})})
	if err != nil || !slices.Equal(story.Skipped(), []string{"kick (1)"}) || story.String() != "0s bob: join\n0s 지우: join\n" {
		t.Errorf("%v, skipped %q, %v", story, story.Skipped(), err)
	}
}
