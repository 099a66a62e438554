package browser_test

import (
	"context"
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/media"
	"noom/transport/ws"
)

// watchPictures shows the first track of everyone and measures, as stall, the
// longest that one of them stood still, in ms. Where long tests are asked for, it is judged.
// What is shown is counted as it is shown: Firefox's totalVideoFrames stands still once an
// element has another track.
const watchPictures = `(async () => {
	window.videos = room.peers.map((p) => p.tracks[0].attach(Object.assign(document.createElement('video'), { muted: true, autoplay: true })));
	document.body.append(...videos);
	for (const video of videos) {
		video.shown = 0;
		const next = () => { video.shown++; video.requestVideoFrameCallback(next); };
		next();
	}
	while (!videos.every((v) => v.currentTime > 0.5)) await new Promise((resolve) => setTimeout(resolve, 50));
	window.stall = 0;
	const since = videos.map((v) => ({ at: v.shown, from: performance.now() }));
	setInterval(() => videos.forEach((v, i) => {
		const now = performance.now();
		stall = Math.max(stall, now - since[i].from);
		if (v.shown !== since[i].at) since[i] = { at: v.shown, from: now };
	}), 50);
})()`

// The hub dies under a call of two tabs and a Go member, is away for three seconds and comes back
// empty: no picture stops, no member leaves, and what is said and published then arrives.
func TestHubRestarted(t *testing.T) { browsertest.EachPairAloneIfAsked(t, testHubRestarted) }

