package browser_test

import (
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/internal/webtest"
)

// behind puts a proxy in front of the lab and returns its address. The way can be changed.
func (l *lab) behind(t *testing.T, way webtest.Way) (url string, change func(webtest.Way)) {
	t.Helper()
	var now atomic.Pointer[webtest.Way]
	now.Store(&way)
	proxy := httptest.NewServer(webtest.Proxy(l.URL, nil, func() webtest.Way { return *now.Load() }))
	t.Cleanup(func() {
		proxy.CloseClientConnections() // Firefox leaves one open whose upgrade was never answered
		proxy.Close()
	})
	return proxy.URL, func(way webtest.Way) { now.Store(&way) }
}

// sockets is how many WebSockets there are at the hub.
func (l *lab) sockets() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// openAt opens the page at an address of its own.
func openAt(b *browsertest.Browser, url, prepare string) *browsertest.Tab {
	tab := b.Open(url, prepare)
	tab.Wait("noom.js", `window.ready`)
	tab.Allow("ws://") // that it is not reached is the point
	return tab
}

// A call where no WebSocket gets through, whatever the proxy does instead: with pictures both ways,
// chat, a right goodbye, and a new track in the middle.
func TestCallWithoutWebSocket(t *testing.T) {
	browsertest.EachKind(t, func(t *testing.T, kind browsertest.Kind) {
		callBehind(t, kind, webtest.Way{NoUpgrade: true, HoldBack: true})
	})
}

// The same, where the proxy does less harm, or more.
func TestCallBehindProxies(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	for name, way := range map[string]webtest.Way{
		"upgrades are removed":                      {NoUpgrade: true},
		"upgrades are swallowed":                    {Swallow: true},
		"upgrades are swallowed, streams held back": {Swallow: true, HoldBack: true},
	} {
		t.Run(name, func(t *testing.T) {
			if !way.HoldBack { // the worst of them
				longtest.Only(t)
			}
			browsertest.EachKind(t, func(t *testing.T, kind browsertest.Kind) { callBehind(t, kind, way) })
		})
	}
}

func callBehind(t *testing.T, kind browsertest.Kind, way webtest.Way) {
	t.Helper()
	l := newLab(t)
	url, _ := l.behind(t, way)
	b := kind.Start(t)
	one, two := openAt(b, url, ""), openAt(b, url, "")
	one.Do(`enter('하나', { tracks: [picture('rgb(200, 0, 0)')] })`)
	two.Do(`enter('two', { tracks: [picture('rgb(0, 0, 200)')] })`)
	connected(one, two)
	one.Wait("a blue picture", `shows(other().tracks[0], [0, 0, 200])`)
	two.Wait("a red picture", `shows(other().tracks[0], [200, 0, 0])`)
	one.Do(`room.chat('안녕 👋🏽\r\nhello')`)
	two.Wait("chat", `log.some((e) => e.type === 'chatreceived' && e.text === '안녕 👋🏽\r\nhello')`)
	two.Do(`window.second = room.publish(picture('rgb(0, 200, 0)'), { name: 'second' })`)
	one.Wait("a green picture", `shows(other().tracks.find((t) => t.name === 'second'), [0, 200, 0])`)
	one.Do(`room.leave()`)
	two.Wait("goodbye", `log.some((e) => e.type === 'peerleft' && e.reason === 'left')`)
	if n := l.sockets(); n != 0 {
		t.Errorf("%d WebSockets", n)
	}
}

// The second join of a page is over HTTP at once, and when WebSocket works again it is used. The
// page's clock is fast, because that takes a minute.
func TestBackToWebSocket(t *testing.T) { browsertest.EachKindIfAsked(t, testBackToWebSocket) }

func testBackToWebSocket(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	url, change := l.behind(t, webtest.Way{Swallow: true})
	tab := openAt(kind.Start(t), url, `
		const now = performance.now.bind(performance);
		performance.now = () => 10 * now();
		const later = setTimeout;
		window.setTimeout = (f, ms, ...args) => later(f, ms / 10, ...args);
		window.sockets = [];
		window.ways = []; // that were tried
		window.WebSocket = class extends WebSocket { constructor(...args) { super(...args); sockets.push(this); ways.push('websocket'); } };
		const ask = fetch;
		window.fetch = (url, options) => {
			if (options?.headers?.['Noom-Protocol']) ways.push('http');
			return ask(url, options);
		};`)
	tab.Do(`enter('하나', { dialTimeout: 600_000 })`)
	tab.Do(`window.before = ways.length, noom.join('/ws', 'elsewhere', { dialTimeout: 600_000 }).then((room) => room.leave())`)
	if ways := browsertest.Eval[string](tab, `ways.join(' ')`); !strings.HasPrefix(ways, "websocket http") || browsertest.Eval[string](tab, `ways[before]`) != "http" {
		t.Errorf("what was tried for two joins: %s", ways)
	}
	change(webtest.Way{})
	tab.Do(`new Promise((resolve) => { // Wait goes by the page's clock
		const look = setInterval(() => {
			if (!sockets.some((s) => s.readyState === WebSocket.OPEN && s.onmessage)) return;
			clearInterval(look);
			resolve();
		}, 50);
	})`)
	tab.Do(`room.chat('다시')`)
	if n := browsertest.Eval[int](tab, `happened('signalingrestored')`); n == 0 {
		t.Error("the room does not say so")
	}
}

// A hub that is killed and replaced by an empty one: the call goes on, and the room forms again.
func TestHubReplacedOverHTTP(t *testing.T) { browsertest.EachKindIfAsked(t, testHubReplacedOverHTTP) }

func testHubReplacedOverHTTP(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	b := kind.Start(t)
	one, two := l.open(b, ""), l.open(b, "")
	for tab, name := range map[*browsertest.Tab]string{one: "하나", two: "two"} {
		tab.Allow("Failed to load resource") // that it is refused is the point
		tab.Do(`enter('` + name + `', { transport: 'http', tracks: [tone()] })`)
	}
	connected(one, two)
	l.killHub()
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Wait("the loss of the hub", `happened('signalinglost') > 0`)
	}
	l.replaceHub()
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Wait("the return", `happened('signalingrestored') > 0`)
	}
	one.Do(`room.chat('다시')`)
	two.Wait("chat", `log.some((e) => e.type === 'chatreceived' && e.text === '다시')`)
	for _, tab := range []*browsertest.Tab{one, two} {
		if n := browsertest.Eval[int](tab, `connections`); n != 1 {
			t.Errorf("%d connections were made for one call", n)
		}
	}
}

// A page that is closed or reloaded says goodbye over HTTP too.
func TestGoodbyeOverHTTP(t *testing.T) { browsertest.EachKindIfAsked(t, testGoodbyeOverHTTP) }

func testGoodbyeOverHTTP(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	b := kind.Start(t)
	stays, reloads, goes := l.open(b, ""), l.open(b, ""), l.open(b, "")
	for i, tab := range []*browsertest.Tab{stays, reloads, goes} {
		tab.Do(`enter('` + string(rune('a'+i)) + `', { transport: 'http' })`)
	}
	stays.Wait("two peers", `room.peers.filter((p) => p.state === 'connected').length === 2`)
	reloads.Navigate(l.URL + "/?again")
	goes.Navigate("about:blank")
	stays.Wait("two goodbyes", `log.filter((e) => e.type === 'peerleft' && e.reason === 'left').length === 2`)
}
