package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"noom"
	"noom/cmd/noom/serve"
	"noom/examples/browser-server/page"
	"noom/internal/browsertest"
	"noom/signal/hub"
	"noom/transport/ws"
)

// The page by keyboard alone, and with a screen reader.
func TestKeyboard(t *testing.T) { browsertest.EachKindIfAsked(t, testKeyboard) }

func testKeyboard(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	tab := enter(t, kind.Start(t, browsertest.FocusIsOurs), server, "데모", "지우")
	tab.Wait("its devices are open", `document.getElementById('mute').ariaPressed === 'false' && document.getElementById('camera').ariaPressed === 'false'`)
	for _, pressed := range []string{"true", "false"} {
		tab.Keys("m")
		tab.Wait("M", fmt.Sprintf(`document.getElementById('mute').ariaPressed === %q`, pressed))
		tab.Keys("v")
		tab.Wait("V", fmt.Sprintf(`document.getElementById('camera').ariaPressed === %q`, pressed))
	}
	tab.Keys("?")
	tab.Wait("the list of keys", `document.getElementById('keys').open && document.getElementById('keys').innerText.includes('Share the screen')`)
	tab.Screenshot("keys")
	tab.Keys("?")
	tab.Wait("no list", `!document.getElementById('keys').open`)
	for _, sharing := range []string{"true", "false"} {
		tab.Keys("s")
		tab.Wait("S", fmt.Sprintf(`document.getElementById('screen').ariaPressed === %q`, sharing))
	}
	tab.Keys("h")
	tab.Wait("H", `document.getElementById('hand').ariaPressed === 'true'`)
	tab.Keys("r")
	tab.Wait("R", shown("reactions")+` && document.activeElement.ariaLabel === 'Thumbs up'`)
	tab.Keys("\x1b")
	tab.Wait("Escape closes the reactions", `!`+shown("reactions")+` && document.activeElement.id === 'react'`)
	tab.Do(`document.activeElement.blur()`)
	tab.Keys("\r")
	tab.Wait("Enter goes to the chat", `document.activeElement.name === 'text'`)
	tab.Keys("mv 한\r")
	tab.Wait("letters are letters there", `document.getElementById('messages').lastElementChild.textContent === '지우 (you)mv 한' && document.getElementById('mute').ariaPressed === 'false'`)

	// Round with Tab: every control, with a name, and a ring around it.
	tab.Do(`document.activeElement.blur(); window.reached = new Map()`)
	for range 24 {
		tab.Keys("\t")
		tab.Do(`{
			const e = document.activeElement;
			const name = e.ariaLabel || e.labels?.[0]?.textContent || e.textContent.trim();
			if (e !== document.body) reached.set(e.id || e.name || e.type, name && getComputedStyle(e).outlineStyle === 'solid' && getComputedStyle(e).outlineWidth === '3px');
		}`)
	}
	for _, id := range []string{"mute", "camera", "screen", "cameras", "microphones", "hand", "react", "record", "attach", "chat-toggle", "leave", "copy", "name", "text"} {
		if !browsertest.Eval[bool](tab, fmt.Sprintf(`reached.get(%q) === true`, id)) {
			t.Errorf("Tab does not reach %s, or it has no name or no ring: %s", id, browsertest.Eval[string](tab, `JSON.stringify([...reached])`))
		}
	}
	tab.Do(`document.getElementById('leave').focus()`)
	tab.Keys("\r")
	tab.Wait("Enter on a button presses it", `!document.getElementById('lobby').hidden`)
	tab.Do(`document.querySelector('#join [name=name]').focus()`)
	tab.Keys("\r")
	tab.Wait("Enter joins", `!document.getElementById('call').hidden`)
	g := enterGo(t, server, "데모", "고퍼")
	seesAndHears(t, tab, 1)
	byKeysAlone(t, tab, g)
}

