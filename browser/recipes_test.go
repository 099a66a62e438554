package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"noom/browser"
	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/signal/hub"
	"noom/transport/ws"
)

// recipes is a server with the pages of docs/noom-js.md, each under its title in lower case, and a hub
// that can be restarted.
type recipes struct {
	*httptest.Server
	hub    atomic.Pointer[hub.Hub]
	titles []string
}

func newRecipes(t *testing.T) *recipes {
	t.Helper()
	text, err := os.ReadFile("../docs/noom-js.md")
	if err != nil {
		t.Fatal(err)
	}
	r := new(recipes)
	r.hub.Store(hub.New(nil))
	mux := http.NewServeMux()
	for _, page := range regexp.MustCompile("(?s)```html\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		_, title, _ := strings.Cut(page[1], "<title>")
		title, _, _ = strings.Cut(title, "</title>")
		r.titles = append(r.titles, title)
		mux.HandleFunc("/"+strings.ReplaceAll(strings.ToLower(title), " ", "-"), func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, page[1]) // a page that went away
		})
	}
	mux.Handle("/noom/", http.StripPrefix("/noom/", http.FileServerFS(browser.FS)))
	mux.HandleFunc("/ws", func(w http.ResponseWriter, req *http.Request) { ws.Handler(r.hub.Load(), nil).ServeHTTP(w, req) })
	mux.HandleFunc("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

// sharesACanvas stands for a screen, which a browser without a window has not.
const sharesACanvas = `if (navigator.mediaDevices) navigator.mediaDevices.getDisplayMedia = async () => {
	const canvas = document.createElement('canvas'), context = canvas.getContext('2d');
	setInterval(() => context.fillRect(0, 0, Math.random() * 300, 150), 60);
	return canvas.captureStream(15);
};`

// TestRecipes opens each page of docs/noom-js.md in two tabs and does with it what it is for.
func TestRecipes(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	r := newRecipes(t)
	tried := map[string]func(t *testing.T, one, two *browsertest.Tab){
		"Data only": triesData, "Call": triesMute, "Screen": triesScreen, "Record": triesRecording, "Draw": triesDrawing,
		"Reconnect": func(t *testing.T, one, two *browsertest.Tab) { triesReconnect(t, r, one, two) },
	}
	if len(r.titles) != len(tried) {
		t.Errorf("docs/noom-js.md has the pages %q, of which %d are tried here", r.titles, len(tried))
	}
	for _, title := range r.titles {
		t.Run(title, func(t *testing.T) {
			chromium, address := browsertest.Chromium.Start(t), r.URL+"/"+strings.ReplaceAll(strings.ToLower(title), " ", "-")
			one, two := chromium.Open(address, sharesACanvas), chromium.Open(address, sharesACanvas)
			tried[title](t, one, two)
		})
	}
}

// moves is JavaScript: whether a picture has begun to move in a page.
const moves = `[...document.querySelectorAll('video')].some((video) => video.videoWidth > 0 && video.currentTime > 0)`

func triesData(_ *testing.T, one, two *browsertest.Tab) {
	one.Wait("the other", `document.querySelector('#log').textContent.includes('is here')`)
	two.Wait("the other", `document.querySelector('#log').textContent.includes('is here')`)
	one.Fill("#say input", "안녕")
	one.Click("#say button")
	two.Wait("what was sent", `document.querySelector('#log').textContent.includes(': 안녕')`)
	one.Navigate("about:blank")
	two.Wait("the end", `document.querySelector('#log').textContent.includes('is gone')`)
}

func triesMute(_ *testing.T, one, two *browsertest.Tab) {
	one.Wait("a picture", moves)
	two.Wait("a picture", moves)
	one.Click("#camera")
	two.Wait("a picture that is muted", `document.querySelector('video[data-muted]')`)
	one.Click("#camera")
	two.Wait("a picture again", `!document.querySelector('video[data-muted]')`)
}

func triesScreen(_ *testing.T, one, two *browsertest.Tab) {
	one.Wait("the button", `document.querySelector('#share').onclick`)
	two.Wait("the button", `document.querySelector('#share').onclick`)
	one.Click("#share")
	two.Wait("a screen", moves)
	one.Click("#share")
	two.Wait("no screen", `!document.querySelector('video')`)
}

func triesReconnect(t *testing.T, r *recipes, one, two *browsertest.Tab) {
	t.Helper()
	one.Wait("a connection", `document.querySelector('dd')?.textContent === 'connected'`)
	two.Wait("a connection", `document.querySelector('dd')?.textContent === 'connected'`)
	old := r.hub.Swap(hub.New(nil))
	if err := old.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Wait("the new hub", `document.querySelector('#hub').textContent === 'at the hub again'`)
		tab.Wait("the connection", `document.querySelector('dd')?.textContent === 'connected'`)
	}
	r.hub.Load().CloseRoom("reconnect")
	one.Wait("the end", `document.querySelector('#hub').textContent.includes('closed')`)
}

func triesRecording(_ *testing.T, one, _ *browsertest.Tab) {
	one.Wait("the button", `!document.querySelector('#record').disabled`)
	one.Click("#record")
	one.Wait("what was recorded", `document.querySelector('#record').textContent === 'Stop' && (window.begun ??= Date.now()) < Date.now() - 3000`)
	one.Click("#record")
	one.Wait("a file", `!document.querySelector('#file').hidden`)
	one.Wait("something in it", `fetch(document.querySelector('#file').href).then((r) => r.blob()).then((b) => (document.title = b.size) > 1000)`)
}

func triesDrawing(_ *testing.T, one, two *browsertest.Tab) {
	const move = `for (let x = 10; x < 300; x += 10)
		document.querySelector('#board').dispatchEvent(new PointerEvent('pointermove', { buttons: 1, clientX: x, clientY: 50, movementX: 10, movementY: 0 }))`
	const drawn = `document.querySelector('#board').getContext('2d').getImageData(0, 0, 640, 480).data.some((v) => v > 0)`
	one.Allow("willReadFrequently") // it is the test that reads
	two.Allow("willReadFrequently")
	one.Wait("the board", `document.querySelector('#board').onpointermove`)
	two.Wait("the board", `document.querySelector('#board').onpointermove`)
	one.Do(move)
	two.Wait("the lines", drawn)
	two.Reload()
	two.Wait("the lines, of one that was here before", drawn)
}
