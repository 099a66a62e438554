package browser_test

import (
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/media"
	"noom/transport/ws"
)

// A page and a Go member learn from the levels alone that the other speaks, and that it falls
// silent.
func TestActiveSpeakerWithGo(t *testing.T) { browsertest.EachKind(t, testActiveSpeakerWithGo) }

func testActiveSpeakerWithGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	tab.Do(`enter('지우')`)
	tone := media.Tone()
	defer func() { _ = tone.Close() }() // nothing to lose
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{
		Name: "고퍼", Tracks: []noom.LocalTrack{{Track: tone}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = room.Leave(t.Context()) }() // the test is over
	spoke := make(chan noom.Peer, 10)
	go func() {
		for event := range room.Events(t.Context()) {
			if e, ok := event.(noom.ActiveSpeaker); ok {
				spoke <- e.Peer
			}
		}
	}()
	hears := func(what string, fits func(noom.Peer) bool) {
		t.Helper()
		select {
		case peer := <-spoke:
			if !fits(peer) {
				t.Fatalf("%s: %v speaks", what, peer)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: nothing was reported", what)
		}
	}

	// Chromium looks at the levels of tracks that are played.
	tab.Wait("Go's sound", `other().tracks.length === 1`)
	tab.Do(`window.player = Object.assign(document.createElement('audio'), { autoplay: true, srcObject: other().tracks[0].stream }), undefined`)
	tab.Wait("Go speaking", `happened('activespeaker', (e) => e.peer?.name === '고퍼') === 1`)
	tab.Do(`window.voice = room.publish(tone()), undefined`)
	hears("the page sounds", func(p noom.Peer) bool { return p != nil && p.Name() == "지우" })
	tab.Do(`voice.setMuted(true)`)
	hears("the page is muted", func(p noom.Peer) bool { return p == nil })

	if err := room.Senders()[0].SetMuted(true); err != nil {
		t.Fatal(err)
	}
	tab.Wait("silence", `log.filter((e) => e.type === 'activespeaker').at(-1).peer === null`)
	if err := room.Senders()[0].SetMuted(false); err != nil {
		t.Fatal(err)
	}
	tab.Wait("Go speaking again", `log.filter((e) => e.type === 'activespeaker').at(-1).peer?.name === '고퍼'`)
	if n := browsertest.Eval[int](tab, `happened('activespeaker')`); n != 3 {
		t.Errorf("the page was told of %d changes, want 3", n)
	}
	tab.Do(`room.leave(); hush()`)
}
