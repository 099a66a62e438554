package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"noom/internal/browsertest"
	"noom/internal/longtest"
)

// selfTest opens the self-test, starts it and waits for its end. It returns what became of each row: FAIL with its note.
func selfTest(t *testing.T, b *browsertest.Browser, server, prepare string) (*browsertest.Tab, map[string]string) {
	t.Helper()
	tab := b.Open(server+"/?selftest=1", prepare)
	tab.Wait("the self-test", `!document.getElementById('selftest').hidden && document.getElementById('lobby').hidden && document.getElementById('selftest-start').onclick`)
	tab.Click("#selftest-start")
	tab.Wait("its beginning", `document.getElementById('selftest').dataset.state`)
	for browsertest.Eval[string](tab, `document.getElementById('selftest').dataset.state`) != "done" {
		rows := browsertest.Eval[int](tab, `document.querySelectorAll('#selftest-rows tr').length`)
		tab.Wait("another row", fmt.Sprintf(`document.querySelectorAll('#selftest-rows tr').length > %d || document.getElementById('selftest').dataset.state === 'done'`, rows))
	}
	results := make(map[string]string)
	for _, row := range browsertest.Eval[[][2]string](tab, `[...document.querySelectorAll('#selftest-rows tr')].map((row) => [row.dataset.row, row.dataset.result === 'PASS' ? 'PASS' : 'FAIL: ' + row.lastChild.textContent])`) {
		results[row[0]] = row[1]
	}
	t.Log(browsertest.Eval[string](tab, `document.getElementById('selftest-report').value`))
	return tab, results
}

// The self-test passes, its report names the browser and no address, and in Korean it is Korean.
func TestSelfTest(t *testing.T) { browsertest.EachKindIfAsked(t, testSelfTest) }

func testSelfTest(t *testing.T, kind browsertest.Kind) {
	server := serveHere(t)
	b := kind.Start(t).In("ko")
	tab, results := selfTest(t, b, server, "")
	for row, result := range results {
		if result != "PASS" {
			t.Errorf("%s: %s", row, result)
		}
	}
	if rows := browsertest.Eval[int](tab, `import('/selftest_rows.js').then((rows) => rows.NAMES.length)`); len(results) != rows || rows < 20 {
		t.Errorf("%d rows, of %d", len(results), rows)
	}
	at, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	report := browsertest.Eval[string](tab, `document.getElementById('selftest-report').value`)
	if agent := browsertest.Eval[string](tab, `navigator.userAgent`); !strings.Contains(report, agent) || strings.Contains(report, at.Hostname()) {
		t.Errorf("the report is\n%s", report)
	}
	if n := browsertest.Eval[int](tab, `[...document.querySelectorAll('#selftest [data-t], #selftest-rows td:first-child')].filter((e) => !/\p{Script=Hangul}/u.test(e.textContent)).length`); n > 0 {
		t.Errorf("%d words are not Korean", n)
	}
	tab.Screenshot(fmt.Sprint("self-test-", kind))
	tab.Resize(390, 844)
	tab.Screenshot(fmt.Sprint("self-test-phone-", kind))
	tab.Wait("no scrolling sideways on a phone", `document.getElementById('selftest').scrollWidth <= document.getElementById('selftest').clientWidth`)
}

// What a browser cannot do is a row that fails, and the others do not suffer from it.
func TestSelfTestOfABrowserThatLacks(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	server := serveHere(t)
	for row, prepare := range map[string]string{
		"speaker": `RTCRtpReceiver.prototype.getSynchronizationSources = () => [];`,
		"stereo":  `MediaStreamTrack.prototype.getSettings = () => ({ channelCount: 1 });`,
	} {
		t.Run(row, func(t *testing.T) {
			_, results := selfTest(t, browsertest.Start(t), server, prepare)
			if !strings.HasPrefix(results[row], "FAIL") || results["chat"] != "PASS" || results["pictures"] != "PASS" {
				t.Errorf("%v", results)
			}
		})
	}
}

// Without what the rows need there is one row that says so, and the page can be used again.
func TestSelfTestThatCannotBegin(t *testing.T) {
	tab, results := selfTest(t, browsertest.Start(t), serveHere(t), `window.AudioContext = class { constructor() { throw new Error('no sound here'); } };`)
	if len(results) != 1 || !strings.HasPrefix(results["selftest"], "FAIL") || !strings.Contains(results["selftest"], "no sound here") {
		t.Errorf("%v", results)
	}
	if browsertest.Eval[bool](tab, `document.getElementById('selftest-start').disabled || document.getElementById('selftest-copy').disabled`) {
		t.Error("its buttons are off")
	}
}

// Over HTTP there is no WebSocket to cut, and a browser may not know how long a packet travels.
func TestSelfTestOverHTTP(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	_, results := selfTest(t, browsertest.Start(t), serveHere(t), `
		window.WebSocket = class extends EventTarget {
			static OPEN = 1;
			constructor() { super(); queueMicrotask(() => this.onclose({ code: 1006, reason: '' })); }
			close() {}
		};
		const stats = RTCPeerConnection.prototype.getStats;
		RTCPeerConnection.prototype.getStats = async function (...args) {
			return new Map([...await stats.apply(this, args)].map(([id, { currentRoundTripTime, ...s }]) => [id, s]));
		};`)
	for row, result := range results {
		if result != "PASS" {
			t.Errorf("%s: %s", row, result)
		}
	}
}