// byKeysAlone leaves the call, and comes in again and does everything there with nothing but keys. Where the focus goes when
// what had it is gone, it says too.
func byKeysAlone(t *testing.T, tab *browsertest.Tab, g *gopher) {
	t.Helper()
	to := func(selector string) {
		t.Helper()
		for range 40 {
			if browsertest.Eval[bool](tab, fmt.Sprintf(`document.activeElement.matches(%q)`, selector)) {
				return
			}
			tab.Keys("\t")
		}
		t.Fatalf("Tab does not come to %s: it is at %s", selector, browsertest.Eval[string](tab, `document.activeElement.outerHTML`))
	}
	at := func(what, selector string) {
		t.Helper()
		tab.Wait(what, fmt.Sprintf(`document.activeElement.matches(%q)`, selector))
	}
	at("the room's name after joining", "#room-name")
	to("#leave")
	tab.Keys("\r")
	at("the lobby's title after leaving", "#lobby h1")
	to("#join [name=name]")
	tab.Keys("bob")
	to("#join button")
	tab.Keys("\r")
	at("the room's name", "#room-name")
	tab.Wait("another name", `document.getElementById('rename').elements.name.value === 'bob' && tiles()[0]?.querySelector('video').videoWidth > 0`)
	sendsFiles(t, tab, g, to, at)
	to("[data-member] .pin")
	tab.Wait("a button that can be seen", `getComputedStyle(document.activeElement).opacity === '1'`)
	tab.Keys("\r")
	tab.Wait("the member on the stage", atPlace(member, "stage"))
	tab.Keys("mv")
	tab.Wait("neither heard nor seen", `['mute', 'camera'].every((id) => document.getElementById(id).ariaPressed === 'true')`)
	to("#chat [name=text]")
	tab.Keys("hi\r")
	says(tab, "bob (you)hi")
	to("#settings")
	tab.Keys("\r")
	to("#noise")
	tab.Keys(" ")
	tab.Wait("a choice", `!document.getElementById('noise').checked`)
	tab.Keys("\x1b")
	at("the button after its choices", "#settings[aria-expanded=false]")
	tab.Wait("no choices", `!`+shown("noise"))
	to("#chat-toggle")
	tab.Keys("\r")
	tab.Wait("no chat", `!`+shown("messages"))
	tab.Keys("\r")
	tab.Wait("the chat", shown("messages"))
	to("#leave")
	tab.Keys("\r")
	at("the lobby's title", "#lobby h1")
}

// sendsFiles offers a file to everyone, and one to a member, and takes one that is offered. The browser's own dialog does not
// open: what would be chosen there is put in its place.
func sendsFiles(t *testing.T, tab *browsertest.Tab, g *gopher, to func(string), at func(what, selector string)) {
	t.Helper()
	tab.Do(filesPage + `
		window.chooses = 0;
		document.getElementById('attached').addEventListener('click', (event) => {
			event.preventDefault();
			chooses++;
			event.target.files = carried('drop', chooses + '번.txt', '내용').dataTransfer.files;
			event.target.dispatchEvent(new Event('change'));
		});`)
	for i, button := range []string{"#attach", `[data-member] .attach`} {
		to(button)
		tab.Keys("\r")
		file := g.offered(t)
		tab.Wait(button, fmt.Sprintf(`chooses === %d && lastFile().querySelector('b').textContent === %q`, i+1, []string{"bob (you) to everyone", "bob (you) to 고퍼"}[i]))
		if name := fmt.Sprintf("%d번.txt", i+1); file.Name() != name {
			t.Errorf("%s offers %q, want %q", button, file.Name(), name)
		}
		file.Decline()
		tab.Wait("that it is declined", `fileSays() === 'Declined'`)
	}
	tab.Wait("their names", `document.getElementById('attach').ariaLabel === 'Send a file' && document.querySelector('[data-member] .attach').ariaLabel === 'Send 고퍼 a file'`)

	result := make(chan error, 1)
	go func() {
		result <- g.Peers()[0].SendFile(t.Context(), "보고서.pdf", strings.NewReader("내용"), nil)
	}()
	tab.Wait("an offer", `lastFile().querySelectorAll('button').length === 2`)
	to("#messages li.file:last-child .primary")
	tab.Keys("\r")
	if err := <-result; err != nil {
		t.Error(err)
	}
	tab.Wait("that it is saved", `fileSays() === 'Saved' && saved.length === 2 && saved[1] === '보고서.pdf'`)
	at("the chat after its last button", "#log")
}

// The screen stays on for as long as the call takes, also when the page was hidden meanwhile; what the browser does to the
// sound is switched, in the call, with the microphone that is open; and nothing is opened twice, or stays open.
func TestDuringCall(t *testing.T) { browsertest.EachKind(t, testDuringCall) }

