package browser_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/browser"
	"noom/internal/browsertest"
	"noom/internal/bundle"
	"noom/internal/lyinghub"
	"noom/signal/hub"
	noomhttp "noom/transport/http"
	"noom/transport/ws"
)

// lab is a hub and a blank page with noom.js in it. Its hub can be cut off and
// replaced.
type lab struct {
	*httptest.Server

	mu       sync.Mutex
	hub      ws.Server         // nil: none
	overHTTP *overHTTP         // of that hub; nil: of none yet
	conns    map[net.Conn]bool // WebSocket connections, by their first sighting
}

// overHTTP is a hub's handler of what comes over HTTP, with its sessions.
type overHTTP struct {
	hub ws.Server
	http.Handler
}

// labPage makes tracks without a camera and remembers events.
const labPage = `<!doctype html><meta charset="utf-8"><title>lab</title><link rel="icon" href="data:,">
<script type="module">
	import * as noom from './noom.js';
	window.noom = noom;
	window.log = [];
	window.connections = 0; // made so far
	window.made = []; // what they are
	window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(...args) { super(...args); window.connections++; made.push(this); }
	};
	const sources = new Map(); // track that picture or tone made → what stops it
	window.hush = (...tracks) => {
		for (const track of tracks.length > 0 ? tracks : [...sources.keys()]) {
			track.stop();
			sources.get(track)();
			sources.delete(track);
		}
	};
	// A picture of one colour that is redrawn all the time.
	window.picture = (colour) => {
		const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 120 });
		const context = canvas.getContext('2d');
		let n = 0;
		const drawing = setInterval(() => {
			context.fillStyle = colour;
			context.fillRect(0, 0, 160, 120);
			context.fillStyle = n++ % 2 ? 'white' : 'black';
			context.fillRect(0, 0, 10, 10);
		}, 60);
		const [track] = canvas.captureStream(15).getVideoTracks();
		sources.set(track, () => clearInterval(drawing));
		return track;
	};
	window.tone = () => {
		const context = new AudioContext();
		const out = context.createMediaStreamDestination();
		const oscillator = context.createOscillator();
		oscillator.connect(out);
		oscillator.start();
		const [track] = out.stream.getAudioTracks();
		sources.set(track, () => context.close());
		return track;
	};
	window.enter = async (name, options = {}) => {
		window.room = await noom.join('/ws', '데모', { name, connectTimeout: 60_000, dialTimeout: 30_000, ...options }); // a busy machine may take long
		(async () => { for await (const e of room.events()) log.push(e); })();
	};
	window.happened = (type, fits = () => true) => log.filter((e) => e.type === type && fits(e)).length;
	// The one other member, and whether its tracks of a kind move.
	window.other = () => room.peers[0];
	window.frames = async () => {
		let n = 0;
		for (const s of (await other().stats()).values()) if (s.type === 'inbound-rtp') n += s.packetsReceived;
		return n;
	};
	window.moving = async () => {
		const before = await frames();
		await new Promise((resolve) => setTimeout(resolve, 300));
		return (await frames()) > before;
	};
	window.shows = async (track, want) => {
		const video = track.video ??= Object.assign(document.createElement('video'), { muted: true, autoplay: true, srcObject: track.stream });
		if (!video.videoWidth) return false;
		const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 8 });
		const context = canvas.getContext('2d', { willReadFrequently: true });
		context.drawImage(video, 0, 0, 8, 8);
		const got = context.getImageData(5, 5, 1, 1).data;
		return want.every((v, i) => Math.abs(v - got[i]) < 60); // Firefox takes other primaries than Chromium gives
	};
	// The page stands still, in Chromium without a processor's time. Firefox goes on in some ways while it waits for a server.
	window.stand = (ms) => {
		if (navigator.userAgent.includes('Firefox')) {
			for (const end = performance.now() + ms; performance.now() < end;);
			return;
		}
		const request = new XMLHttpRequest();
		request.open('GET', '/later?ms=' + ms, false);
		request.send();
	};
	window.ready = true;
</script>`

// oneFile is noom.js and what it imports, which a page loads in half the time.
var oneFile = sync.OnceValues(func() (map[string][]byte, error) { return bundle.Of(browser.FS, "noom.js") })

