package browser_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/lyinghub"
	"noom/signal"
	"noom/transport/ws"
)

// countWarnings counts what the page says of a hub that may lie.
const countWarnings = `
	window.warned = 0;
	const warn = console.warn;
	console.warn = (text) => (text.includes('the hub may be lying') ? window.warned++ : warn(text));`

// meddler is a Lie that may change each frame, in both directions, and keeps
// what it was given.
type meddler struct {
	change func(*signal.Message) // of a pair frame; nil: nothing

	mu    sync.Mutex
	heard []signal.Message
	seen  chan struct{} // a token for each description
}

func (m *meddler) lie(_ string, f signal.Message) []signal.Message {
	if !f.Type.Pair() {
		return []signal.Message{f}
	}
	m.mu.Lock()
	m.heard = append(m.heard, lyinghub.Remake(f, func(*signal.Message) {}))
	m.mu.Unlock()
	if f.Type == signal.TypeOffer || f.Type == signal.TypeAnswer {
		select {
		case m.seen <- struct{}{}:
		default:
		}
	}
	if m.change != nil {
		f = lyinghub.Remake(f, m.change)
	}
	return []signal.Message{f}
}

// As long as the hub swaps fingerprints no page takes a description; when it
// stops, the call comes up by itself.
func TestFingerprintSwapped(t *testing.T) { browsertest.EachAlikeIfAsked(t, testFingerprintSwapped) }

func testFingerprintSwapped(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	liar := l.lies()
	m := &meddler{seen: make(chan struct{}, 100), change: func(f *signal.Message) {
		const mark = "a=fingerprint:sha-256 "
		if at := bytes.Index(f.Body, []byte(mark)); at >= 0 {
			copy(f.Body[at+len(mark):], "C0:FF:EE")
		}
	}}
	liar.Lie(m.lie)
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, countWarnings), l.open(b2, countWarnings)
	one.Do(`enter('하나', { tracks: [picture('rgb(200, 0, 0)')] })`)
	two.Do(`enter('two')`)
	for range 3 { // the first, and what comes again
		<-m.seen
	}
	two.Wait("a word about it", `warned === 1`)
	for _, tab := range []*browsertest.Tab{one, two} {
		if browsertest.Eval[bool](tab, `other()?.state === 'connected'`) {
			t.Error("a page is connected to the member that the hub chose")
		}
		if n := browsertest.Eval[int](tab, `happened('peerstatechanged', (e) => e.state === 'failed')`); n != 0 {
			t.Errorf("%d failures: a description was acted on", n)
		}
	}
	liar.Lie(nil)
	connected(one, two)
	two.Wait("a red picture", `shows(other().tracks[0], [200, 0, 0])`)
	if n := browsertest.Eval[int](two, `warned`); n != 1 {
		t.Errorf("%d warnings, want 1", n)
	}
}

// Everything the two pages ever said to each other, again and in the wrong
// order, of a connection that was replaced too.
func TestReplayed(t *testing.T) { browsertest.EachAlike(t, testReplayed) }

func testReplayed(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	liar, m := l.lies(), &meddler{}
	liar.Lie(m.lie)
	one, two := l.meet(t, kinds)
	one.Do(`room.publish(picture('rgb(200, 0, 0)'))`)
	two.Wait("a red picture", `shows(other().tracks[0], [200, 0, 0])`)
	two.Do(`other().connection.close()`)      // on purpose: what follows is of two epochs
	two.Wait("a rebuild", `connections >= 2`) // three, when both ends begin it
	connected(one, two)
	two.Wait("moving pictures", `moving()`)
	two.Do(`window.pc = other().connection; window.made = connections`)
	m.mu.Lock()
	heard := m.heard
	m.mu.Unlock()
	for range 3 {
		for i := range heard {
			f := heard[len(heard)-1-i]
			if err := liar.Say(t.Context(), f.To, lyinghub.Remake(f, func(*signal.Message) {})); err != nil {
				t.Fatal(err)
			}
		}
	}
	one.Do(`room.chat('다 들었어?')`) // behind all that
	two.Wait("what was said", `happened('chatreceived') === 1`)
	two.Wait("the same connection", `other().connection === pc && other().state === 'connected'`)
	two.Wait("moving pictures", `moving()`)
	if n := browsertest.Eval[int](two, `connections - made`); n != 0 {
		t.Errorf("%d connections were made for it", n)
	}
	t.Logf("%d frames, thrice", len(heard))
}

// What a hub makes up about a Go member in a call with a page: a page takes no frame that the
// member did not sign and no Member that is none; it shows names and strangers as the hub has them,
// and the safety number is that of Go.
func TestHubMakesThingsUp(t *testing.T) { browsertest.EachKind(t, testHubMakesThingsUp) }