func testDuringCall(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	tab := enterAfter(kind.Start(t), `
		window.locks = [];
		Object.defineProperty(navigator, 'wakeLock', { value: { request: async (what) => {
			const lock = { what, held: true, release: async () => { lock.held = false; } };
			locks.push(lock);
			return lock;
		} } });
		window.opened = [];
		const give = navigator.mediaDevices?.getUserMedia;
		window.given = [];
		window.live = (kind) => given.filter((track) => track.readyState === 'live' && track.kind === kind).length;
		delete window.MediaRecorder;
		window.blurs = []; // what cameras were told, with whether their size was said again
		const { getCapabilities, getSettings } = MediaStreamTrack.prototype;
		Object.assign(MediaStreamTrack.prototype, {
			getCapabilities() { return { ...getCapabilities?.call(this), ...(this.kind === 'video' ? { backgroundBlur: [false, true] } : {}) }; },
			getSettings() { return { ...getSettings.call(this), backgroundBlur: this.blurred ?? false }; },
			async applyConstraints({ backgroundBlur, ...rest }) { this.blurred = backgroundBlur; blurs.push(backgroundBlur + ' ' + ('width' in rest)); },
		});
		if (give) navigator.mediaDevices.getUserMedia = async (wanted) => {
			if (wanted.audio) opened.push(wanted.audio.noiseSuppression + ' ' + wanted.audio.echoCancellation);
			const stream = await give.call(navigator.mediaDevices, wanted);
			given.push(...stream.getTracks());
			return stream;
		};`, serveHere(t), "데모", "지우")
	tab.Wait("the screen is kept on", `locks.length === 1 && locks[0].held && locks[0].what === 'screen'`)
	tab.Do(`document.dispatchEvent(new Event('visibilitychange'))`)
	tab.Wait("again", `locks.length === 2 && locks[1].held`)
	tab.Wait("a microphone", `document.getElementById('mute').ariaPressed === 'false'`)
	tab.Click("#mute")
	tab.Click("#settings")
	tab.Wait("both switches on", `document.getElementById('noise').checked && document.getElementById('echo').checked && `+shown("noise"))
	tab.Wait("no button for what the browser cannot do", shown("hand")+` && !`+shown("record"))
	tab.Screenshot("settings-desktop")
	tab.Click("#blur")
	tab.Wait("a blurred background", `blurs.join() === 'true true' && document.getElementById('blur').checked`)
	tab.Click("#blur")
	tab.Wait("and not", `blurs.join() === 'true true,false true' && !document.getElementById('blur').checked`)
	tab.Click("#blur")
	tab.Wait("and again", `document.getElementById('blur').checked`)
	tab.Click("#noise")
	tab.Wait("sound as it is, and still muted", `opened.join() === 'true true,false true' && document.getElementById('mute').ariaPressed === 'true' && document.getElementById('notice').hidden`)
	tab.Resize(390, 844)
	tab.Screenshot("settings-phone")
	tab.Wait("all of it on a phone", `[...document.querySelectorAll('#devices :is(select, .check)')].filter((e) => e.checkVisibility()).map((e) => e.getBoundingClientRect())
		.every((b) => b.left >= 0 && b.right <= innerWidth && b.top >= 0) && `+shown("cameras"))
	tab.Resize(1280, 800)
	tab.Do(`document.getElementById('noise').click(), document.getElementById('echo').click()`)
	tab.Wait("one microphone, of the last choice", `opened.at(-1) === 'true false' && given.filter(({ kind }) => kind === 'audio').length === opened.length && live('audio') === 1`)
	tab.Click("#leave")
	tab.Wait("the screen may go dark", `!locks.at(-1).held`)
	tab.Wait("nothing is open", `live('audio') + live('video') === 0`)
	tab.Do(`document.querySelector('#join button').click(), document.getElementById('preview-toggle').click()`)
	tab.Wait("the choice is kept", inCall+` && opened.at(-1) === 'true false' && !document.getElementById('echo').checked && blurs.length > 3 && blurs.slice(3).every((told) => told === 'true true') && document.getElementById('blur').checked`)
	tab.Wait("no preview in the call", `document.getElementById('preview').hidden && live('audio') === 1 && live('video') === 1`)
}

// The rest of the controls: the unread mark, the microphone, the link, another member's page as a
// separate one though both share one profile.
func TestControls(t *testing.T) { browsertest.EachAlike(t, testControls) }