func bundled(w http.ResponseWriter, _ *http.Request) {
	files, err := oneFile()
	if err != nil || len(files) != 2 { // the other is its map
		http.Error(w, fmt.Sprint(len(files), err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	_, _ = w.Write(files["noom.js"]) // a page that went away
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{hub: hub.New(nil), conns: make(map[net.Conn]bool)}
	mux := http.NewServeMux()
	files := http.FileServerFS(browser.FS)
	mux.HandleFunc("/noom.js", bundled)
	mux.HandleFunc("/later", func(_ http.ResponseWriter, r *http.Request) {
		if ms, err := strconv.Atoi(r.FormValue("ms")); err == nil {
			<-time.After(time.Duration(ms) * time.Millisecond)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = fmt.Fprint(w, labPage) // a page that went away
			return
		}
		files.ServeHTTP(w, r)
	})
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		h := l.hub
		l.mu.Unlock()
		if h == nil {
			http.Error(w, "no hub", http.StatusServiceUnavailable)
			return
		}
		ws.Handler(h, nil).ServeHTTP(w, r)
	})
	mux.HandleFunc("/http", func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		if l.overHTTP == nil || l.overHTTP.hub != l.hub {
			l.overHTTP = &overHTTP{l.hub, noomhttp.Handler(l.hub, nil)}
		}
		handler := l.overHTTP
		l.mu.Unlock()
		if handler.hub == nil {
			http.Error(w, "no hub", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	})
	l.Server = httptest.NewUnstartedServer(mux)
	l.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateHijacked {
			l.mu.Lock()
			l.conns[c] = true
			l.mu.Unlock()
		}
	}
	l.Start()
	t.Cleanup(func() {
		l.cut()
		l.Close()
	})
	return l
}

// cut breaks every connection to the hub, without a goodbye, even for those whose connections broke
// first.
func (l *lab) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.(*net.TCPConn).CloseWrite() // the other end may have closed it
	}
	for c := range l.conns {
		_ = c.Close() // the other end may have
	}
	clear(l.conns)
}

// replaceHub puts an empty hub in the place of the one there is.
func (l *lab) replaceHub() {
	l.mu.Lock()
	l.hub = hub.New(nil)
	l.mu.Unlock()
	l.cut()
}

// lies puts a hub that can lie in front of the one there is.
func (l *lab) lies() *lyinghub.Hub {
	l.mu.Lock()
	defer l.mu.Unlock()
	liar := lyinghub.New(l.hub)
	l.hub = liar
	return liar
}

// killHub leaves nothing in the place of the hub, until replaceHub.
func (l *lab) killHub() {
	l.mu.Lock()
	l.hub = nil
	l.mu.Unlock()
	l.cut()
}

func (l *lab) url() string { return "ws" + l.URL[len("http"):] + "/ws" }

// open opens the page; prepare is run before it.
func (l *lab) open(b *browsertest.Browser, prepare string) *browsertest.Tab {
	tab := b.Open(l.URL, prepare)
	tab.Wait("noom.js", `window.ready`)
	return tab
}

// meet is two tabs of these kinds in the room; what they publish is for the test.
func (l *lab) meet(t *testing.T, kinds browsertest.Pair) (one, two *browsertest.Tab) {
	t.Helper()
	b1, b2 := kinds.Start(t)
	one, two = l.open(b1, ""), l.open(b2, "")
	one.Do(`enter('하나')`)
	two.Do(`enter('two')`)
	connected(one, two)
	return one, two
}

// pairWithGo is a tab and a member in Go in the room.
func (l *lab) pairWithGo(t *testing.T, kind browsertest.Kind) (*browsertest.Tab, noom.Room) {
	t.Helper()
	tab := l.open(kind.Start(t), "")
	tab.Do(`enter('지우')`)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "고퍼"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = room.Leave(context.Background()) }) // the test is over
	connected(tab)
	return tab, room
}

func connected(tabs ...*browsertest.Tab) {
	for _, tab := range tabs {
		tab.Wait("a connection", `other()?.state === 'connected'`)
	}
}
