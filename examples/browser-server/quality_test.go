package main

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/browsertest"
	"noom/transport/ws"
)

// The sound of a member loses every third packet for a while: its tile shows that, in bars and in words.
func TestQualityIsShown(t *testing.T) { browsertest.EachKind(t, testQualityIsShown) }

func testQualityIsShown(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	tab := enter(t, kind.Start(t), server, "데모", "지우")
	sound, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	var lossy atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for n := uint16(0); t.Context().Err() == nil; n++ {
			if !lossy.Load() || n%3 != 0 {
				silence := []byte{0xf8, 0xff, 0xfe}
				_ = sound.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: n, Timestamp: 960 * uint32(n)}, Payload: silence})
			}
			<-ticker.C
		}
	}()
	t.Cleanup(func() { <-ended })
	r, err := noom.Join(t.Context(), ws.Dialer{URL: server + "/ws"}, "데모", &noom.Config{
		Name: "고퍼", Tracks: []noom.LocalTrack{{Name: "microphone", Track: sound}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Leave(t.Context()) }() // the test is over
	shows := func(quality, words string, bars int) {
		t.Helper()
		tab.Wait(words, fmt.Sprintf(`(() => {
			const [tile] = tiles();
			const shown = tile?.querySelector('.quality');
			return tile?.dataset.state === 'connected' && tile.dataset.quality === %q && shown.ariaLabel === %q && shown.title === %q
				&& shown.getBoundingClientRect().width > 8
				&& [...shown.children].filter((bar) => getComputedStyle(bar).opacity === '1').length === %d;
		})()`, quality, words, words, bars))
	}
	shows("good", "Good connection", 3)
	tab.Wait("the sound", `(async () => (await stat('inbound-rtp', 'audio', 'packetsReceived')) > 20)()`)
	lossy.Store(true)
	shows("poor", "Poor connection", 1)
	tab.Screenshot("quality-poor")
	lossy.Store(false)
	shows("good", "Good connection", 3)
	if w := browsertest.Eval[int](tab, `document.querySelectorAll('.tile[data-self] .quality').length && document.querySelector('.tile[data-self] .quality').getBoundingClientRect().width`); w != 0 {
		t.Error("our own tile has a connection")
	}
}

// A picture that stands still because the way is too narrow says so to those who look and to those who listen: what is
// read out is rendered before anything is in it, and changes once.
func TestPausedPictureIsAnnounced(t *testing.T) {
	browsertest.EachKind(t, testPausedPictureIsAnnounced)
}

func testPausedPictureIsAnnounced(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server, b := serveHere(t), kind.Start(t)
	for language, words := range map[string]string{"en": "No picture: weak network", "ko": "네트워크가 느려 영상이 멈췄습니다"} {
		tab := enter(t, b.In(language), server, "데모", "지우")
		tab.Resize(640, 480)
		got := browsertest.Eval[[]string](tab, `(async () => {
			const { Tile } = await import('./tiles.js');
			const tile = new Tile({ member: '고퍼' });
			tile.name = '고퍼';
			const root = document.querySelector('[data-member="고퍼"]');
			const said = [];
			for (const status of root.querySelectorAll('[role=status]')) {
				const size = status.getBoundingClientRect();
				if (!status.checkVisibility() || size.width + size.height > 0) said.push('an empty status is ' + JSON.stringify(size));
				new MutationObserver(() => said.push(status.textContent))
					.observe(status, { childList: true, characterData: true, subtree: true });
			}
			const turn = () => new Promise((resolve) => setTimeout(resolve));
			for (const paused of [false, true, true]) {
				tile.paused = paused;
				tile.state = 'connected';
				await turn();
			}
			window.resume = async () => {
				tile.paused = false;
				await turn();
				return said;
			};
			return said;
		})()`)
		if !slices.Equal(got, []string{words}) {
			t.Errorf("%s: %q, want %q", language, got, words)
		}
		tab.Screenshot("paused-" + language)
		if got := browsertest.Eval[[]string](tab, `resume()`); !slices.Equal(got, []string{words, ""}) {
			t.Errorf("%s: %q after the picture has come back", language, got)
		}
		tab.Close()
	}
}
