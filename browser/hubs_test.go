package browser_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"noom/internal/browsertest"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

// hubAt serves one more hub, at a URL with which the lab's room tries all of them in the order that fits.
func hubAt(t *testing.T, handler http.Handler, fits func(url string) []string) (inOrder []string) {
	t.Helper()
	for {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		if urls := fits("ws" + server.URL[len("http"):] + "/ws"); slices.Equal(signal.OrderHubs("데모", urls), urls) {
			return urls
		}
	}
}

// Three hubs, of which the first is dead, and the second dies in mid-call: the members meet at the second, then at the third,
// and the call goes on meanwhile.
func TestSeveralHubs(t *testing.T) { browsertest.EachKindIfAsked(t, testSeveralHubs) }

func testSeveralHubs(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	last := hub.New(nil)
	dead := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	urls := hubAt(t, dead, func(url string) []string { return []string{url, l.url()} })
	urls = hubAt(t, ws.Handler(last, &ws.AcceptOptions{OriginPatterns: []string{"*"}}), func(url string) []string { return append(slices.Clone(urls), url) })
	b := kind.Start(t)
	one, two := openAt(b, l.URL, ""), openAt(b, l.URL, "")
	for tab, name := range map[*browsertest.Tab]string{one: "하나", two: "two"} {
		tab.Allow("Failed to load resource", "can’t establish a connection", "CORS", "Cross-Origin") // the dead one, by HTTP
		tab.Do(`(async () => {
			window.urls = ['` + strings.Join(urls, `', '`) + `'];
			window.room = await noom.join(urls, '데모', { name: '` + name + `', connectTimeout: 60_000, dialTimeout: 30_000, tracks: [tone()] });
			(async () => { for await (const e of room.events()) log.push(e); })();
		})()`)
	}
	connected(one, two)
	if n := l.sockets(); n != 2 {
		t.Errorf("%d WebSockets at the second hub", n)
	}
	one.Wait("sound", `moving()`)
	l.killHub()
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Wait("the loss of the hub, and the return", `happened('signalinglost') > 0 && happened('signalingrestored') > 0`)
	}
	if len(last.Rooms()) != 1 {
		t.Errorf("at the third hub there are %v", last.Rooms())
	}
	one.Do(`room.chat('다시 👋🏽')`)
	two.Wait("chat", `log.some((e) => e.type === 'chatreceived' && e.text === '다시 👋🏽')`)
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Wait("sound still", `moving()`)
		if n := browsertest.Eval[int](tab, `connections`); n != 1 {
			t.Errorf("%d connections were made for one call", n)
		}
	}
}
