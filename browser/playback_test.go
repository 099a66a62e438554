package browser_test

import (
	"fmt"
	"testing"

	"noom/internal/browsertest"
	"noom/internal/longtest"
)

// plays makes a tab attach every track it gets to elements in its page, and keep what it sees.
const plays = `window.blockings = [];
	room.addEventListener('trackadded', ({ track }) => document.body.append(track.attach()));
	room.addEventListener('trackblocked', (e) => blockings.push([e.track.kind, e.blocked, e.element === document.querySelector(e.track.kind)]));
	window.played = async (kind) => {
		const element = document.querySelector(kind);
		const before = element.currentTime;
		await new Promise((resolve) => setTimeout(resolve, 200));
		return !element.paused && element.currentTime > before;
	}`

// colour is what the one video of a page shows.
const colour = `(() => {
	const video = document.querySelector('video');
	if (!video?.videoWidth) return '';
	const context = Object.assign(document.createElement('canvas'), { width: 8, height: 8 }).getContext('2d');
	context.drawImage(video, 0, 0, 8, 8);
	const [r, g, b] = context.getImageData(5, 5, 1, 1).data;
	return r > 100 ? 'red' : b > 100 ? 'blue' : g > 100 ? 'green' : 'black';
})()`

// What is attached to an element is played there, through rebuilds, and no longer once it is gone.
func TestAttach(t *testing.T) {
	browsertest.EachKind(t, func(t *testing.T, kind browsertest.Kind) {
		l := newLab(t)
		b := kind.Start(t)
		one, two := l.open(b, ""), l.open(b, "")
		one.Do(`enter('하나')`)
		one.Do(plays)
		two.Do(`enter('two', { tracks: [{ track: picture('rgb(200, 0, 0)'), name: 'camera' }, { track: tone(), name: 'microphone' }] })`)
		for i := range 4 {
			one.Wait("the picture", colour+` === 'red' && played('video') && played('audio')`)
			if i == 3 {
				break
			}
			// The page's own connection ends under it; every second time at the other end.
			[]*browsertest.Tab{one, two}[i%2].Do(`made.at(-1).close(); other().diagnose()`)
			one.Wait("a rebuild", `log.filter((e) => e.type === 'trackchanged' && e.track.kind === 'video').length > `+fmt.Sprint(i))
		}

		one.Do(`window.video = document.querySelector('video'), window.tracks = other().tracks`)
		one.Do(`other().tracks.find((t) => t.kind === 'audio').attach(video)`)
		one.Wait("both in one", `video.srcObject.getTracks().length === 2`)
		one.Do(`tracks.find((t) => t.kind === 'audio').detach(document.querySelector('audio'))`)
		one.Wait("one alone", `document.querySelector('audio').srcObject === null && video.srcObject.getTracks().length === 2`)

		one.Do(`video.pause()`)
		one.Wait("a pause", `(async () => { await new Promise((r) => setTimeout(r, 100)); return video.paused; })()`)
		one.Do(`made.at(-1).close(); other().diagnose()`)
		one.Wait("a rebuild", `log.filter((e) => e.type === 'trackchanged' && e.track.kind === 'video').length > 3`)
		one.Wait("what somebody has paused to stay so", `video.paused && video.srcObject.getVideoTracks()[0] === tracks.find((t) => t.kind === 'video').track`)

		two.Do(`room.leave()`)
		one.Wait("the end", `video.srcObject === null`)
		one.Do(`for (const track of tracks) for (const element of track.detach()) element.remove()`)
		one.Wait("no elements", `!document.querySelector('video') && document.querySelector('audio')`)
		if code := browsertest.Eval[string](one, `(() => { try { tracks[0].attach({}); } catch (e) { return e.code; } })()`); code != "bad_argument" {
			t.Errorf("attached to what is no element: %q", code)
		}
		if blocked := browsertest.Eval[int](one, `blockings.length`); blocked != 0 {
			t.Errorf("%d reports of autoplay that was refused", blocked)
		}
	})
}

// Where the browser starts no sound by itself the page learns of it, and the first touch starts it.
func TestAttachBlocked(t *testing.T) {
	longtest.Only(t)
	browsertest.EachKind(t, func(t *testing.T, kind browsertest.Kind) {
		l := newLab(t)
		one, two := l.open(kind.Start(t, browsertest.AutoplayRefused), ""), l.open(browsertest.Start(t), "")
		one.Do(`enter('하나')`)
		one.Do(plays)
		two.Do(`enter('two', { tracks: [{ track: tone(), name: 'microphone' }] })`)
		one.Wait("it is blocked", `other().tracks[0].blocked && document.querySelector('audio').paused && JSON.stringify(blockings) === '[["audio",true,true]]'`)
		one.Click("html")
		one.Wait("it is played", `!other().tracks[0].blocked && played('audio')`)
		one.Wait("the page knows", `JSON.stringify(blockings.at(-1)) === '["audio",false,true]'`)
	})
}

// noom keeps no element alive: one that plays nothing, and that the page forgets, is collected, though the track goes on.
func TestAttachedElementIsCollected(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := browsertest.Start(t)
	one, two := l.open(b, ""), l.open(b, "")
	one.Do(`enter('하나')`)
	two.Do(`enter('two', { tracks: [{ track: picture('rgb(200, 0, 0)'), name: 'camera' }] })`)
	one.Wait("a track", `other()?.tracks.length === 1`)
	one.Do(`window.collected = 0; window.registry = new FinalizationRegistry(() => collected++);
		(() => { for (let i = 0; i < 50; i++) { const e = other().tracks[0].attach(); e.srcObject = null; registry.register(e); } })()`)
	one.Wait("garbage", `(async () => {
		for (let i = 0; i < 30; i++) new ArrayBuffer(50_000_000);
		await new Promise((resolve) => setTimeout(resolve, 100));
		return collected > 25;
	})()`)
}