func testControls(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	server := serveHere(t)
	b1, b2 := kinds.Start(t)
	jiwoo := enter(t, b1, server, "데모 1", "지우")
	bob := enter(t, b2, server, "데모 1", "bob")
	seesAndHears(t, bob, 1)
	if browsertest.Eval[string](jiwoo, `tiles()[0].dataset.member`) == browsertest.Eval[string](bob, `tiles()[0].dataset.member`) {
		t.Error("two tabs of one profile are the same member")
	}
	jiwoo.Click("#chat-toggle")
	for n := range 2 {
		bob.Fill("form#chat [name=text]", "안녕")
		bob.Click("form#chat [type=submit]")
		jiwoo.Wait("the mark", fmt.Sprintf(`document.getElementById('unread').textContent === '%d' && !document.getElementById('unread').hidden`, n+1))
	}
	jiwoo.Click("#chat-toggle")
	jiwoo.Wait("no mark", `document.getElementById('unread').hidden`)

	// What is typed while a message is on its way stays in the field, and so does what is refused.
	bob.Fill("form#chat [name=text]", "잘 지내?")
	bob.Do(`document.getElementById('chat').requestSubmit()`)
	bob.Fill("form#chat [name=text]", "나는 잘")
	jiwoo.Wait("the message", `document.getElementById('messages').lastElementChild.textContent === 'bob잘 지내?'`)
	bob.Wait("the message here", `document.getElementById('messages').lastElementChild.textContent.endsWith('잘 지내?')`)
	bob.Wait("the next one, still there", `document.getElementById('chat').elements.text.value === '나는 잘'`)
	bob.Do(`{
		const form = document.getElementById('chat');
		form.elements.text.value = '가'.repeat(2000); // 6,000 bytes, and 4,096 are allowed
		form.requestSubmit();
		form.elements.text.value = '나';
	}`)
	bob.Wait("what was refused", `document.getElementById('chat').elements.text.value === '가'.repeat(2000) + ' 나'`)

	if kinds.Two != browsertest.Firefox { // which has one microphone alone
		bob.Do(`{
			const select = document.getElementById('microphones');
			window.before = select.value;
			select.selectedIndex = select.options.length - 1;
			select.dispatchEvent(new Event('change'));
		}`)
		bob.Wait("another microphone", `document.getElementById('microphones').value !== before && document.getElementById('notice').hidden`)
		seesAndHears(t, jiwoo, 1)
	}

	bob.Do(`navigator.clipboard.writeText = async (text) => { window.copied = text; }; document.getElementById('copy').click()`)
	bob.Wait("the link to the room", fmt.Sprintf(`copied === %q`, server+"/#/%EB%8D%B0%EB%AA%A8%201"))
	bob.Do(`navigator.clipboard.writeText = async () => { throw new DOMException('no', 'NotAllowedError'); }; document.getElementById('copy').click()`)
	bob.Wait("the link to copy by hand", `document.getElementById('notice').textContent === copied`)

	bob.Media("prefers-color-scheme", "dark")
	bob.Wait("a dark page", `getComputedStyle(document.body).backgroundColor === 'rgb(18, 20, 24)'`)
	bob.Media("prefers-color-scheme", "light")
	bob.Wait("a light page", `getComputedStyle(document.body).backgroundColor === 'rgb(244, 245, 248)'`)
	const moves = `[...document.querySelectorAll('*')].some((e) => getComputedStyle(e).transitionDuration !== '0s')`
	bob.Media("prefers-reduced-motion", "no-preference")
	bob.Wait("motion", moves)
	bob.Media("prefers-reduced-motion", "reduce")
	bob.Wait("no motion", `!(`+moves+`)`)
}

// A camera that is pulled out in mid-call: the others see that it is off, the
// person reads what happened, and one button brings it back.
func TestUnplugged(t *testing.T) { browsertest.EachAlikeIfAsked(t, testUnplugged) }

func testUnplugged(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	server := serveHere(t)
	b1, b2 := kinds.Start(t)
	jiwoo := enter(t, b1, server, "데모", "지우")
	bob := enter(t, b2, server, "데모", "bob")
	seesAndHears(t, jiwoo, 1)
	bob.Do(`{
		const [track] = document.querySelector('[data-self] video').srcObject.getVideoTracks();
		track.stop();
		track.dispatchEvent(new Event('ended'));
	}`)
	bob.Wait("what happened", `document.getElementById('notice').textContent.includes('unplugged') && document.getElementById('camera').ariaPressed === 'true'`)
	jiwoo.Wait("camera off", `tiles()[0].dataset.camera === 'off' && !('muted' in tiles()[0].dataset)`)
	seesAndHears(t, bob, 1)
	bob.Click("#camera")
	bob.Wait("no notice", `document.getElementById('notice').hidden`)
	seesAndHears(t, jiwoo, 1)

	// A device that another program holds: in words, and nothing changes.
	bob.Do(`navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('busy', 'OverconstrainedError'); }`)
	bob.Do(`document.getElementById('cameras').dispatchEvent(new Event('change'))`)
	bob.Wait("why not", `!document.getElementById('notice').hidden`)
	seesAndHears(t, jiwoo, 1)
	bob.Do(`navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('busy', 'NotReadableError'); }`)
	bob.Do(`document.getElementById('cameras').dispatchEvent(new Event('change'))`)
	bob.Wait("who has it", `document.getElementById('notice').textContent.includes('another program')`)
	jiwoo.Wait("camera off", `tiles()[0].dataset.camera === 'off'`)
}

