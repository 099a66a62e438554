package noom_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"noom"
	"noom/internal/mediatest"
)

// speakers takes the events up to now and returns the names of ActiveSpeaker, "-"
// for nobody, and "left" where a peer left.
func speakers(t *testing.T, r noom.Room) (names []string) {
	t.Helper()
	for _, e := range waiting(t, r) {
		switch e := e.(type) {
		case noom.ActiveSpeaker:
			if e.Peer == nil {
				names = append(names, "-")
			} else {
				names = append(names, e.Peer.Name())
			}
		case noom.PeerLeft:
			names = append(names, "left")
		}
	}
	return names
}

func TestActiveSpeaker(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		voices := map[string]*mediatest.Voice{}
		rooms := map[string]noom.Room{}
		for _, name := range []string{"듣는이", "지우", "bob", "말없이"} {
			v := mediatest.NewVoice(t)
			go v.Speak(ctx)
			voices[name] = v
			rooms[name] = w.join("말하기", name, &noom.Config{Tracks: []noom.LocalTrack{{Track: v}}})
		}
		listener := rooms["듣는이"]
		expect := func(what string, want ...string) {
			t.Helper()
			time.Sleep(3 * time.Second)
			if got := speakers(t, listener); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		voices["말없이"].SetLevel(mediatest.UnknownLevel)
		expect("silence")
		if noom.Listens(listener) {
			t.Error("somebody listens to silence")
		}
		voices["듣는이"].SetLevel(-10)
		voices["지우"].SetLevel(-30)
		expect("one speaks, and so do we", "지우")
		voices["bob"].SetLevel(-29)
		expect("another, no louder")
		voices["지우"].SetLevel(-70)
		expect("the first falls silent", "bob")
		must(t, rooms["bob"].Senders()[0].SetMuted(true))
		expect("the second is muted", "-")
		must(t, rooms["bob"].Senders()[0].SetMuted(false))
		expect("and unmuted", "bob")
		must(t, rooms["bob"].Leave(t.Context()))
		expect("and leaves", "-", "left")
		if noom.Listens(listener) {
			t.Error("somebody listens still")
		}
		jiwoo := listener.Peers()[0]
		if dBov, ok := jiwoo.Tracks()[0].AudioLevel(); jiwoo.Name() != "지우" || dBov != -70 || !ok {
			t.Errorf("%s: level %d, %v; want -70", jiwoo.Name(), dBov, ok)
		}
		if dBov, ok := listener.Peers()[1].Tracks()[0].AudioLevel(); ok {
			t.Errorf("level %d of a source that tells none", dBov)
		}
	})
}
