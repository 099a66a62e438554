package noom_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"noom"
	"noom/internal/conduct"
	"noom/internal/link"
	"noom/internal/lyinghub"
	"noom/noomtest"
	"noom/signal"
	"noom/transport/mem"
)

// compressed is a text as the offer of a card.
func compressed(t *testing.T, text []byte) signal.Bytes {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	must(t, err)
	_, err = w.Write(text)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

// A cardPlay has two residents and a newcomer, whose card reaches whom it should not, or is another one.
type cardPlay struct {
	t       *testing.T
	who     [3]noom.Identity // the residents' and the newcomer's
	session string           // of the newcomer
	card    *signal.Card     // that it has made
}

// signed is a card that somebody has signed for a room and a session.
func (p *cardPlay) signed(who noom.Identity, offer signal.Bytes, room, session string) *signal.Card {
	return &signal.Card{Offer: offer, Signature: sign(who, signal.CardText(room, session, offer))}
}

// own is a card that the newcomer could have made.
func (p *cardPlay) own(offer signal.Bytes) *signal.Card {
	return p.signed(p.who[2], offer, "방", p.session)
}

// swapped is the newcomer's offer with another fingerprint.
func (p *cardPlay) swapped() signal.Bytes {
	p.t.Helper()
	body, err := p.card.Body()
	must(p.t, err)
	return compressed(p.t, swapFingerprint(signal.Message{Type: signal.TypeOffer, Body: body}).Body)
}

// inEpoch is the epoch in which a resident and the newcomer are connected, and whether the resident has begun it.
type inEpoch struct {
	epoch int64
	ours  bool
}

// TestCard: whatever becomes of a newcomer's card, all are connected, and only to whom they should be. The card begins the
// first epoch of the one who answers it; without it a resident begins that.
func TestCard(t *testing.T) {
	const unsigned = "not signed by the peer"
	early, usual := inEpoch{1, false}, inEpoch{1, true}
	for name, test := range map[string]struct {
		cards         func(p *cardPlay) [2]*signal.Card // what the two residents get; nil: what an honest hub gives them
		first, second inEpoch
		logged        string // by the first
	}{
		"it reaches the first": {first: early, second: usual},
		"the hub keeps it back": {
			func(*cardPlay) [2]*signal.Card { return [2]*signal.Card{} }, usual, usual, "",
		},
		"the hub gives it to the second": {
			func(p *cardPlay) [2]*signal.Card { return [2]*signal.Card{nil, p.card} }, usual, inEpoch{2, false}, "",
		},
		"the hub gives it to both": {
			func(p *cardPlay) [2]*signal.Card { return [2]*signal.Card{p.card, p.card} }, early, inEpoch{2, false}, "",
		},
		"the hub swaps the fingerprint": {func(p *cardPlay) [2]*signal.Card {
			return [2]*signal.Card{{Offer: p.swapped(), Signature: p.card.Signature}}
		}, usual, usual, unsigned},
		"the second has signed it": {func(p *cardPlay) [2]*signal.Card {
			return [2]*signal.Card{p.signed(p.who[1], p.card.Offer, "방", p.session)}
		}, usual, usual, unsigned},
		"it is for another room": {func(p *cardPlay) [2]*signal.Card {
			return [2]*signal.Card{p.signed(p.who[2], p.card.Offer, "room", p.session)}
		}, usual, usual, unsigned},
		"it is of another session": {func(p *cardPlay) [2]*signal.Card {
			return [2]*signal.Card{p.signed(p.who[2], p.card.Offer, "방", signal.NewSession())}
		}, usual, usual, unsigned},
		"it cannot be decompressed": {func(p *cardPlay) [2]*signal.Card {
			return [2]*signal.Card{p.own(signal.Bytes("안녕하세요"))}
		}, usual, usual, ""},
		"it decompresses to a megabyte": {func(p *cardPlay) [2]*signal.Card {
			return [2]*signal.Card{p.own(compressed(p.t, make([]byte, 1<<20)))}
		}, usual, usual, ""},
		"it is half of an offer": {func(p *cardPlay) [2]*signal.Card {
			return [2]*signal.Card{p.own(p.card.Offer[:len(p.card.Offer)/2])}
		}, usual, usual, ""},
		"its offer is none": {func(p *cardPlay) [2]*signal.Card {
			return [2]*signal.Card{p.own(compressed(p.t, []byte("{}")))}
		}, inEpoch{2, true}, usual, ""},
		"its description is none": {func(p *cardPlay) [2]*signal.Card {
			return [2]*signal.Card{p.own(compressed(p.t, []byte(`{"id":1,"sdp":"v=0\r\nm=audio","table":{"version":1,"tracks":{}}}`)))}
		}, inEpoch{2, true}, usual, ""},
		"its offer is the second": {func(p *cardPlay) [2]*signal.Card {
			body, err := p.card.Body()
			must(p.t, err)
			return [2]*signal.Card{p.own(compressed(p.t, bytes.Replace(body, []byte(`"id":1,`), []byte(`"id":2,`), 1)))}
		}, inEpoch{2, true}, usual, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
				p := &cardPlay{t: t}
				for i := range p.who {
					p.who[i] = noom.NewIdentity()
				}
				hub, log := lyinghub.New(w.Hub().Running()), &accusations{}
				seen := func(m signal.Message) []signal.Message {
					if m.Type == signal.TypeJoin {
						p.session, p.card = m.Session, m.Card
					}
					return []signal.Message{m}
				}
				join := func(i int, name string, cfg noom.Config) noom.Room {
					cfg.Identity, cfg.Tracks = p.who[i], hum(t)
					return w.joinBy(&wire{Dialer: w.Via(name, mem.Dialer(hub)), up: seen}, "방", name, &cfg)
				}
				first := join(0, "지우", noom.Config{Logger: slog.New(log)})
				second := join(1, "bob", noom.Config{NoCard: true})
				until(t, first, connected)
				until(t, second, connected)
				hub.Lie(func(to string, m signal.Message) []signal.Message {
					if m.Type == signal.TypeWelcome && test.cards != nil {
						cards := test.cards(p)
						m = lyinghub.Remake(m, func(m *signal.Message) {
							if m.Card = cards[0]; to == second.Self().ID {
								m.Card = cards[1]
							}
						})
					}
					return []signal.Message{m}
				})
				newcomer := join(2, "carol", noom.Config{})
				for i, r := range []noom.Room{first, second} {
					until(t, r, connected)
					receives(t, r, newcomer.Self().ID, "hum")
					receives(t, newcomer, r.Self().ID, "hum")
					var got inEpoch
					inspect(peerOf(t, r, newcomer), func(in link.Inside) {
						got = inEpoch{in.Frames.Epoch(), in.Machine.State().Ours}
					})
					if want := []inEpoch{test.first, test.second}[i]; got != want {
						t.Errorf("%s is connected in %+v, want %+v", r.Self().Name, got, want)
					}
				}
				if p.card == nil {
					t.Error("the newcomer has no card")
				}
				log.once(t, test.logged)
			})
		})
	}
}