// A camera or a screen that is chosen in the browser's dialog while its user leaves is not left on.
func TestDeviceChosenTooLate(t *testing.T) { browsertest.EachKindIfAsked(t, testDeviceChosenTooLate) }

func testDeviceChosenTooLate(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	b := kind.Start(t)
	for button, function := range map[string]string{"screen": "getDisplayMedia", "camera": "getUserMedia"} {
		tab := enter(t, b, server, "데모 "+button, "지우")
		tab.Do(fmt.Sprintf(`{
			const real = document.createElement('canvas');
			real.getContext('2d');
			window.stream = real.captureStream(5);
			navigator.mediaDevices.%s = () => new Promise((resolve) => { window.choose = () => resolve(stream); });
			if (%q === 'screen') document.getElementById('screen').click();
			else document.getElementById('cameras').dispatchEvent(new Event('change'));
		}`, function, button))
		tab.Wait("the question", `window.choose`)
		tab.Click("#leave")
		tab.Wait("the lobby", `document.getElementById('call').hidden`)
		tab.Do(`choose()`)
		tab.Wait("no "+button, `stream.getTracks().every((track) => track.readyState === 'ended')`)
		if text := browsertest.Eval[string](tab, `document.getElementById('notice').hidden ? '' : document.getElementById('notice').textContent`); text != "" {
			t.Errorf("%s: the lobby says %q", button, text)
		}
	}
}

// No camera, no microphone: the call takes place all the same.
func TestNoDevices(t *testing.T) { browsertest.EachKind(t, testNoDevices) }

func testNoDevices(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	b := kind.Start(t, browsertest.NoDevices)
	tab := enter(t, b, server, "데모", "지우")
	tab.Wait("what is missing", `document.getElementById('notice').textContent.includes('No camera or microphone')`)
	enterGo(t, server, "데모", "고퍼")
	seesAndHears(t, tab, 1)
	tab.Wait("selects that say so", `document.getElementById('cameras').disabled && document.getElementById('microphones').textContent === 'No microphone'`)
	tab.Click("#mute") // asks again, and reports again
	tab.Wait("still missing", `!document.getElementById('notice').hidden`)
}

// A member without a codec of ours: the page says which member does not see us, and the sound goes
// on.
func TestNotReceived(t *testing.T) { browsertest.EachKindIfAsked(t, testNotReceived) }

