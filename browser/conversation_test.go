package browser_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"
	"golang.org/x/time/rate"

	"noom/browser"
	"noom/internal/browsertest"
	"noom/internal/conduct"
	"noom/internal/conversation"
	"noom/transport/ws"
)

// talkerPage does what a conversation asks for, and reports to the server what it learns.
const talkerPage = labPage + `<script type="module">
	const tracks = [];
	const make = (name) => ({ name, track: name === 'microphone' ? tone() : picture('blue') });
	const tell = (what) => { window.telling = (window.telling ?? Promise.resolve()).then(() => fetch('/told', { method: 'POST', body: what })); };
	const words = {
		peerjoined: (e) => 'peer joined ' + e.peer.name,
		peerleft: (e) => 'peer left ' + e.reason,
		peerrenamed: (e) => 'peer renamed ' + e.peer.name,
		peerstatechanged: (e) => e.state === 'connected' && 'connected',
		trackadded: (e) => 'track added ' + e.track.name,
		trackremoved: (e) => 'track removed ' + e.track.name,
		trackmuted: (e) => (e.muted ? 'track muted ' : 'track unmuted ') + e.track.name,
		datareceived: (e) => 'data ' + new TextDecoder().decode(e.data),
		signalinglost: () => 'hub lost',
		signalingrestored: () => 'hub back',
		closed: () => 'closed',
	};
	const join = async () => {
		try {
			await enter('bob', { tracks });
		} catch (error) {
			tell('refused ' + error.code);
			return;
		}
		for await (const e of room.events()) {
			const what = words[e.type]?.(e);
			if (what) tell(what);
		}
	};
	const sender = (name) => room.senders.find((s) => s.name === name);
	window.does = {
		join: () => { join(); },
		publish: (name) => {
			const { track } = make(name);
			if (window.room) room.publish(track, { name });
			else tracks.push({ name, track });
		},
		mute: (name) => sender(name).setMuted(true),
		close: (name) => sender(name).close(),
		chat: (text) => { room.chat(text).catch(() => {}); },
		send: (text) => { room.send(text); },
		kick: (name) => { room.kick(room.peers.find((p) => p.name === name).id).catch((error) => tell('refused ' + error.code)); },
		want: (what) => {
			const [name, height] = what.split(' ');
			room.peers[0].tracks.find((t) => t.name === name).want(height === 'all' ? Infinity : Number(height));
		},
		leave: () => { room.leave(); },
	};
</script>`

// pageTalker is the application of the page that is tested in a conversation.
type pageTalker struct {
	conversation.Told

	tab *browsertest.Tab
}

// Do implements [conversation.Client].
func (a *pageTalker) Do(what string) error {
	verb, about, _ := strings.Cut(what, " ")
	a.tab.Do(fmt.Sprintf("does[%q](%q)", verb, about))
	return nil
}

// asMembersDo puts the scripted member's connections on such a network as noom puts its own on.
func asMembersDo(s *webrtc.SettingEngine) {
	s.SetIncludeLoopbackCandidate(true)
	inner, err := stdnet.NewNet()
	if err != nil {
		return // pion will say so
	}
	checks := rate.NewLimiter(conduct.CheckRate, conduct.CheckBurst)
	s.SetNet(conduct.NewPacedNet(inner, conduct.NewPacer(checks, conduct.Everybody), conduct.NewGuard(func(error) {})))
}

// The golden conversations, which Go is held to as well.
func TestConversations(t *testing.T) { browsertest.EachKind(t, testConversations) }

func testConversations(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	conversations, err := conversation.Load("../signal/testdata/conversations")
	if err != nil {
		t.Fatal(err)
	}
	var player atomic.Pointer[conversation.Player]
	var app atomic.Pointer[pageTalker]
	mux := http.NewServeMux()
	assets := http.FileServerFS(browser.FS)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = io.WriteString(w, talkerPage) // a page that went away
			return
		}
		assets.ServeHTTP(w, r)
	})
	mux.HandleFunc("/noom.js", bundled)
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) { ws.Handler(player.Load(), nil).ServeHTTP(w, r) })
	mux.HandleFunc("/told", func(_ http.ResponseWriter, r *http.Request) {
		what, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		if err == nil {
			app.Load().Tell(string(what))
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	b := kind.Start(t, browsertest.LoopbackIsANet)
	for _, c := range conversations {
		t.Run(c.Name, func(t *testing.T) {
			tab := b.Open(server.URL, "")
			tab.Allow("the hub may be lying", "WebSocket", "Failed to load resource")
			tab.Wait("noom.js", `window.ready && window.does`)
			player.Store(conversation.New(c, asMembersDo))
			app.Store(&pageTalker{tab: tab})
			if err := player.Load().Play(t.Context(), app.Load()); err != nil {
				t.Error(err)
			}
			tab.Do(`window.room?.leave(), window.hush(), undefined`)
			tab.Close()
		})
	}
}
