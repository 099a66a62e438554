package main

import (
	"fmt"
	"net/url"
	"testing"

	"noom/internal/browsertest"
	"noom/internal/commandtest"
)

// serveHere runs the program until the test ends, and returns its URL.
func serveHere(t *testing.T, flags ...string) string {
	t.Helper()
	return commandtest.Serve(t, program, flags...)
}

// exposeRoom is run before the page's own scripts: it lets a test see the
// page's connections, and so its statistics.
const exposeRoom = `
	window.connections = [];
	window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(...args) { super(...args); window.connections.push(this); }
	};
	// Sums a field of the statistics of all living connections.
	window.stat = async (type, kind, field) => {
		let sum = 0;
		for (const c of window.connections) {
			if (c.connectionState === 'closed') continue;
			for (const s of (await c.getStats()).values()) {
				if (s.type === type && (!kind || s.kind === kind)) sum += s[field] ?? 0;
			}
		}
		return sum;
	};
	// The colour in the middle of a video's picture.
	window.centre = (video) => {
		const canvas = document.createElement('canvas');
		canvas.width = video.videoWidth;
		canvas.height = video.videoHeight;
		const context = canvas.getContext('2d', { willReadFrequently: true });
		context.drawImage(video, 0, 0);
		return [...context.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data].slice(0, 3);
	};
	// A browser's fake cameras all look alike, and Firefox has only one, and no screen. This makes
	// the one chosen with a device id a red one, so that a switch can be seen, and so is the
	// screen of Firefox. None is large: each page would encode 1280 by 720 for every other member.
	const firefox = navigator.userAgent.includes('Firefox');
	const devices = navigator.mediaDevices;
	const open = devices?.getUserMedia.bind(devices);
	if (open) devices.getUserMedia = async (constraints) => {
		const chosen = constraints.video?.deviceId;
		const video = constraints.video && { ...constraints.video, width: 320, height: 180 };
		if (firefox && chosen) delete video.deviceId;
		const stream = await open({ ...constraints, video });
		if (!chosen) return stream;
		stream.getVideoTracks().forEach((track) => track.stop());
		return new MediaStream([...red().getVideoTracks(), ...stream.getAudioTracks()]);
	};
	if (firefox && open) {
		devices.getDisplayMedia = async () => red();
		const real = devices.enumerateDevices.bind(devices);
		devices.enumerateDevices = async () => {
			const all = await real();
			const more = (kind) => all.some((d) => d.kind === kind) ? [1, 2].map((n) => ({ kind, deviceId: 'noom ' + n, label: 'Fake ' + kind + ' ' + n, groupId: '' })) : [];
			return [...all, ...more('videoinput')];
		};
	}
	const red = () => {
		const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
		const context = canvas.getContext('2d');
		let hue = 0;
		setInterval(() => {
			context.fillStyle = 'rgb(200 ' + (hue = (hue + 1) % 30) + ' 0)';
			context.fillRect(0, 0, 320, 180);
		}, 50);
		return canvas.captureStream(20);
	};
	window.tiles = () => [...document.querySelectorAll('[data-member]')];
	window.named = (name) => window.tiles().find((t) => t.querySelector('[data-name]').textContent === name);
`

// enter opens the page in a new tab and joins room as name.
func enter(t *testing.T, b *browsertest.Browser, server, room, name string) *browsertest.Tab {
	t.Helper()
	return enterAfter(b, "", server, room, name)
}

// enterAfter is enter, with JavaScript that runs before the page's own.
func enterAfter(b *browsertest.Browser, prepare, server, room, name string) *browsertest.Tab {
	tab := b.Open(fmt.Sprintf("%s/?autojoin=1&name=%s#/%s", server, url.QueryEscape(name), url.PathEscape(room)), exposeRoom+prepare)
	tab.Wait(name+" is in the call", `!document.getElementById('call').hidden`)
	return tab
}

// seesAndHears waits until the tab decodes moving pictures and sound from so many others.
func seesAndHears(t *testing.T, tab *browsertest.Tab, others int) {
	t.Helper()
	tab.Wait(fmt.Sprintf("%d tiles", others), fmt.Sprintf(`tiles().length === %d`, others))
	tab.Wait("every tile connected", `tiles().every((t) => t.dataset.state === 'connected')`)
	tab.Wait("every picture is there", `tiles().every((t) => t.querySelector('video').videoWidth > 0)`)
	tab.Wait("frames are decoded", `(async () => {
		const before = await stat('inbound-rtp', 'video', 'framesDecoded');
		await new Promise((resolve) => setTimeout(resolve, 300));
		return before > 0 && (await stat('inbound-rtp', 'video', 'framesDecoded')) > before;
	})()`)
	tab.Wait("sound is heard", `(async () => (await stat('inbound-rtp', 'audio', 'totalAudioEnergy')) > 0)()`)
}

func TestTwoTabs(t *testing.T) { browsertest.EachPairIfAsked(t, testTwoTabs) }

func testTwoTabs(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	server := serveHere(t)
	b1, b2 := kinds.Start(t)
	jiwoo := enter(t, b1, server, "데모", "지우")
	bob := enter(t, b2, server, "데모", "bob")
	seesAndHears(t, jiwoo, 1)
	seesAndHears(t, bob, 1)
	bob.Wait("the Korean name", `named('지우')`)
	jiwoo.Wait("the English name", `named('bob')`)
	jiwoo.Screenshot("two")

	chats(bob, jiwoo)
	renames(bob, jiwoo)
	mutes(bob, jiwoo)
	switchesCamera(t, bob, jiwoo)
	sharesScreen(bob, jiwoo)
	leavesAndReturns(t, bob, jiwoo)
	reloads(t, bob, jiwoo)
}