func testNotReceived(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	const refuseVideo = `
		const apply = RTCPeerConnection.prototype.setRemoteDescription;
		RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
			if (type !== 'answer') return apply.call(this, { type, sdp });
			const refused = new Set([...sdp.matchAll(/^m=video[^]*?^a=mid:(\S+)/gm)].map((m) => m[1]));
			const bundle = (all, mids) => 'a=group:BUNDLE ' + mids.split(' ').filter((mid) => !refused.has(mid)).join(' ');
			return apply.call(this, { type, sdp: sdp.replace(/^m=video \d+/gm, 'm=video 0').replace(/^a=group:BUNDLE (.*)$/m, bundle) });
		};`
	tab := enterAfter(kind.Start(t), refuseVideo, server, "데모", "bob") // the first, who offers
	viewer, err := noom.Join(t.Context(), ws.Dialer{URL: server + "/ws"}, "데모", &noom.Config{Name: "고퍼"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = viewer.Leave(context.Background()) }() // the test is over
	says(tab, "고퍼 cannot receive your picture")
	tab.Wait("sound that is sent", `(async () => (await stat('outbound-rtp', 'audio', 'packetsSent')) > 20)()`)
	tab.Click("#screen")
	says(tab, "고퍼 cannot receive your screen")
	tab.Screenshot("not-received")
}

// Sound that the browser will not start by itself is started by one tap.
func TestAutoplay(t *testing.T) { browsertest.EachKindIfAsked(t, testAutoplay) }

func testAutoplay(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	b := kind.Start(t, browsertest.AutoplayRefused, browsertest.NoDevices)
	tab := enter(t, b, server, "데모", "지우") // without a camera, which would allow sound
	enterGo(t, server, "데모", "고퍼")
	tab.Wait("the button", `!document.getElementById('unlock').hidden && tiles()[0].querySelector('video').paused`)
	tab.Click("#unlock")
	tab.Wait("sound", `document.getElementById('unlock').hidden && !tiles()[0].querySelector('video').paused`)
}

// A browser that was built without WebRTC, as WebKitGTK mostly is, is said to be one.
func TestBrowserWithoutWebRTC(t *testing.T) {
	t.Parallel()
	server := serveHere(t)
	tab := browsertest.Start(t).Open(server, `for (const name of ['RTCPeerConnection', 'MediaStream', 'MediaStreamTrack']) delete window[name];
		Object.defineProperty(navigator, 'mediaDevices', { value: undefined });`)
	tab.Fill("#join [name=name]", "지우")
	tab.Fill("#join [name=room]", "데모")
	tab.Click("#join button")
	tab.Wait("the sentence", `document.getElementById('notice').textContent.startsWith('This browser cannot take part in calls.')`)
	tab.Wait("the form again", `!document.querySelector('#join button').disabled`)
}

// Back, forward and reload: the others see the member go at once and come again.
func TestHistory(t *testing.T) { browsertest.EachPairIfAsked(t, testHistory) }

func testHistory(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	server := serveHere(t)
	b1, b2 := kinds.Start(t)
	jiwoo := enter(t, b1, server, "데모", "지우")
	bob := enter(t, b2, server, "데모", "bob")
	seesAndHears(t, jiwoo, 1)
	id := browsertest.Eval[string](jiwoo, `tiles()[0].dataset.member`)
	for _, turn := range []struct{ away, back func() }{
		{func() { bob.Navigate(server + "/?elsewhere") }, bob.Back},
		{bob.Back, bob.Forward},
		{bob.Reload, func() {}},
	} {
		turn.away()
		jiwoo.Wait("gone", fmt.Sprintf(`!document.querySelector('[data-member=%q]')`, id))
		turn.back()
		bob.Wait("in the call again", `!document.getElementById('call').hidden && tiles().length === 1`)
		seesAndHears(t, jiwoo, 1)
		next := browsertest.Eval[string](jiwoo, `tiles()[0].dataset.member`)
		if next == id {
			t.Error("the same member: its page was never left")
		}
		id = next
	}
	jiwoo.Wait("nobody twice", `tiles().length === 1`)
}

// Names and texts that would be markup, or turn the page's writing round.
func TestHostileText(t *testing.T) { browsertest.EachAlike(t, testHostileText) }

func testHostileText(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	server := serveHere(t)
	b1, b2 := kinds.Start(t)
	jiwoo := enter(t, b1, server, "데모", "지우")
	const markup = `<img src=x onerror="document.title='broken'">`
	mallory := enter(t, b2, server, "데모", markup)
	jiwoo.Wait("the name as text", fmt.Sprintf(`named(%q) && document.getElementById('messages').textContent.includes(%q)`, markup, markup))
	for name, refused := range map[string]bool{
		strings.Repeat("가", 3413): true, // 10 kB
		"a\u202eb":                true, // turns round what follows
		"שלום عليكم":              false,
		"<b>x</b>&amp;":           false,
		"a\u2028b":                true,
	} {
		mallory.Do(fmt.Sprintf(`{
			const { name } = document.getElementById('rename').elements;
			document.getElementById('notice').hidden = true;
			name.maxLength = 1e6;
			name.value = %q;
			document.getElementById('rename').requestSubmit();
		}`, name))
		if refused {
			mallory.Wait(fmt.Sprintf("%.20q is refused", name), `document.getElementById('notice').textContent.includes('nickname cannot be used') && !document.getElementById('notice').hidden`)
		} else {
			jiwoo.Wait(fmt.Sprintf("%q as text", name), fmt.Sprintf(`named(%q)`, name))
		}
	}
	mallory.Do(`{
		const { text } = document.getElementById('chat').elements;
		text.maxLength = 1e6;
		text.value = 'x'.repeat(10000);
		document.getElementById('chat').requestSubmit();
	}`)
	mallory.Wait("10 kB is too long", `document.getElementById('notice').textContent.includes('too long') && document.querySelector('#chat [name=text]').value.length === 10000`)
	mallory.Fill("form#chat [name=text]", "\u202e"+strings.Repeat("W", 1500))
	mallory.Click("form#chat [type=submit]")
	jiwoo.Wait("a long line is broken, and turns round nothing else", `(() => {
		const last = document.getElementById('messages').lastElementChild;
		return last.textContent.includes('WWW') && last.scrollWidth <= last.clientWidth && getComputedStyle(last).unicodeBidi === 'isolate';
	})()`)
	jiwoo.Wait("no markup came of any of it", `!document.querySelector('#call img, #call b b') && document.title === '데모 · noom'`)
}

// The lock next to a name shows the safety number, the same to both and to Go.
func TestSafetyNumber(t *testing.T) { browsertest.EachAlikeIfAsked(t, testSafetyNumber) }

func testSafetyNumber(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	server := serveHere(t)
	b1, b2 := kinds.Start(t)
	b1, b2 = b1.In("ko"), b2.In("ko")
	jiwoo, bob := enter(t, b1, server, "데모", "지우"), enter(t, b2, server, "데모", "bob")
	g := enterGo(t, server, "데모", "고퍼")
	seesAndHears(t, jiwoo, 2)
	numbers := make(map[string]string)
	for _, look := range []struct {
		tab *browsertest.Tab
		at  string
	}{{jiwoo, "bob"}, {bob, "지우"}, {jiwoo, "고퍼"}} {
		look.tab.Do(fmt.Sprintf(`named(%q).querySelector('.safety').click()`, look.at))
		look.tab.Wait("the number", fmt.Sprintf(`document.getElementById('safety').open && document.getElementById('safety-title').textContent === '%s 님과의 안전 번호'`, look.at))
		look.tab.Screenshot("safety-" + look.at)
		numbers[look.at] = browsertest.Eval[string](look.tab, `[...document.querySelectorAll('#safety-digits span, #safety-emoji span')].map((e) => e.textContent).join(' ')`)
		look.tab.Resize(320, 568)
		look.tab.Wait("all of it on a small phone", `(({ left, right, top, bottom }) => left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight)(document.getElementById('safety').getBoundingClientRect()) && document.getElementById('safety').scrollWidth <= document.getElementById('safety').clientWidth`)
		look.tab.Screenshot("safety-small-" + look.at)
		look.tab.Resize(1280, 800)
		look.tab.Keys("\r")
		look.tab.Wait("no number any more", `!document.getElementById('safety').open`)
	}
	if numbers["bob"] != numbers["지우"] || len(strings.Fields(numbers["bob"])) != 36 {
		t.Errorf("bob and 지우 see %q and %q", numbers["bob"], numbers["지우"])
	}
	i := slices.IndexFunc(g.Peers(), func(p noom.Peer) bool { return p.Name() == "지우" })
	if n := g.Peers()[i].SafetyNumber(); numbers["고퍼"] != n.Emoji+" "+n.Digits {
		t.Errorf("Go sees %v, the page %q", n, numbers["고퍼"])
	}
	if browsertest.Eval[bool](jiwoo, `[...document.querySelectorAll('[data-self] .safety')].some((e) => e.checkVisibility())`) {
		t.Error("there is a lock on one's own tile")
	}
}

// In a Korean browser every word is Korean, and in a Japanese one Japanese.
func TestLanguages(t *testing.T) { browsertest.EachKind(t, testLanguages) }

func testLanguages(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server, b := serveHere(t), kind.Start(t)
	for language, letters := range map[string]string{"ko": `\p{Hangul}`, "ja": `[\p{Hiragana}\p{Katakana}\p{Han}]`} {
		speaks(t, b.In(language), server, language, regexp.MustCompile(letters))
	}
}

// speaks checks that every word of the page has such letters.
func speaks(t *testing.T, b *browsertest.Browser, server, language string, letters *regexp.Regexp) {
	t.Helper()
	tab := enter(t, b, server, "room", "name")
	tab.Screenshot("language-" + language)
	words := browsertest.Eval[[]string](tab, `[document.documentElement.lang + ' ' + document.documentElement.dir, ...[...document.querySelectorAll('[data-t], [data-t-label], #call footer button > span, #count, #messages li')].map((e) => e.ariaLabel || e.placeholder || e.textContent)]`)
	if words[0] != language+" ltr" || len(words) < 20 {
		t.Errorf("the page says %q", words)
	}
	for _, w := range words[1:] {
		if w != "" && !letters.MatchString(w) {
			t.Errorf("%q is not of the language %s", w, language)
		}
	}
	tab.Resize(390, 844)
	tab.Wait("all of it on a phone", laidOut)
	tab.Screenshot("language-phone-" + language)
	tab.Close()
}

// Over plain http, from another machine, there is neither camera nor
// cryptography: one line says what to do.
func TestInsecure(t *testing.T) { browsertest.EachKind(t, testInsecure) }

func testInsecure(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t, "-hosts", "noom.lan")
	b := kind.Start(t, browsertest.NoomLANIsHere)
	tab := b.Open(strings.Replace(server, "127.0.0.1", "noom.lan", 1)+"/?autojoin=1&name=x#/데모", "")
	tab.Allow("Cross-Origin-Opener-Policy") // Chromium says that it ignores it here
	tab.Wait("the line", `!window.isSecureContext && document.getElementById('notice').textContent.includes('https')`)
	tab.Fill("#join [name=name]", "x")
	tab.Click("#join button")
	tab.Wait("the same line, and the lobby", `document.getElementById('notice').textContent.includes('https') && !document.getElementById('lobby').hidden && !document.querySelector('#join button').disabled`)
}

