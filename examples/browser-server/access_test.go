package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/media"
	"noom/signal"
	"noom/transport/ws"
)

// axeCore returns axe-core, which npm fetches in the version that testdata/axe pins, from its cache if it is there.
func axeCore(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		browsertest.Without(t, "NO NPM: the page is not held to the rules of accessibility; install Node 20 or later with npm")
	}
	folder := t.TempDir()
	if err = os.CopyFS(folder, os.DirFS("testdata/axe")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	fetch := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-timeout=20000")
	fetch.Dir = folder
	out, err := fetch.CombinedOutput()
	if err != nil {
		browsertest.Without(t, fmt.Sprintf("NO AXE-CORE: the page is not held to the rules of accessibility; npm could not fetch it: %v\n%s", err, out))
	}
	script, err := os.ReadFile(filepath.Join(folder, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// inspects gives the faults that axe-core finds, by all of its rules or by those alone that are named.
const inspects = `(only) => axe.run(document, {
	runOnly: only ? { type: 'rule', values: only } : { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] },
	resultTypes: ['violations'], preload: false,
}).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map((n) => id + ' at ' + n.target.join(' ') + ': ' + n.failureSummary)))`

// tooSmall gives what a finger may press, and finds no 44 pixels of, to each side. Links within a sentence may be as small as
// it (WCAG 2.5.5); of what is under something else, and of what shows no button until it is touched, it cannot say.
const tooSmall = `() => {
	const top = document.querySelector('dialog:modal') ?? document;
	const seen = [...top.querySelectorAll('button, select, input, textarea')].filter((e) => !e.disabled && e.checkVisibility({ opacityProperty: true, visibilityProperty: true }));
	return seen.flatMap((e) => {
		const whole = e.closest('label') ?? e;
		whole.scrollIntoView({ block: 'center' });
		const { x, y, width, height } = whole.getBoundingClientRect();
		const hits = (dx, dy) => whole.contains(document.elementFromPoint(x + width / 2 + dx, y + height / 2 + dy));
		if (!hits(0, 0) || getComputedStyle(e).pointerEvents === 'none') return [];
		const misses = [[-21, 0], [21, 0], [0, -21], [0, 21]].filter(([dx, dy]) => !hits(dx, dy));
		return misses.length > 0 ? [(e.id || e.name || e.className) + ' of ' + width + ' by ' + height + ' is missed at ' + misses.join(' and ')] : [];
	});
}`

// inspection looks at a page as it is at the moment.
type inspection struct {
	*testing.T

	tab *browsertest.Tab
}

// faults reports what JavaScript finds.
func (i inspection) faults(where, js string) {
	i.Helper()
	for _, fault := range browsertest.Eval[[]string](i.tab, `new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))).then(`+js+`)`) {
		i.Errorf("%s: %s", where, fault)
	}
}

// look holds the page to all rules on a desktop, in the light and in the dark, and on a phone in the dark. onPhone is done there
// first, if it is not "".
func (i inspection) look(state, onPhone string) {
	i.Helper()
	const scheme = "prefers-color-scheme"
	i.faults(state+" on a desktop", `() => (`+inspects+`)()`)
	i.tab.Media(scheme, "dark")
	i.faults(state+" on a dark desktop", `() => (`+inspects+`)(['color-contrast'])`)
	i.tab.Media("pointer", "coarse")
	i.tab.Resize(390, 844)
	i.tab.Wait("a phone", `innerWidth === 390 && matchMedia('(pointer: coarse)').matches
		&& (document.getElementById('call').hidden || document.getElementById('call').classList.contains('chat-closed'))`)
	i.tab.Do(onPhone)
	i.faults(state+" on a dark phone", `() => (`+inspects+`)()`)
	i.faults(state+" for fingers", tooSmall)
	i.tab.Screenshot("access-" + strings.ReplaceAll(state, " ", "-"))
	i.tab.Media("pointer", "fine")
	i.tab.Media(scheme, "light")
	i.tab.Resize(1280, 800)
	i.tab.Wait("a desktop", `innerWidth === 1280 && !matchMedia('(pointer: coarse)').matches`)
}

// focus waits until an element has it.
func (i inspection) focus(what, selector string) {
	i.Helper()
	i.tab.Wait(what, fmt.Sprintf(`document.activeElement.matches(%q)`, selector))
}

// press presses a button by keyboard.
func (i inspection) press(selector string) {
	i.Helper()
	i.tab.Wait(selector, fmt.Sprintf(`document.querySelector(%q).checkVisibility()`, selector))
	i.tab.Keys("") // the window has the focus
	i.tab.Wait("the focus on "+selector, fmt.Sprintf(`(() => {
		const element = document.querySelector(%q);
		element.focus();
		return document.activeElement === element && document.hasFocus();
	})()`, selector))
	i.tab.Keys("\r")
}

// Whatever the page shows, axe-core finds no fault in it, fingers find its buttons, and the focus goes to where a person goes
// on. With NOOM_SCREENSHOTS there are pictures of each state on a phone.
func TestAccess(t *testing.T) { browsertest.EachKindIfAsked(t, testAccess) }

func testAccess(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	axe := axeCore(t)
	file, sign := issue(t)
	server := serveHere(t, "-token-key", file)
	tab := kind.Start(t, browsertest.FocusIsOurs).Open(server+"/#/데모?token="+sign(signal.AllRights()), exposeRoom)
	tab.Media("prefers-reduced-motion", "reduce")
	tab.Do(axe)
	i := inspection{t, tab}
	elsewhere := joinBare(t, server, "서재", "")
	tab.Wait("a room", `document.querySelector('#rooms [data-room="서재"]')`)
	i.look("lobby", "")
	i.press("#preview-toggle")
	tab.Wait("a picture", `document.getElementById('preview-video').videoWidth > 0`)
	i.look("preview", "")
	_ = elsewhere.Leave(t.Context()) // it was there to be in a list
	tab.Fill("#join [name=name]", "지우")
	i.press("#join button")
	i.focus("the room's name", "#room-name")
	tab.Wait("a picture of our own", own+`.querySelector('video').videoWidth > 0`)
	i.look("call alone", "")

	host := joinBare(t, server, "데모", sign(signal.AllRights()))
	guest := enterGo(t, server, "데모", "Marguerite de la Tour-Saint-Amand")
	tab.Wait("two others", `tiles().length === 2 && tiles().every((t) => t.dataset.state === 'connected') && tiles().some((t) => t.querySelector('video').videoWidth > 0)`)
	if err := guest.Chat(t.Context(), "여기: https://example.com/ and here"); err != nil {
		t.Fatal(err)
	}
	tab.Wait("a link", `document.querySelector('#messages a')`)
	sends(t, guest, `{"topic":"caption","text":"여기에 다 있어요"}`)
	tab.Wait("a caption", `document.querySelector('.caption span')`)
	const touched = `tiles()[0].dispatchEvent(new PointerEvent('pointerup', { pointerType: 'touch', bubbles: true }))`
	i.look("call", touched)
	tab.Do(touched)
	i.look("chat", `document.getElementById('chat-toggle').click()`)

	offersFiles(i, guest)
	opensAndCloses(i)
	asksAndShares(i, host, guest)
	crowded(i)
	if err := host.Kick(t.Context(), host.Peers()[slices.IndexFunc(host.Peers(), func(p noom.Peer) bool { return p.Name() == "지우" })].ID()); err != nil {
		t.Fatal(err)
	}
	tab.Wait("the lobby, and why", shown("lobby")+` && `+shown("notice"))
	i.focus("the lobby's title", "#lobby h1")
	i.look("removed", "")

	tab.Navigate(server + "/?selftest=1")
	tab.Do(axe)
	tab.Wait("the self-test", `document.getElementById('selftest-start').onclick`)
	i.look("self-test", "")
	tab.Do(`window.AudioContext = class { constructor() { throw new Error('no sound here'); } }`)
	i.press("#selftest-start")
	tab.Wait("its report", `document.getElementById('selftest').dataset.state === 'done'`)
	i.look("self-test that has failed", "")
}

// joinBare joins as a member without tracks.
func joinBare(t *testing.T, server, room, token string) noom.Room {
	t.Helper()
	r, err := noom.Join(t.Context(), ws.Dialer{URL: server + "/ws"}, room, &noom.Config{Name: "고퍼", Token: token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Leave(context.Background()) }) // the test is over
	return r
}

// offersFiles looks at a file that a member offers, and at one that is on its way to the members.
func offersFiles(i inspection, guest *gopher) {
	i.Helper()
	me := guest.Peers()[slices.IndexFunc(guest.Peers(), func(p noom.Peer) bool { return p.Name() == "지우" })]
	result := make(chan error, 1)
	go func() { result <- me.SendFile(i.Context(), "보고서.pdf", strings.NewReader("내용"), nil) }()
	const last = "#messages li.file:last-child"
	i.tab.Wait("an offer", `document.querySelector('`+last+` .primary')`)
	i.look("file offered", `document.getElementById('chat-toggle').click()`)
	i.press(last + " button:not(.primary)")
	i.focus("the chat after its last button", "#log")
	if err := <-result; !errors.Is(err, noom.ErrDeclined) {
		i.Errorf("declined: %v", err)
	}
	i.tab.Do(`{
		const input = document.getElementById('attached');
		const { items, files } = new DataTransfer();
		items.add(new File(['x'], 'a.txt'));
		input.files = files;
		input.dispatchEvent(new Event('change'));
	}`)
	i.tab.Wait("one on its way", `document.querySelector('`+last+` progress:not([hidden])')`)
	i.look("file on its way", `document.getElementById('chat-toggle').click()`)
	i.press(last + " button")
	i.tab.Wait("its end", `!document.querySelector('`+last+` button')`)
}

// opensAndCloses looks at every dialog, and sees that the focus comes back from it.
func opensAndCloses(i inspection) {
	i.Helper()
	const open = `document.querySelector('dialog[open]')`
	i.press("#settings")
	i.tab.Wait("the choices", shown("noise"))
	i.look("settings", "")
	i.tab.Keys("\x1b")
	i.focus("the button of the settings", "#settings[aria-expanded=false]")
	guest := `[data-member]:has([data-initial="M"])`
	for _, dialog := range []struct{ state, opener string }{
		{"safety number", guest + ` .safety`}, {"how good a connection is", guest + ` .quality`}, {"what to do with a member", guest + ` .manage`}, {"close the room", "#close-room"}, {"keys", "#settings"},
	} {
		if dialog.state == "keys" {
			i.tab.Keys("?")
		} else {
			i.press(dialog.opener)
		}
		i.tab.Wait(dialog.state, open)
		i.look(dialog.state, "")
		i.tab.Keys("\x1b")
		i.tab.Wait("no dialog", `!`+open)
		if dialog.state == "close the room" {
			i.tab.Do(`document.getElementById('settings').focus()`) // from where ? is pressed next
			continue
		}
		i.focus("what has opened it", dialog.opener)
	}
	i.tab.Keys("d")
	i.tab.Wait("the debug view", shown("debug")+` && document.querySelectorAll('#debug .plot').length > 0`)
	i.look("debug view", "")
	i.press("#debug-close")
	i.focus("the room's name, with the view gone", "#room-name")
	i.press("#react")
	i.focus("a reaction", "#reactions button")
	i.look("reactions", "")
	i.tab.Keys("\x1b")
	i.focus("what has opened them", "#react")
	i.press(guest + ` .manage`)
	i.press(`#ask [data-choice="remove"]`)
	i.tab.Wait("whether that is meant", `document.querySelector('#ask [data-choice="yes"]')`)
	i.look("remove a member", "")
	i.tab.Keys("\x1b")
	i.focus("what has opened it", guest+` .manage`)
}

// asksAndShares looks at what others ask of us and show us, and at what is on.
func asksAndShares(i inspection, host noom.Room, guest *gopher) {
	i.Helper()
	us := host.Peers()[slices.IndexFunc(host.Peers(), func(p noom.Peer) bool { return p.Name() == "지우" })]
	if err := us.RequestMute(i.Context(), ""); err != nil {
		i.Fatal(err)
	}
	i.tab.Wait("a wish", shown("asked"))
	i.look("asked to mute", "")
	i.press("#asked-yes")
	i.focus("the room's name, with the wish gone", "#room-name")
	i.press("#lock-room")
	i.tab.Wait("a locked room", `document.getElementById('lock-room').ariaPressed === 'true'`)
	i.tab.Do(`navigator.clipboard.writeText = async () => { throw new DOMException('no', 'NotAllowedError'); }`)
	i.press("#copy")
	i.tab.Wait("a notice", shown("notice"))
	shared := media.TestPattern(nil)
	i.Cleanup(func() { _ = shared.Close() }) // nothing to lose
	sender, err := guest.Publish(i.Context(), shared, &noom.PublishOptions{Name: "screen"})
	if err != nil {
		i.Fatal(err)
	}
	i.tab.Wait("a screen on the stage", atPlace(screen, "stage")+` && `+screen+`.querySelector('video').videoWidth > 0`)
	i.look("screen in a locked room", "")
	if err := sender.Close(); err != nil {
		i.Fatal(err)
	}
	i.tab.Wait("no screen", `!`+screen)
}

// crowded looks at a phone with twelve members, ours one of them, whose pictures are as small as they get: nothing is over the
// letter of one without a picture, and ten characters of a name can be read. The others are drawn without being there, because
// they would cost a lot.
func crowded(i inspection) {
	i.Helper()
	i.tab.Do(`import('./page.js').then(({ Tile }) => {
		// Without a font that has it Firefox draws a letter as a box of its own size, wider than any letter is.
		const probe = document.body.appendChild(Object.assign(document.createElement('span'), { textContent: '가' }));
		Object.assign(probe.style, { position: 'fixed', fontSize: '10.4px' });
		const drawn = probe.getBoundingClientRect().width <= 10.5;
		probe.remove();
		const names = [drawn ? '가나다라마바사아자차카타파' : 'Gyeong-hwan Dokgo', 'Marguerite de la Tour-Saint-Amand', drawn ? '東京都港区六本木太郎花子' : 'Roppongi Taro', '지우'];
		window.crowd = Array.from({ length: 9 }, (_, i) => Object.assign(new Tile({ member: 'm' + i }), {
			name: names[i % names.length], state: i % 3 === 0 ? 'interrupted' : 'connected', paused: i % 4 === 1, quality: 'poor', muted: true, manageable: true,
		}));
		crowd.at(-1).caption('말', '고퍼');
		window.addScreen = () => crowd.push(Object.assign(new Tile({ screen: 'm0' }), { name: '가나다: screen', camera: true }));
	})`)
	i.tab.Media("pointer", "coarse")
	for _, screens := range []string{"", " and a screen"} {
		if screens != "" {
			i.tab.Do(`addScreen()`)
		}
		for _, size := range [][2]int64{{390, 844}, {844, 390}, {320, 568}} {
			i.tab.Resize(size[0], size[1])
			what := fmt.Sprintf("twelve members%s at %dx%d", screens, size[0], size[1])
			i.tab.Wait("a layout of "+what, fmt.Sprintf(`innerWidth === %d && matchMedia('(pointer: coarse)').matches && tiles().length === 11 && %s`, size[0], laidOut))
			i.faults(what, covered)
			i.tab.Screenshot(strings.ReplaceAll(what, " ", "-"))
		}
	}
	i.faults("a crowd", `() => (`+inspects+`)()`)
	i.tab.Media("pointer", "fine")
	i.tab.Resize(1280, 800)
	i.tab.Do(`for (const tile of crowd) tile.remove()`)
}

// covered gives what is over letters and names that is not to be, and letters that cannot be read on their colour.
const covered = `() => {
	const faults = [];
	const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
	const boxes = (elements) => [...elements].filter((e) => e.checkVisibility({ opacityProperty: true })).map((e) => [e.getAttribute('class') ?? e.tagName, e.getBoundingClientRect()]);
	const floating = boxes(document.querySelectorAll('[data-place="float"]'));
	for (const tile of document.querySelectorAll('[data-member]')) {
		const name = tile.querySelector('[data-name]');
		const avatar = tile.querySelector('.avatar');
		const letter = getComputedStyle(avatar, '::before');
		const [around, style, size] = [tile.getBoundingClientRect(), getComputedStyle(avatar), parseFloat(letter.width)];
		const begins = style.alignItems === 'start';
		const [x, y] = begins ? [around.x + parseFloat(style.paddingLeft), around.y + parseFloat(style.paddingTop)] : [around.x + (around.width - size) / 2, around.y + (around.height - size) / 2];
		const circle = new DOMRect(x, y, size, size);
		const who = name.textContent + ' in ' + around.width + 'x' + around.height;
		if (tile.dataset.camera === 'off') {
			if (!(size >= 16)) faults.push('the letter of ' + who + ' is ' + size + ' px large');
			for (const [what, box] of [...boxes(tile.querySelectorAll('figcaption, .state:not(:empty), .paused:not(:empty), .options button')), ...floating]) {
				if (!apart(circle, box)) faults.push(what + ' is over the letter of ' + who + ': ' + JSON.stringify([circle, box]));
			}
			for (const [what, box] of boxes(tile.querySelectorAll('.quality, .muted'))) {
				if (!apart(circle, box)) faults.push(what + ' is over the letter of ' + who);
				if (!apart(name.getBoundingClientRect(), box)) faults.push(what + ' is over the name of ' + who);
			}
			for (let hue = 0; hue < 360; hue += 15) {
				tile.style.setProperty('--hue', hue);
				const [r, g, b] = letter.backgroundColor.match(/[\d.]+/g).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
				const contrast = 1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05);
				if (!(contrast >= 4.5)) faults.push('white on ' + letter.backgroundColor + ' has a contrast of ' + contrast);
			}
		}
		const ten = document.createRange();
		ten.setStart(name.firstChild, 0);
		ten.setEnd(name.firstChild, Math.min(11, name.textContent.length)); // in the place of the last one there may be three dots
		const box = name.getBoundingClientRect();
		for (const part of ten.getClientRects()) {
			if (part.left < box.left - 1 || part.right > box.right + 1 || part.bottom > box.bottom + 1 || part.bottom > around.bottom + 1) faults.push('the name of ' + who + ' is cut: ' + JSON.stringify([part, box]));
		}
	}
	return faults;
}`
