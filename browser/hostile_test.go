package browser_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/signal"
	"noom/transport/ws"
)

// stranger is a member that speaks the protocol by hand.
type stranger struct {
	t       *testing.T
	key     ed25519.PrivateKey
	session string
	line    signal.Signaler
	others  []signal.Member
}

func newStranger(t *testing.T, l *lab, name string) *stranger {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s := &stranger{t: t, key: key, session: signal.NewSession()}
	s.line, err = ws.Dialer{URL: l.url()}.Dial(t.Context())
	must(t, err)
	must(t, s.line.Send(t.Context(), signal.Message{Type: signal.TypeJoin, Room: "데모", Name: name, Key: s.pub(), Session: s.session}))
	joined, err := s.line.Receive(t.Context())
	must(t, err)
	s.others = joined.Members
	go func() { // reads and forgets
		for err == nil {
			_, err = s.line.Receive(context.Background())
		}
	}()
	return s
}

func (s *stranger) pub() signal.PublicKey {
	return signal.PublicKey(s.key.Public().(ed25519.PublicKey))
}

// say signs a pair frame for the first of the others.
func (s *stranger) say(f signal.Message) {
	s.t.Helper()
	f.To = s.others[0].ID
	f.Signature = ed25519.Sign(s.key, signal.PairText(&f, "데모", signal.MemberID(s.pub())))
	must(s.t, s.line.Send(s.t.Context(), f))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// quiet keeps the console free of what a page says of a flood.
const quiet = `console.warn = () => {};`

// connections is how many the page has made so far.
func connections(tab *browsertest.Tab) int { return browsertest.Eval[int](tab, `connections`) }

// TestCrowdOfStrangersInPage: of strangers that come and go, each under an id of its own, most cost
// a page no connection, and one that stays is connected.
func TestCrowdOfStrangersInPage(t *testing.T) {
	browsertest.EachKindIfAsked(t, testCrowdOfStrangersInPage)
}

func testCrowdOfStrangersInPage(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	tab.Do(`enter('하나')`)
	const crowd = 120
	began := time.Now()
	for range crowd {
		s := newStranger(t, l, "x")
		_ = s.line.Close() // the page knows of it, and may be at its turn
	}
	tab.Wait("all have come", fmt.Sprintf(`happened('peerjoined') === %d`, crowd))
	if n, most := connections(tab), 16+4*int(time.Since(began)/time.Second+1); n > most {
		t.Errorf("%d connections for %d strangers, want up to %d", n, crowd, most)
	}
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "stays"})
	must(t, err)
	defer func() { _ = room.Leave(context.Background()) }()
	tab.Wait("who stays is connected", `room.peers.some((p) => p.name === 'stays' && p.state === 'connected')`)
}

// TestStaleStormInPage: a member that says ever new sessions of itself has a page make
// no more connections than any other.
func TestStaleStormInPage(t *testing.T) { browsertest.EachKindIfAsked(t, testStaleStormInPage) }

func testStaleStormInPage(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	tab.Do(`enter('하나')`)
	s := newStranger(t, l, "x")
	began := time.Now()
	for range 150 {
		s.say(signal.Message{Type: signal.TypeStale, Sessions: [2]string{signal.NewSession(), s.others[0].Session}})
	}
	must(t, s.line.Send(t.Context(), signal.Message{Type: signal.TypeChat, ID: "a", Text: "over"}))
	// Signatures are checked meanwhile, so what is signed may be taken after the chat, which is not.
	tab.Wait("all of it", `happened('chatreceived') === 1 && happened('peerjoined') > 1`)
	took := int(time.Since(began) / time.Second)
	if came, most := browsertest.Eval[int](tab, `happened('peerjoined')`), 12+took+2; came > most {
		t.Errorf("it came %d times, want up to %d", came, most)
	}
	if n, most := connections(tab), 13+took; n > most {
		t.Errorf("%d connections, want up to %d", n, most)
	}
}

// TestChannelsWithoutEndInPage: a member that opens more channels than are refused
// loses its connection, and is kept waiting.
func TestChannelsWithoutEndInPage(t *testing.T) {
	longtest.Only(t)
	browsertest.EachKind(t, testChannelsWithoutEndInPage)
}

func testChannelsWithoutEndInPage(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), quiet)
	tab.Do(`enter('하나')`)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", nil)
	must(t, err)
	defer func() { _ = room.Leave(context.Background()) }()
	connected(tab)
	pc := room.Peers()[0].Connection()
	for n := range 400 {
		if _, err := pc.CreateDataChannel(fmt.Sprint(n), nil); err != nil {
			break // closed meanwhile
		}
		<-time.After(5 * time.Millisecond) // SCTP has a queue of 16 for new ones
	}
	tab.Wait("an end of it", `happened('peerstatechanged', (e) => e.state === 'failed' && e.error.message.includes('more channels')) === 1`)
	if n := browsertest.Eval[int](tab, `happened('channelopened')`); n > 64 {
		t.Errorf("%d channels were opened", n)
	}
}

// TestLostBeforeItCameUp: a page does not wait long for the connection of a member that the hub has lost.
func TestLostBeforeItCameUp(t *testing.T) { browsertest.EachKindIfAsked(t, testLostBeforeItCameUp) }

func testLostBeforeItCameUp(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	tab.Do(`enter('하나', { connectTimeout: 2 ** 31 - 1 })`)
	s := newStranger(t, l, "x")
	tab.Wait("an offer to it", `other().connection?.signalingState === 'have-local-offer'`)
	_ = s.line.Close()
	tab.Wait("nobody", `room.peers.length === 0 && happened('peerleft', (e) => e.reason === 'lost') === 1`)
}