// A page whose timers stand still for a minute, as they may in the background:
// it stays a member, its call goes on, and then it works as before. The hub's
// clock runs twenty times as fast, so that the minute takes three seconds.
func TestBackground(t *testing.T) { browsertest.EachKindIfAsked(t, testBackground) }

func testBackground(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	h := hub.New(&hub.Config{Heartbeat: 500 * time.Millisecond})
	server := httptest.NewServer(serve.Handler(page.Files, h, ws.AcceptOptions{}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = h.Shutdown(ctx) // the tabs are gone or about to be
		server.Close()
	})
	b := kind.Start(t)
	g := enterGo(t, server.URL, "데모", "고퍼")
	tab := b.Open(server.URL+"/?autojoin=1&name=지우#/데모", exposeRoom+`
		window.held = null; // callbacks, while timers stand still
		window.realTimeout = setTimeout;
		for (const name of ['setTimeout', 'setInterval']) {
			const real = window[name];
			window[name] = (f, ...rest) => real((...args) => (held ? held.push(() => f(...args)) : f(...args)), ...rest);
		}`)
	tab.Wait("in the call", `!document.getElementById('call').hidden`)
	seesAndHears(t, tab, 1)
	before := browsertest.Eval[int](tab, `connections.length`)
	tab.Do(`window.held = [], new Promise((resolve) => realTimeout(resolve, 3500))`)
	if n := browsertest.Eval[int](tab, `held.length`); n == 0 {
		t.Error("no timer was held back")
	}
	tab.Do(`for (const f of held.splice(0)) f(); window.held = null`)
	tab.Wait("nothing was lost", `document.getElementById('notice').hidden && tiles().length === 1`)
	seesAndHears(t, tab, 1)
	if n := browsertest.Eval[int](tab, `connections.length`); n != before {
		t.Errorf("%d new connections", n-before)
	}
	if err := g.Chat(t.Context(), "아직 거기 있어?"); err != nil {
		t.Fatal(err)
	}
	tab.Wait("chat", `document.getElementById('messages').textContent.includes('아직 거기 있어?')`)
}