// TestCardAgain: a hub that repeats a card ends nothing by that.
func TestCardAgain(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		hub := lyinghub.New(w.Hub().Running())
		var welcome signal.Message
		hub.Lie(func(_ string, m signal.Message) []signal.Message {
			if m.Type == signal.TypeWelcome && m.Card != nil {
				welcome = lyinghub.Remake(m, func(*signal.Message) {})
				m = lyinghub.Remake(m, func(m *signal.Message) { m.Card = nil })
			}
			return []signal.Message{m}
		})
		a := w.joinBy(w.Via("지우", mem.Dialer(hub)), "방", "지우", nil)
		b := w.joinBy(w.Via("bob", mem.Dialer(hub)), "방", "bob", nil)
		until(t, a, connected)
		until(t, b, connected)
		before := peerOf(t, a, b).Connection()
		must(t, hub.Say(t.Context(), a.Self().ID, welcome))
		time.Sleep(time.Minute)
		if p := peerOf(t, a, b); p.Connection() != before || p.State() != noom.PeerConnected || welcome.Card == nil {
			t.Errorf("the peer is %v, over another connection: %v", p.State(), p.Connection() != before)
		}
	})
}

// TestCardGivenUp: a newcomer that hears of no answer to its card in time begins an epoch in which no answer to that can be
// taken for another.
func TestCardGivenUp(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		hub, who := lyinghub.New(w.Hub().Running()), noom.NewIdentity()
		a := w.joinBy(w.Via("지우", mem.Dialer(hub)), "방", "지우", nil)
		began := time.Now()
		hub.Lie(func(to string, m signal.Message) []signal.Message {
			if m.Type.Pair() && to == who.ID() && time.Since(began) < 16*time.Second {
				return nil
			}
			return []signal.Message{m}
		})
		b := w.joinBy(w.Via("bob", mem.Dialer(hub)), "방", "bob", &noom.Config{Identity: who, ConnectTimeout: 10 * time.Second})
		until(t, b, connected)
		took := time.Since(began)
		inspect(peerOf(t, b, a), func(in link.Inside) {
			if got := (inEpoch{in.Frames.Epoch(), in.Machine.State().Ours}); got != (inEpoch{2, true}) || took > 20*time.Second {
				t.Errorf("connected in %+v after %v", got, took)
			}
		})
	})
}