func testHubMakesThingsUp(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	liar := l.lies()
	g, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "고퍼"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Leave(context.Background()) }() // the test is over
	tab := l.open(kind.Start(t), countWarnings)
	tab.Do(fmt.Sprintf(`enter('지우', { verify: (m) => m.name !== 'refused' && m.id.length === %d })`, len(g.Self().ID)))
	connected(tab)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	follow(ctx, t, g, func(e noom.Event) bool {
		state, ok := e.(noom.PeerStateChanged)
		return ok && state.State == noom.PeerConnected
	})
	tab.Do(`window.pc = other().connection`)
	page, member := g.Peers()[0], g.Self()
	if got, want := browsertest.Eval[string](tab, `other().safetyNumber().then((n) => n.digits + n.emoji)`), page.SafetyNumber(); got != want.Digits+want.Emoji {
		t.Errorf("the page sees %s, Go %v", got, want)
	}

	stranger := noom.NewIdentity()
	other, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "elsewhere", &noom.Config{Identity: stranger})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Leave(context.Background()) }() // the test is over
	welcome := func(change func(*signal.Member)) signal.Message {
		m := other.Self()
		change(&m)
		return signal.Message{Type: signal.TypeWelcome, Member: &m}
	}
	forged := signal.Message{
		Type: signal.TypeAsk, From: member.ID, To: page.ID(), Seq: 1, Signature: make([]byte, 64),
		Sessions: [2]string{member.Session, page.Member().Session}, Epoch: signal.Epoch{Number: 99, By: member.ID},
	}
	for range 5 {
		for _, f := range []signal.Message{
			forged,
			welcome(func(m *signal.Member) { m.ID = member.ID }),
			welcome(func(m *signal.Member) { m.PublicKey = member.PublicKey }),
			welcome(func(m *signal.Member) { m.Name = "refused" }),
			{Type: signal.TypeRenamed, From: member.ID, Name: "경찰"},
		} {
			if err := liar.Say(t.Context(), page.ID(), lyinghub.Remake(f, func(*signal.Message) {})); err != nil {
				t.Fatal(err)
			}
		}
	}
	tab.Wait("the new name", `other().name === '경찰' && happened('peerrenamed') === 1`)
	tab.Wait("one warning for the frames, one for the members", `warned === 2`)
	tab.Wait("the same connection, and nobody else", `other().connection === pc && other().state === 'connected' && room.peers.length === 1`)
	if err := liar.Say(t.Context(), page.ID(), welcome(func(m *signal.Member) { m.Name = "고퍼" })); err != nil {
		t.Fatal(err)
	}
	tab.Wait("a stranger who can be told apart", `(async () => {
		const [real, stranger] = await Promise.all(room.peers.map((p) => p.safetyNumber()));
		return real.digits !== stranger.digits && real.emoji !== stranger.emoji;
	})()`)
}

// TestNameOfAnotherUnicode: a name that a hub takes and a page does not, as with another version
// of Unicode, costs the page nothing but the name.
func TestNameOfAnotherUnicode(t *testing.T) { browsertest.EachAlike(t, testNameOfAnotherUnicode) }

func testNameOfAnotherUnicode(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one := l.open(b1, `window.WebSocket = class extends WebSocket { constructor(...args) { super(...args); window.socket = this; } };`)
	two := l.open(b2, "")
	one.Do(`enter('하나', { transport: 'websocket' })`)
	two.Do(`enter('둘')`)
	connected(one, two)
	one.Do(`socket.dispatchEvent(new MessageEvent('message', { data: JSON.stringify({ type: 'renamed', from: other().id, name: '\u0301둘' }) })), undefined`)
	one.Do(`(async () => {
		const { id, key } = await noom.Identity.generate();
		const base64url = btoa(String.fromCharCode(...key)).replaceAll('+', '-').replaceAll('/', '_').replace('=', '');
		const member = { id, key: base64url, session: 'a'.repeat(22), name: '́셋' };
		socket.dispatchEvent(new MessageEvent('message', { data: JSON.stringify({ type: 'welcome', member }) }));
	})()`)
	one.Wait("who has such a name, without it", `happened('peerjoined', (e) => e.peer.name === '' && e.peer.id !== other().id) === 1`)
	two.Do(`room.rename('셋')`)
	one.Wait("the next name", `other().name === '셋'`)
	if n := browsertest.Eval[int](one, `happened('signalinglost')`); n > 0 {
		t.Errorf("the hub was lost %d times", n)
	}
}
