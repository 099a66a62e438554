package browser_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/browsertest"
	"noom/media"
	"noom/signal"
	"noom/transport/ws"
)

// shopper is a member in Go that notes what the page wants of its tracks.
type shopper struct {
	noom.Room

	told chan map[string]int // heights by track id, each time
}

// joinShopper joins a member in Go that sends tracks.
func joinShopper(t *testing.T, l *lab, tracks ...noom.LocalTrack) *shopper {
	t.Helper()
	s := &shopper{told: make(chan map[string]int, 1000)}
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{
		Name: "고퍼", Tracks: tracks, TraceBodies: true,
		Trace: func(e noom.Trace) {
			if e.Kind != noom.TraceReceived || e.Message.Type != signal.TypeWants {
				return
			}
			var w signal.WantsBody
			if err := signal.DecodeBody(e.Message.Body, &w); err != nil {
				t.Error(err)
			}
			s.told <- w.Wants
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = room.Leave(context.Background()) }) // the test is over
	s.Room = room
	return s
}

// waitFor waits until the page says that it wants that.
func (s *shopper) waitFor(t *testing.T, what string, want map[string]int) {
	t.Helper()
	var got map[string]int
	timeout := time.After(time.Minute)
	for {
		select {
		case got = <-s.told:
			if maps.Equal(got, want) {
				return
			}
		case <-timeout:
			t.Fatalf("%s: the page wants %v, want %v", what, got, want)
		}
	}
}

// What a page wants of a picture is what it shows of it: how large, whether in sight, and nothing while it is hidden.
func TestWantsWhatIsShown(t *testing.T) { browsertest.EachKindIfAsked(t, testWantsWhatIsShown) }

func testWantsWhatIsShown(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	tab.Do(`enter('지우')`)
	pattern := media.TestPattern(nil)
	t.Cleanup(func() { _ = pattern.Close() })
	gopher := joinShopper(t, l, noom.LocalTrack{Name: "camera", Track: pattern})
	connected(tab)
	tab.Wait("the track", `other().tracks.length === 1`)
	id := browsertest.Eval[string](tab, `(window.track = other().tracks[0]).id`)
	pixels := func(css float64) map[string]int {
		return map[string]int{id: browsertest.Eval[int](tab, fmt.Sprintf(`Math.ceil(%v * devicePixelRatio)`, css))}
	}
	none := map[string]int{id: 0}

	tab.Do(`window.tile = track.attach(), tile.style = 'display: block; width: 320px; height: 240px', document.body.append(tile),
		document.body.append(Object.assign(document.createElement('div'), { style: 'height: 10000px' })), undefined`)
	tab.Wait("the picture", `tile.videoWidth > 0`)
	shape := browsertest.Eval[float64](tab, `tile.videoHeight / tile.videoWidth`)
	gopher.waitFor(t, "a tile", pixels(min(240, 320*shape)))
	tab.Do(`tile.style.height = '60px'`)
	gopher.waitFor(t, "a small one", pixels(60))
	tab.Do(`scrollTo(0, 9000)`)
	gopher.waitFor(t, "one out of sight", none)
	tab.Do(`scrollTo(0, 0)`)
	gopher.waitFor(t, "one in sight again", pixels(60))
	tab.Do(`tile.style.display = 'none'`)
	gopher.waitFor(t, "one that is not there", none)
	tab.Do(`window.second = track.attach(document.createElement('video')), second.style = 'width: 30px; height: 20px', document.body.prepend(second)`)
	gopher.waitFor(t, "a second one", pixels(min(20, 30*shape)))
	tab.Do(`track.detach(second), second.remove(), tile.style.display = 'block'`)
	gopher.waitFor(t, "the first alone", pixels(60))
	tab.Do(`window.hide = (on) => {
		Object.defineProperty(document, 'hidden', { value: on, configurable: true });
		document.dispatchEvent(new Event('visibilitychange'));
	}, hide(true)`)
	gopher.waitFor(t, "a page that is hidden", none)
	tab.Do(`hide(false)`)
	gopher.waitFor(t, "the page again", pixels(60))
	tab.Do(`made.at(-1).close(); other().diagnose()`)
	gopher.waitFor(t, "another connection", pixels(60))
	tab.Do(`track.want(Infinity)`)
	gopher.waitFor(t, "what the application says", map[string]int{})
	tab.Do(`track.want(17)`)
	gopher.waitFor(t, "what it says then", map[string]int{id: 17})
	tab.Do(`track.want(null), tile.remove()`)
	gopher.waitFor(t, "a tile that was removed", none)
	tab.Do(`track.detach()`)
	gopher.waitFor(t, "what no element plays", map[string]int{})
	if code := browsertest.Eval[string](tab, `(() => { try { track.want(-1); } catch (e) { return e.code; } })()`); code != "bad_argument" {
		t.Errorf("a negative height: %q", code)
	}
}

// A page stops sending what its peer does not want, makes a smaller picture of what the peer shows small, and begins again.
func TestUnwantedIsNotSent(t *testing.T) { browsertest.EachKindIfAsked(t, testUnwantedIsNotSent) }

func testUnwantedIsNotSent(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), `
		window.sends = async (kind) => {
			const stats = async () => [...(await other().stats()).values()].find((s) => s.type === 'outbound-rtp' && s.kind === kind);
			const before = await stats();
			await new Promise((resolve) => setTimeout(resolve, 500));
			const after = await stats();
			return { packets: after.packetsSent - before.packetsSent, height: after.frameHeight };
		}`)
	tab.Do(`enter('지우', { tracks: [picture('rgb(200, 0, 0)'), tone()] })`)
	gopher := joinShopper(t, l)
	connected(tab)
	tab.Wait("a picture", `(async () => (await sends('video')).packets > 0)()`)
	tracks := map[webrtc.RTPCodecType]noom.RemoteTrack{}
	for e := range gopher.Events(t.Context()) {
		if e, ok := e.(noom.TrackAdded); ok {
			tracks[e.Track.Kind()] = e.Track
		}
		if len(tracks) == 2 {
			break
		}
	}
	camera, microphone := tracks[webrtc.RTPCodecTypeVideo], tracks[webrtc.RTPCodecTypeAudio]
	tab.Wait("its full height", `(async () => (await sends('video')).height === 120)()`)
	camera.Want(60)
	tab.Wait("a small picture", `(async () => (await sends('video')).height === 60)()`)
	camera.Want(0)
	tab.Wait("no picture", `(async () => (await sends('video')).packets === 0)()`)
	tab.Wait("still sound", `(async () => (await sends('audio')).packets > 0)()`)
	if kind == browsertest.Chromium {
		microphone.Want(0)
		tab.Wait("no sound", `(async () => (await sends('audio')).packets === 0)()`)
	}
	microphone.Want(-1)
	camera.Want(-1)
	tab.Wait("the picture again", `(async () => { const { packets, height } = await sends('video'); return packets > 0 && height === 120; })()`)
	tab.Wait("the sound again", `(async () => (await sends('audio')).packets > 0)()`)
	camera.Want(0)
	tab.Wait("no picture again", `(async () => (await sends('video')).packets === 0)()`)
	tab.Do(`window.before = other().connection; other().restartICE()`)
	tab.Wait("no picture over another connection", `(async () => other().connection !== before && other().state === 'connected' && before.connectionState === 'closed' && (await sends('video')).packets === 0)()`)
}