func testHubRestarted(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	tabs := []*browsertest.Tab{l.open(b1, ""), l.open(b2, "")}
	for i, tab := range tabs {
		tab.Allow("WebSocket connection", "establish a connection to the server", "Failed to load resource") // that it is refused is the point
		tab.Do([]string{`enter('하나', { tracks: [picture('rgb(200, 0, 0)')] })`, `enter('two', { tracks: [picture('rgb(0, 0, 200)')] })`}[i])
	}
	pattern := media.TestPattern(nil)
	defer func() { _ = pattern.Close() }() // nothing to lose
	g, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{
		Name: "고퍼", Tracks: []noom.LocalTrack{{Name: "camera", Track: pattern}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Leave(context.Background()) }() // the test is over
	for _, tab := range tabs {
		tab.Wait("both others", `room.peers.length === 2 && room.peers.every((p) => p.state === 'connected' && p.tracks[0]?.track)`)
		tab.Do(watchPictures)
	}
	l.killHub()
	for _, tab := range tabs {
		tab.Wait("the loss", `happened('signalinglost') === 1`)
	}
	<-time.After(3 * time.Second)
	l.replaceHub()
	for _, tab := range tabs {
		tab.Wait("the way back", `happened('signalingrestored') === 1`)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	follow(ctx, t, g, func(e noom.Event) bool { _, ok := e.(noom.SignalingRestored); return ok })
	tabs[0].Do(`room.chat('다시 만났네'); room.publish(tone())`)
	tabs[1].Wait("what was said and published", `happened('chatreceived', (e) => e.text === '다시 만났네') === 1 && room.peers.some((p) => p.tracks.length === 2)`)
	follow(ctx, t, g, func(e noom.Event) bool {
		chat, ok := e.(noom.ChatReceived)
		return ok && chat.Text == "다시 만났네"
	})
	for _, tab := range tabs {
		if n := browsertest.Eval[int](tab, `happened('peerleft') + happened('peerstatechanged', (e) => e.state === 'failed')`); n != 0 {
			t.Errorf("%d times somebody left or failed", n)
		}
		stall := browsertest.Eval[float64](tab, `stall`)
		t.Logf("no picture stood still for longer than %.0f ms", stall)
		if stall > 2000 && longtest.Asked() {
			t.Errorf("a picture stood still for %.0f ms", stall)
		}
	}
}

// follow takes events of room until one fits.
func follow(ctx context.Context, t *testing.T, room noom.Room, fits func(noom.Event) bool) {
	t.Helper()
	for {
		event, err := room.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if fits(event) {
			return
		}
	}
}

// The hub is gone for good. Go and a tab move to new connections over the old ones, whichever asks;
// no picture stops, what is published then arrives, and so does a goodbye.
func TestHubGoneForGood(t *testing.T) { browsertest.EachKindAloneIfAsked(t, testHubGoneForGood) }

func testHubGoneForGood(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	tab.Allow("WebSocket connection", "establish a connection to the server", "Failed to load resource")
	tab.Do(`enter('하나', { tracks: [picture('rgb(200, 0, 0)')] })`)
	pattern := media.TestPattern(nil)
	defer func() { _ = pattern.Close() }() // nothing to lose
	g, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{
		Name: "고퍼", Tracks: []noom.LocalTrack{{Name: "camera", Track: pattern}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Leave(context.Background()) }() // the test is over
	tab.Wait("the other", `room.peers.length === 1 && other().state === 'connected' && other().tracks[0]?.track`)
	tab.Do(watchPictures)
	l.killHub()
	tab.Wait("the loss", `happened('signalinglost') === 1`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	follow(ctx, t, g, func(e noom.Event) bool { _, ok := e.(noom.SignalingLost); return ok })

	tab.Do(`window.early = 0; room.addEventListener('trackchanged', (e) => { if (e.track.track.muted) early++; })`)
	p := g.Peers()[0]
	if err := p.RestartICE(ctx); err != nil {
		t.Fatal(err)
	}
	tab.Wait("Go's move", `connections === 2 && other().connection.connectionState === 'connected'`)
	<-time.After(3 * time.Second) // the old connection has gone
	tab.Do(`other().restartICE()`)
	tab.Wait("the tab's move", `connections === 3 && other().connection.connectionState === 'connected'`)
	<-time.After(3 * time.Second)
	second := media.TestPattern(nil)
	defer func() { _ = second.Close() }() // nothing to lose
	if _, err := g.Publish(ctx, second, &noom.PublishOptions{Name: "화면"}); err != nil {
		t.Fatal(err)
	}
	tab.Wait("what is published now", `other().tracks.length === 2 && moving()`)
	stall := browsertest.Eval[float64](tab, `stall`)
	t.Logf("the picture stood still for no longer than %.0f ms", stall)
	if stall > 1000 && longtest.Asked() {
		t.Errorf("the picture stood still for %.0f ms", stall)
	}
	if n := browsertest.Eval[int](tab, `early`); n != 0 {
		t.Errorf("%d times a picture was taken from a connection that had none yet", n)
	}
	if n := browsertest.Eval[int](tab, `happened('peerstatechanged', (e) => e.state !== 'connected' && e.state !== 'connecting')`); n != 0 {
		t.Errorf("the tab saw %d other states", n)
	}
	tab.Do(`room.leave()`)
	follow(ctx, t, g, func(e noom.Event) bool {
		left, ok := e.(noom.PeerLeft)
		return ok && left.Reason == "left"
	})
}

// A new name that is asked for while the hub is dialled again is not taken for the one that the dial has joined with.
func TestRenameDuringRedial(t *testing.T) { browsertest.EachKind(t, testRenameDuringRedial) }

func testRenameDuringRedial(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), `
		window.joins = null; // held back
		window.WebSocket = class extends WebSocket {
			send(data) {
				if (window.joins && data.startsWith('{"type":"join"')) joins.push(() => super.send(data));
				else super.send(data);
			}
		};`)
	tab.Allow("WebSocket")
	tab.Do(`enter('지우')`)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "고퍼"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = room.Leave(t.Context()) }()
	tab.Do(`window.joins = []`)
	l.cut()
	tab.Wait("it dials again", `joins.length === 1`)
	tab.Do(`window.renamed = 'not yet'; room.rename('새 이름').then(() => { window.renamed = room.self.name; }, (error) => { window.renamed = error.code; }), undefined`)
	tab.Do(`for (const join of joins.splice(0)) join(); window.joins = null`)
	tab.Wait("renamed", `renamed === '새 이름'`)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		e, err := room.Next(ctx)
		if err != nil {
			t.Fatalf("the others are not told: %v", err)
		}
		if renamed, ok := e.(noom.PeerRenamed); ok && renamed.Peer.Name() == "새 이름" {
			return
		}
	}
}
