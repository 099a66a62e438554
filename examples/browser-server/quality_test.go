package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/transport/ws"
)

// clipboard, in a page, takes what is copied, or refuses it.
const clipboard = `
	window.copied = [];
	Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => {
		if (window.refuses) throw new DOMException('not now', 'NotAllowedError');
		copied.push(text);
	} } });
	// What of a report is a secret: the first line with the page's own browser may have numbers like an address.
	window.secretsIn = (report) => {
		const text = report.split('\n').slice(2).join('\n');
		const descriptions = connections.flatMap((c) => [c.localDescription, c.remoteDescription]).filter(Boolean).map(({ sdp }) => sdp).join('\n');
		const told = [...descriptions.matchAll(/a=(?:ice-pwd|fingerprint:sha-256)[: ](\S+)/g)].map(([, secret]) => secret);
		const ids = tiles().map(({ dataset }) => dataset.member);
		const found = [...told, ...ids, '지우', 'Anna', '고퍼', '데모', location.host].filter((secret) => text.includes(secret));
		return [...found, ...text.match(/\d+\.\d+\.\d+\.\d+|\S+\.local|\S*::\S*/g) ?? []];
	};`

// address is the name of a member that looks like an address.
const address = "192.168.7.7 Anna 고퍼"

// The sound of a member loses every third packet for a while: its tile shows that, in bars and in words; behind the mark is
// why; the debug view has all of it; and a report of it has no names and no addresses.
func TestQualityIsShown(t *testing.T) { browsertest.EachKindIfAsked(t, testQualityIsShown) }

