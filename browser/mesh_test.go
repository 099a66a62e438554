package browser_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/media"
	"noom/transport/ws"
)

// Two pages of each kind of browser in one room: everyone sees everyone.
func TestMesh(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	l := newLab(t)
	colours := []string{"rgb(200, 0, 0)", "rgb(0, 0, 200)", "rgb(200, 200, 0)", "rgb(0, 200, 200)"}
	tabs := make([]*browsertest.Tab, len(colours))
	for i, kind := range []browsertest.Kind{browsertest.Firefox, browsertest.Chromium, browsertest.Firefox, browsertest.Chromium} {
		tabs[i] = l.open(kind.Start(t), "")
		tabs[i].Do(fmt.Sprintf(`enter('%d', { tracks: [picture('%s'), tone()] })`, i, colours[i]))
	}
	for at, tab := range tabs {
		tab.Wait("three others", `room.peers.length === 3 && room.peers.every((p) => p.state === 'connected' && p.tracks.length === 2)`)
		for i, colour := range colours {
			if i != at {
				tab.Wait(fmt.Sprintf("the picture of %d", i), fmt.Sprintf(`shows(room.peers.find((p) => p.name === '%d').tracks.find((t) => t.kind === 'video'), [%s])`, i, colour[4:len(colour)-1]))
			}
		}
		tab.Wait("packets on every track", `(async () => {
			for (const p of room.peers) {
				const got = [...(await p.stats()).values()].filter((s) => s.type === 'inbound-rtp' && s.packetsReceived > 5);
				if (got.length !== 2) return false;
			}
			return true;
		})()`)
		if n := browsertest.Eval[int](tab, `happened('peerstatechanged', (e) => e.state === 'failed')`); n != 0 {
			t.Errorf("%d failures", n)
		}
	}
}

// A page whose process dies is gone for the others when its connection is dead, and for Go as well.
func TestCrash(t *testing.T) { browsertest.EachPairIfAsked(t, testCrash) }

func testCrash(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	one, two := l.meet(t, kinds)
	g, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "고퍼"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Leave(context.Background()) }() // the test is over
	one.Wait("both others", `room.peers.length === 2 && room.peers.every((p) => p.state === 'connected')`)
	two.Wait("both others", `room.peers.length === 2 && room.peers.every((p) => p.state === 'connected')`)
	two.Crash()
	// Chromium closes the WebSocket of a page that has crashed as if it had been left.
	one.Wait("its end", `room.peers.length === 1 && happened('peerleft', (e) => e.peer.name === 'two' && ['lost', 'left'].includes(e.reason)) === 1`)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	follow(ctx, t, g, func(e noom.Event) bool {
		left, ok := e.(noom.PeerLeft)
		return ok && left.Member.Name == "two" && (left.Reason == noom.ReasonLost || left.Reason == noom.ReasonLeft)
	})
}

// A page that hangs for some seconds keeps its call, or has it back afterwards, with another page
// and with Go.
func TestFrozen(t *testing.T) { browsertest.EachPairIfAsked(t, testFrozen) }

func testFrozen(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	one, two := l.meet(t, kinds)
	pattern := media.TestPattern(nil)
	defer func() { _ = pattern.Close() }() // nothing to lose
	g, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "고퍼", Tracks: []noom.LocalTrack{{Name: "camera", Track: pattern}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Leave(context.Background()) }() // the test is over
	one.Do(`room.publish(picture('rgb(200, 0, 0)'))`)
	two.Do(`room.publish(picture('rgb(0, 0, 200)'))`)
	const whole = `room.peers.length === 2 && room.peers.every((p) => p.state === 'connected' && p.tracks.length === 1)`
	const called = `room.peers.find((p) => p.name === '%s').tracks[0]`
	see := func() {
		t.Helper()
		one.Wait("both others", whole)
		two.Wait("both others", whole)
		one.Wait("a blue picture", fmt.Sprintf(`shows(`+called+`, [0, 0, 200])`, "two"))
		two.Wait("a red picture", fmt.Sprintf(`shows(`+called+`, [200, 0, 0])`, "하나"))
		two.Wait("moving packets of Go", fmt.Sprintf(`(async () => {
			const peer = room.peers.find((p) => p.name === '%s');
			const count = async () => [...(await peer.stats()).values()].reduce((n, s) => n + (s.type === 'inbound-rtp' ? s.packetsReceived : 0), 0);
			const before = await count();
			await new Promise((resolve) => setTimeout(resolve, 300));
			return (await count()) > before;
		})()`, "고퍼"))
	}
	see()
	two.Do(`stand(8000)`)
	see()
	two.Do(`room.chat('다시 왔어')`)
	one.Wait("what it says", `happened('chatreceived', (e) => e.text === '다시 왔어') === 1`)
	if n := browsertest.Eval[int](one, `happened('peerleft')`); n != 0 {
		t.Errorf("it left %d times", n)
	}
}