// TestCardAtSomebodyElse: a card that names addresses of somebody else's has nothing sent there but checks, at a bounded rate
// and to few ports, although its own member is never heard of again.
func TestCardAtSomebodyElse(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		var mu sync.Mutex
		hits, others := 0, 0
		ports := make(map[uint16]bool)
		w.Filter(func(p noomtest.Packet) bool {
			if p.To.Addr() == netip.MustParseAddr(thirdHost) {
				mu.Lock()
				defer mu.Unlock()
				hits++
				ports[p.To.Port()] = true
				if !stun.IsMessage(p.Payload) {
					others++
				}
			}
			return true
		})
		hub, who := lyinghub.New(w.Hub().Running()), noom.NewIdentity()
		p := &cardPlay{t: t, who: [3]noom.Identity{2: who}}
		hub.Lie(func(to string, m signal.Message) []signal.Message {
			switch {
			case m.Type.Pair() && to == who.ID():
				return nil
			case m.Type != signal.TypeWelcome:
				return []signal.Message{m}
			}
			p.session, p.card = m.Member.Session, m.Card
			body, err := p.card.Body()
			must(t, err)
			var lines strings.Builder
			for i := range 100 {
				fmt.Fprintf(&lines, `a=candidate:%d 1 udp 2130706431 %s %d typ host\r\n`, i, thirdHost, 4000+i)
			}
			body = bytes.Replace(body, []byte("a=setup:"), []byte(lines.String()+"a=setup:"), 1)
			return []signal.Message{lyinghub.Remake(m, func(m *signal.Message) { m.Card = p.own(compressed(t, body)) })}
		})
		w.joinBy(w.Via("지우", mem.Dialer(hub)), "방", "지우", nil)
		w.joinBy(w.Via("mallory", mem.Dialer(hub)), "방", "mallory", &noom.Config{Identity: who})
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if most := conduct.CheckBurst + conduct.CheckRate*10; hits == 0 || hits > most || others > 0 || len(ports) > conduct.MaxOneIP {
			t.Errorf("%d packets in 10 s, want up to %d; %d are no checks; to %d ports", hits, most, others, len(ports))
		}
	})
}

// TestNoCard: none is made if a Config says so, if it would be too long, or where one comes back. Nothing is left of one
// that nobody has answered. Without bodies, a trace does not show what is in it.
func TestNoCard(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		cards := make(map[string]int)
		shown := func(e noom.Trace) {
			if e.Kind == noom.TraceSent && e.Message.Type == signal.TypeJoin && e.Message.Card != nil {
				cards[e.Self.Name] += max(len(e.Message.Card.Offer), 1)
			}
		}
		long := make([]noom.LocalTrack, 12)
		for i := range long {
			long[i] = hum(t)[0]
			long[i].Name = strings.Repeat("길", i)
		}
		alone := w.join("홀로", "alone", &noom.Config{Trace: shown})
		a := w.join("방", "지우", &noom.Config{Trace: shown, NoCard: true})
		b := w.join("방", "bob", &noom.Config{Trace: shown, Tracks: long})
		until(t, a, connected)
		until(t, b, connected)
		w.bounce("alone")
		until[noom.SignalingRestored](t, alone, nil)
		w.joinBy(w.nearHub(), "비밀", "quiet", &noom.Config{Trace: shown})
		if len(cards) != 2 || cards["quiet"] != 1 || cards["alone"] < 100 || cards["alone"] > signal.MaxCard {
			t.Errorf("traced of cards, in bytes: %v", cards)
		}
	})
}
