package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/transport/ws"
)

// A page that is reloaded, goes elsewhere or is closed has left, and the others learn that, pages and Go members
// alike: by the hub and in-band, or in-band alone where there is no hub. Otherwise it would be lost. A Firefox ends the
// process of a page that is closed so soon that what it says in-band may not be sent.
func TestPageGoesAway(t *testing.T) {
	longtest.Only(t)
	browsertest.EachKind(t, func(t *testing.T, kind browsertest.Kind) {
		l := newLab(t)
		b := kind.Start(t)
		watcher := l.open(browsertest.Start(t), "")
		watcher.Allow("WebSocket connection", "Failed to load resource") // in the end there is no hub
		watcher.Do(`enter('하나')`)
		gopher, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "고퍼"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = gopher.Leave(t.Context()) }) // the test is over
		events := gopher.Events(t.Context())
		for i, c := range []struct {
			what        string
			before, act func(tab *browsertest.Tab)
		}{
			{"reloads", nothing, (*browsertest.Tab).Reload},
			{"goes elsewhere", nothing, func(tab *browsertest.Tab) { tab.Navigate(l.URL + "/noom.js") }},
			{"is closed", nothing, (*browsertest.Tab).Close},
			{"is closed, without a hub", func(*browsertest.Tab) { l.killHub() }, (*browsertest.Tab).Close},
		} {
			if kind == browsertest.Firefox && strings.HasSuffix(c.what, "without a hub") {
				break
			}
			tab := l.open(b, "")
			tab.Allow("WebSocket connection", "Failed to load resource", "establish a connection to the server") // nor an icon where it goes
			tab.Do(fmt.Sprintf(`enter('%d')`, i))
			tab.Wait("both", `room.peers.length === 2 && room.peers.every((p) => p.state === 'connected')`)
			watcher.Wait("the page", fmt.Sprintf(`room.peers.some((p) => p.name === '%d' && p.state === 'connected')`, i))
			c.before(tab)
			c.act(tab)
			reason := fmt.Sprintf(`log.find((e) => e.type === 'peerleft' && e.member.name === '%d')?.reason`, i)
			watcher.Wait("its end", reason)
			if got := browsertest.Eval[string](watcher, reason); got != "left" {
				t.Errorf("a page that %s: %q to a page", c.what, got)
			}
			for event := range events {
				if e, ok := event.(noom.PeerLeft); ok && e.Member.Name == fmt.Sprint(i) {
					if e.Reason != noom.ReasonLeft {
						t.Errorf("a page that %s: %q to Go", c.what, e.Reason)
					}
					break
				}
			}
		}
	})
}

func nothing(*browsertest.Tab) {}
