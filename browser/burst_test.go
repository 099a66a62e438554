package browser_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/browsertest"
	"noom/media"
	"noom/transport/ws"
)

// A page and a Go member add kinds at the same time, in every order: pion and
// Chromium number header extensions differently, and a clash would show as a
// description that cannot be applied.
func TestBurstsWithGo(t *testing.T) {
	l := newLab(t)
	tab := l.open(browsertest.Start(t), "")
	sources := map[string]func() *media.Source{
		"audio": media.Tone,
		"video": func() *media.Source { return media.TestPattern(nil) },
	}
	orders := [][]string{{"audio", "video"}, {"video", "audio"}, {"video", "video", "audio"}}
	for _, page := range orders {
		for _, inGo := range orders {
			burst(t, l, tab, page, inGo, sources)
		}
	}
}

func burst(t *testing.T, l *lab, tab *browsertest.Tab, page, inGo []string, sources map[string]func() *media.Source) {
	t.Helper()
	tab.Do(`log.length = 0; enter('지우')`)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", nil)
	if err != nil {
		t.Fatal(err)
	}
	connected(tab)
	tab.Do(fmt.Sprintf(`(async () => {
		for (const [i, kind] of %q.split(' ').entries()) {
			room.publish(kind === 'audio' ? tone() : picture('rgb(200, 0, 0)'), { name: kind + i });
			await new Promise((resolve) => setTimeout(resolve, 10 * i));
		}
	})(), undefined`, strings.Join(page, " ")))
	for i, kind := range inGo {
		source := sources[kind]()
		defer func() { _ = source.Close() }() // nothing to lose
		if _, err := room.Publish(t.Context(), source, &noom.PublishOptions{Name: fmt.Sprint(kind, i)}); err != nil {
			t.Fatal(err)
		}
	}
	tab.Wait(fmt.Sprintf("Go's %v beside %v", inGo, page), fmt.Sprintf(`other().tracks.length === %d`, len(inGo)))
	tab.Wait("packets on every one", fmt.Sprintf(
		`(async () => [...(await other().stats()).values()].filter((s) => s.type === "inbound-rtp" && s.packetsReceived > 5).length === %d)()`, len(inGo)))
	got := make(chan string, 10)
	go func() {
		for event := range room.Events(t.Context()) {
			if e, ok := event.(noom.TrackAdded); ok {
				go firstPacket(e.Track, got)
			}
		}
	}()
	timeout := time.After(30 * time.Second)
	for range page {
		select {
		case <-got:
		case <-timeout:
			t.Fatalf("Go did not get all of %v beside %v", page, inGo)
		}
	}
	if n := browsertest.Eval[int](tab, `happened('peerstatechanged', (e) => e.state === 'failed')`); n != 0 {
		t.Errorf("%v beside %v: %d failures", page, inGo, n)
	}
	if state := room.Peers()[0].Connection().SignalingState(); state != webrtc.SignalingStateStable {
		t.Errorf("%v beside %v: signaling is %s", page, inGo, state)
	}
	tab.Do(`room.leave()`)
	if err := room.Leave(t.Context()); err != nil {
		t.Error(err)
	}
}

func firstPacket(track noom.RemoteTrack, got chan<- string) {
	if _, err := track.ReadRTP(); err == nil {
		got <- track.Name()
	}
}
