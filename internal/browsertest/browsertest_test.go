package browsertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"noom/internal/browsertest"
	"noom/internal/longtest"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Run(m)) }

// site has pages that show what the driver does to them.
func site(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><meta charset="utf-8"><title>%s</title><link rel="icon" href="data:,">
			<div style="height: 200vh"></div><button id="far" onclick="window.clicked = event.isTrusted">far</button><input id="text">
			<script>addEventListener('unload', () => {}); // and so it is never kept as it was</script>`, r.URL.Path)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// What tests do with a page does the same in every browser.
func TestPage(t *testing.T) {
	browsertest.EachKind(t, func(t *testing.T, kind browsertest.Kind) {
		t.Helper()
		url := site(t)
		tab := kind.Start(t).In("ko").Open(url+"/one", `window.prepared = document.querySelector('title') === null;`)
		tab.Wait("what was prepared", `prepared`)
		values := browsertest.Eval[string](tab, `(async () => JSON.stringify([navigator.language, isSecureContext, document.visibilityState]))()`)
		if values != `["ko",true,"visible"]` {
			t.Error(values)
		}
		got := browsertest.Eval[map[string][]any](tab, `Promise.resolve({ all: [1.5, 'x', null, undefined, true, { a: [] }] })`)
		if s := fmt.Sprint(got); s != "map[all:[1.5 x <nil> <nil> true map[a:[]]]]" {
			t.Error(s)
		}
		tab.Click("#far")
		tab.Wait("a click", `clicked === true`)
		tab.Click("#text")
		tab.Keys("mv 한\t")
		tab.Wait("what was typed", `document.getElementById('text').value === 'mv 한' && document.activeElement.id !== 'text'`)
		tab.Resize(390, 844)
		tab.Wait("a phone", `innerWidth === 390 && innerHeight === 844`)
		for _, value := range []string{"dark", "light"} {
			tab.Media("prefers-color-scheme", value)
			tab.Wait(value, fmt.Sprintf(`matchMedia('(prefers-color-scheme: %s)').matches`, value))
		}
		for _, value := range []string{"reduce", "no-preference"} {
			tab.Media("prefers-reduced-motion", value)
			tab.Wait(value, fmt.Sprintf(`matchMedia('(prefers-reduced-motion: %s)').matches`, value))
		}
		tab.Navigate(url + "/two")
		for title, turn := range map[string]func(){"/one": tab.Back} {
			turn()
			tab.Wait(title, fmt.Sprintf(`document.title === %q`, title))
		}
		tab.Forward()
		tab.Wait("two", `document.title === '/two' && prepared`)
		tab.Do(`window.old = true`)
		tab.Reload()
		tab.Wait("another document", `!window.old`)
		tab.Do(`window.old = true; location.reload()`)
		tab.Wait("another document", `!window.old && document.title === '/two'`)
		tab.Crash()
	})
}

// What loads above a button moves it. The click goes to the button and not to where it was.
func TestClickOnWhatMoves(t *testing.T) {
	browsertest.EachKind(t, func(t *testing.T, kind browsertest.Kind) {
		t.Helper()
		tab := kind.Start(t).Open(site(t), "")
		tab.Do(`{
			const button = document.getElementById('far'), begun = performance.now();
			document.body.style = 'width: 9000px';
			button.style = 'position: relative';
			const move = (now) => {
				button.style.left = (now - begun) * 3 + 'px';
				if (now - begun < 500) requestAnimationFrame(move);
			};
			move(begun);
		}`)
		tab.Click("#far")
		tab.Wait("a click", `clicked === true`)
	})
}

// Who types gets the keyboard back from another test's window that opened in between, and stays open.
func TestKeysAmongWindows(t *testing.T) {
	longtest.Only(t) // in Chromium each window has a focus of its own
	browsertest.EachKind(t, func(t *testing.T, kind browsertest.Kind) {
		t.Helper()
		url, others := site(t), kind.Start(t)
		for i := range 4 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				tab := kind.Start(t).Open(url, "")
				tab.Click("#text")
				for range 6 {
					tab.Keys("noom")
					others.Open(url, "")
				}
				if got := browsertest.Eval[string](tab, `document.getElementById('text').value`); got != strings.Repeat("noom", 6) {
					t.Errorf("typed: %q", got)
				}
			})
		}
	})
}

// A warning or an error in the console fails a test, unless it is allowed.
func TestConsole(t *testing.T) {
	browsertest.EachKind(t, func(t *testing.T, kind browsertest.Kind) {
		t.Helper()
		for js, want := range map[string]bool{
			`console.log('fine')`: false, `console.warn('hm')`: true, `console.error('no')`: true, `setTimeout(() => { throw new Error('late') })`: true,
			`Promise.reject(new Error('alone')), undefined`: true,
		} {
			r := &recorder{TB: t}
			tab := kind.Start(r).Open(site(t), "")
			tab.Do(js)
			tab.Do(`new Promise((resolve) => setTimeout(resolve, 100))`)
			r.end()
			if r.failed != want {
				t.Errorf("%s fails a test: %v", js, r.failed)
			}
		}
	})
}

// recorder is a test within a test.
type recorder struct {
	testing.TB

	failed bool
	ends   []func()
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Failed() bool          { return false }
func (r *recorder) Logf(string, ...any)   {}
func (r *recorder) Cleanup(f func())      { r.ends = append(r.ends, f) }

func (r *recorder) end() {
	for _, end := range slices.Backward(r.ends) {
		end()
	}
}

// Sound runs, and the fakes are there.
func TestDevices(t *testing.T) {
	browsertest.EachKind(t, func(t *testing.T, kind browsertest.Kind) {
		t.Helper()
		tab := kind.Start(t).Open(site(t), "")
		tab.Wait("a clock of sound", `(async () => {
			window.context ??= new AudioContext();
			return context.state === 'running' && context.currentTime > 0.1;
		})()`)
		tab.Wait("a camera and a microphone", `navigator.mediaDevices.getUserMedia({ audio: true, video: true }).then((s) => s.getTracks().length === 2)`)
		kind.Start(t).Open(site(t), "") // has the focus now
		tab.Wait("their names", `navigator.mediaDevices.enumerateDevices().then((all) => ['audioinput', 'videoinput'].every((kind) => all.some((d) => d.kind === kind && d.label)))`)
	})
}