// TestDrawingInItsTurn: of a crowd that comes and goes in a moment nothing is drawn, and what
// is drawn leaves the page its turn in between.
func TestDrawingInItsTurn(t *testing.T) { browsertest.EachKindIfAsked(t, testDrawingInItsTurn) }

func testDrawingInItsTurn(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	tab := kind.Start(t).Open(server, "")
	drawn := browsertest.Eval[[]string](tab, `import('./soon.js').then(({ soon, never }) => new Promise((done) => {
		const log = [];
		const busy = () => { for (const end = performance.now() + 20; performance.now() < end;); };
		soon('one', () => log.push('no more'));
		soon('one', () => { log.push('one'); busy(); setTimeout(() => log.push('a turn')); });
		soon('gone', () => log.push('gone'));
		soon('two', () => { log.push('two'); done(log); });
		never('gone');
		for (let i = 0; i < 100; i++) {
			soon(i, () => log.push(String(i)));
			never(i);
		}
	}))`)
	if fmt.Sprint(drawn) != "[one a turn two]" {
		t.Errorf("drawn: %q", drawn)
	}
	findsHub(t, tab, server)
}

// findsHub joins, from a page, by an address without a path, over WebSocket and over HTTP, and goes away as a page does.
func findsHub(t *testing.T, tab *browsertest.Tab, server string) {
	t.Helper()
	gone := make(chan noom.PeerLeft, 2)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: server}, "데모", nil)
	if err != nil {
		t.Fatal(err)
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		for {
			event, err := room.Next(context.Background())
			if err != nil {
				return
			}
			if left, is := event.(noom.PeerLeft); is {
				gone <- left
			}
		}
	}()
	defer func() {
		_ = room.Leave(context.Background()) // the test is over
		<-followed
	}()
	for _, transport := range []string{"websocket", "http"} {
		tab.Do(fmt.Sprintf(`import('./noom/noom.js').then(async ({ join }) => { window.room = await join(%q, '데모', { name: %q, transport: %q }); })`,
			strings.Replace(server, "http", "ws", 1), transport, transport))
		tab.Wait("the member", `room.peers.length === 1`)
		tab.Navigate(server)
		select {
		case left := <-gone:
			if left.Reason != noom.ReasonLeft || left.Member.Name != transport {
				t.Errorf("%v left: %v", left.Member, left.Reason)
			}
		case <-time.After(time.Minute):
			t.Fatal("a page that has gone is still a member")
		}
	}
}