func chats(bob, jiwoo *browsertest.Tab) {
	for _, text := range []string{"안녕하세요, 밥!", `<img src=x onerror="document.title='broken'">`, "\u202eabc\u202c <b>bold</b>"} {
		bob.Fill("form#chat [name=text]", text)
		bob.Click("form#chat [type=submit]")
		jiwoo.Wait("the message as text", fmt.Sprintf(`document.getElementById('messages').lastElementChild.textContent === 'bob' + %q`, text))
		bob.Wait("one's own message", fmt.Sprintf(`document.getElementById('messages').lastElementChild.textContent === 'bob (you)' + %q`, text))
	}
	jiwoo.Wait("no markup came of it", `!document.querySelector('#messages img, #messages li b b')`)
}

func renames(bob, jiwoo *browsertest.Tab) {
	bob.Fill("#rename [name=name]", "민준")
	bob.Click("#rename button")
	jiwoo.Wait("the new name", `named('민준') && !named('bob')`)
}

func mutes(bob, jiwoo *browsertest.Tab) {
	const energy = `stat('inbound-rtp', 'audio', 'totalAudioEnergy')`
	const rising = `(async () => {
		const before = await ` + energy + `;
		await new Promise((resolve) => setTimeout(resolve, 1500));
		return (await ` + energy + `) - before;
	})()`
	bob.Click("#mute")
	jiwoo.Wait("the mark", `'muted' in tiles()[0].dataset`)
	jiwoo.Wait("silence", rising+`.then((d) => d < 1e-6)`)
	bob.Click("#mute")
	jiwoo.Wait("no mark", `!('muted' in tiles()[0].dataset)`)
	jiwoo.Wait("sound", rising+`.then((d) => d > 1e-6)`)
	bob.Click("#camera")
	jiwoo.Wait("camera off", `tiles()[0].dataset.camera === 'off'`)
	bob.Click("#camera")
	jiwoo.Wait("camera on", `tiles()[0].dataset.camera === 'on'`)
}

func switchesCamera(t *testing.T, bob, jiwoo *browsertest.Tab) {
	t.Helper()
	jiwoo.Wait("a picture that is not red", `(([r, g]) => r < 120 || g > 100)(centre(tiles()[0].querySelector('video')))`)
	connections := browsertest.Eval[int](jiwoo, `connections.length`)
	bob.Do(`{
		const select = document.getElementById('cameras');
		select.selectedIndex = 2;
		select.dispatchEvent(new Event('change'));
	}`)
	jiwoo.Wait("a red picture", `(([r, g]) => r > 150 && g < 60)(centre(tiles()[0].querySelector('video')))`)
	if now := browsertest.Eval[int](jiwoo, `connections.length`); now != connections {
		t.Errorf("switching the camera took %d new connections", now-connections)
	}
}

func sharesScreen(bob, jiwoo *browsertest.Tab) {
	bob.Click("#screen")
	jiwoo.Wait("a second picture", `document.querySelector('[data-screen] video')?.videoWidth > 0 && tiles().length === 1`)
	bob.Screenshot("screen")
	bob.Click("#screen")
	jiwoo.Wait("the camera alone", `!document.querySelector('[data-screen]') && tiles()[0].dataset.camera === 'on'`)
}

func leavesAndReturns(t *testing.T, bob, jiwoo *browsertest.Tab) {
	t.Helper()
	bob.Click("#leave")
	jiwoo.Wait("an empty room", `tiles().length === 0`)
	bob.Wait("the lobby, with the room in its list", `!document.getElementById('lobby').hidden && document.querySelector('#rooms [data-room="데모"]')`)
	bob.Click(`#rooms [data-room="데모"]`) // the name is filled in
	seesAndHears(t, bob, 1)
	seesAndHears(t, jiwoo, 1)
}

func reloads(t *testing.T, bob, jiwoo *browsertest.Tab) {
	t.Helper()
	bob.Reload()
	bob.Wait("in the call again", `!document.getElementById('call').hidden && tiles().length === 1`)
	seesAndHears(t, jiwoo, 1)
}

// A page that dies says no goodbye: its tile stays until its connection is dead.
func TestCrashedTab(t *testing.T) { browsertest.EachPairIfAsked(t, testCrashedTab) }

func testCrashedTab(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	server := serveHere(t)
	b1, b2 := kinds.Start(t)
	jiwoo := enter(t, b1, server, "데모", "지우")
	bob := enter(t, b2, server, "데모", "bob")
	seesAndHears(t, jiwoo, 1)
	bob.Crash()
	jiwoo.Wait("nobody", `tiles().length === 0`)
}

// A refused camera is no obstacle to a call.
func TestReceiveOnly(t *testing.T) { browsertest.EachAlike(t, testReceiveOnly) }

func testReceiveOnly(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	server := serveHere(t)
	refusing := kinds.One.Start(t, browsertest.DevicesRefused).In("ko")
	giving := kinds.Two.Start(t)
	viewer := enter(t, refusing, server, "데모", "민준")
	viewer.Wait("what is the matter, in Korean", `document.getElementById('notice').textContent.includes('카메라')`)
	bob := enter(t, giving, server, "데모", "bob")
	seesAndHears(t, viewer, 1)
	bob.Wait("a tile without a picture", `named('민준')?.dataset.camera === 'off' && named('민준').dataset.state === 'connected' && 'muted' in named('민준').dataset`)
	viewer.Screenshot("receive-only")
}