func testQualityIsShown(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	tab := enterAfter(kind.Start(t, browsertest.FocusIsOurs), clipboard, server, "데모", "지우")
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
		Name: address, Tracks: []noom.LocalTrack{{Name: "microphone", Track: sound}},
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
			return tile?.dataset.state === 'connected' && tile.dataset.quality === %q && shown.matches('button') && shown.ariaLabel === %q && shown.title === %q
				&& shown.getBoundingClientRect().width > 8
				&& [...shown.children].filter((bar) => getComputedStyle(bar).opacity === '1').length === %d;
		})()`, quality, words+": "+address, words, bars))
	}
	shows("good", "Good connection", 3)
	tab.Wait("the sound", `(async () => (await stat('inbound-rtp', 'audio', 'packetsReceived')) > 20)()`)
	lossy.Store(true)
	shows("poor", "Poor connection", 1)
	tab.Do(`window.causes = [];
		new MutationObserver(() => causes.push(document.getElementById('why-causes').textContent)).observe(document.getElementById('why-causes'), { childList: true })`)
	tab.Screenshot("quality-poor")
	explains(t, tab)
	debugs(t, tab)
	if untrue := browsertest.Eval[[]string](tab, `causes.filter((text) => text.includes('Nothing is in the way'))`); len(untrue) > 0 {
		t.Errorf("of a connection that loses a third the page says %q", untrue)
	}
	tab.Do(`document.querySelector('[data-member] .quality').click()`)
	lossy.Store(false)
	shows("good", "Good connection", 3)
	tab.Wait("that it is well", `document.getElementById('why-causes').textContent === 'Nothing is in the way.' && document.getElementById('why-quality').textContent === 'Good connection'`)
	look(tab, "why-good")
	if w := browsertest.Eval[int](tab, `document.querySelectorAll('.tile[data-self] .quality').length && document.querySelector('.tile[data-self] .quality').getBoundingClientRect().width`); w != 0 {
		t.Error("our own tile has a connection")
	}
	if err := r.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	tab.Wait("that the member has left", `document.getElementById('why').open && document.getElementById('why-quality').textContent === 'They are no longer in the call.' && tiles().length === 0`)
	tab.Keys("\x1b")
	tab.Wait("no dialog", `!document.getElementById('why').open`)
	tab.Navigate(server + "/?debug&autojoin=1&name=x#/" + url.PathEscape("데모"))
	tab.Wait("the frames of the join", `(() => {
		const [room] = document.querySelectorAll('#debug details');
		room.open = true;
		return document.getElementById('debug').checkVisibility() && ['out join', 'in joined'].every((frame) => room.textContent.includes(frame));
	})()`)
}

// explains opens what is behind the mark of a tile, by keyboard, and copies the report there.
func explains(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	tab.Do(`document.querySelector('[data-member] .quality').focus()`)
	tab.Keys("\r")
	tab.Wait("why it is poor", `(() => {
		const why = document.getElementById('why');
		const number = (i) => why.querySelectorAll('dd')[i].textContent;
		return why.open && why.querySelector('h2').textContent === 'Connection to `+address+`' && document.getElementById('why-quality').textContent === 'Poor connection'
			&& /^\d+ % of what they send is lost/.test(document.getElementById('why-causes').textContent)
			&& /^\d+ ms$/.test(number(0)) && /^\d+ %$/.test(number(2)) && parseInt(number(2)) > 20 && parseInt(number(4)) > 5 && number(5) === 'direct, UDP' && number(6) === 'none';
	})()`)
	look(tab, "why")
	tab.Do(`window.refuses = true`)
	tab.Click("#why-copy")
	tab.Wait("the report, to be copied by hand", `(() => {
		const { hidden, value, selectionStart, selectionEnd } = document.getElementById('why-report');
		return !hidden && value.includes('Member 1') && selectionStart === 0 && selectionEnd === value.length && document.activeElement.id === 'why-report';
	})()`)
	tab.Do(`window.refuses = false`)
	tab.Click("#why-copy")
	tab.Wait("the copy", `copied.length === 1 && document.getElementById('why-copy').innerText === 'Copied'`)
	reports(t, tab, "connected, quality poor", "path host to ", " over udp, direct", "finding: connected", "in  audio opus", "peerjoined", "qualitychanged poor")
	tab.Keys("\x1b")
	tab.Wait("the mark again", `!document.getElementById('why').open && document.activeElement.matches('.tile .quality')`)
}

// debugs opens the debug view by its key, looks at it, and closes it.
func debugs(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	const closed = `!document.getElementById('debug').checkVisibility() && document.getElementById('debug-sections').childElementCount === 0`
	tab.Wait("no debug view", closed)
	tab.Keys("d")
	tab.Wait("the debug view", `document.querySelector('#debug [data-number="1"][open]')`)
	tab.Click("#mute")
	tab.Wait("states, frames and plots", `(() => {
		const member = document.querySelector('#debug [data-number="1"]');
		return member.querySelector('summary').textContent === '1 · `+address+` · connected · poor'
			&& /iceConnectionStateconnected|iceConnectionStatecompleted/.test(member.querySelector('dl').textContent) && /pathhost → \w+, udp/.test(member.querySelector('dl').textContent)
			&& /steps, ms.*joined \d+, offer \d+, answer \d+, ice \d+, dtls \d+, media \d+/.test(member.querySelector('dl').textContent)
			&& [...member.querySelectorAll('li')].some((line) => /^[\d.]+ out table \d+ B (hub|in-band)$/.test(line.textContent))
			&& [...member.querySelectorAll('li')].some((line) => line.textContent.endsWith('qualitychanged poor'))
			&& [...member.querySelectorAll('path')].filter((line) => line.getAttribute('d').includes('L')).length >= 4;
	})()`)
	look(tab, "debug")
	tab.Click("#debug-copy")
	tab.Wait("the copy", `copied.length === 2`)
	reports(t, tab, "out table ")
	tab.Do(`document.activeElement.blur()`)
	tab.Keys("d")
	tab.Wait("no debug view", closed)
	tab.Do(`document.querySelector('[data-member] .quality').click()`)
	tab.Click("#why-more")
	tab.Wait("the view from the dialog", `document.activeElement.id === 'debug-close' && !document.getElementById('why').open`)
	tab.Click("#debug-close")
	tab.Wait("no debug view", closed)
	tab.Click("#mute")
	tab.Click("#mute")
	tab.Do(`document.querySelector('[data-member] .quality').click()`)
	tab.Click("#why-copy")
	tab.Wait("the copy", `copied.length === 3`)
	if browsertest.Eval[bool](tab, `/ B (by hub|in-band)$/m.test(copied.at(-1))`) {
		t.Error("frames are traced while nobody looks")
	}
	tab.Do(`document.getElementById('why').close()`)
}

// reports checks the report that was copied last.
func reports(t *testing.T, tab *browsertest.Tab, parts ...string) {
	t.Helper()
	report := browsertest.Eval[string](tab, `copied.at(-1)`)
	for _, part := range parts {
		if !strings.Contains(report, part) {
			t.Errorf("the report does not say %q:\n%s", part, report)
		}
	}
	if secrets := browsertest.Eval[[]string](tab, `secretsIn(copied.at(-1))`); len(secrets) > 0 {
		t.Errorf("the report has %q:\n%s", secrets, report)
	}
}

// look sees that what is open fits a desktop and a phone.
func look(tab *browsertest.Tab, name string) {
	for _, size := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"phone", 390, 844, "dark"}, {"small", 320, 568, "light"}, {"dark", 1280, 800, "dark"}, {"desktop", 1280, 800, "light"}} {
		tab.Resize(size.width, size.height)
		tab.Media("prefers-color-scheme", size.scheme)
		tab.Wait("room for it", `[...document.querySelectorAll('#why[open], #debug:not([hidden])')].every((e) => {
			const { left, right, top, bottom } = e.getBoundingClientRect();
			return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight && e.scrollWidth <= e.clientWidth;
		})`)
		tab.Screenshot(name + "-" + size.name)
	}
}

// A picture that stands still because the way is too narrow says so to those who look and to those who listen: what is
// read out is rendered before anything is in it, and changes once.
func TestPausedPictureIsAnnounced(t *testing.T) {
	longtest.Only(t)
	browsertest.EachKind(t, testPausedPictureIsAnnounced)
}

func testPausedPictureIsAnnounced(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server, b := serveHere(t), kind.Start(t)
	for language, words := range map[string]string{"en": "No picture: weak network", "ko": "네트워크가 느려 영상이 멈췄습니다"} {
		tab := enter(t, b.In(language), server, "데모", "지우")
		tab.Resize(640, 480)
		got := browsertest.Eval[[]string](tab, `(async () => {
			const { Tile } = await import('./page.js');
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
