package noom_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/internal/lyinghub"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// These tests are about a hub that lies (SECURITY.md). Each lie is either
//
//   - refused: it has no effect, and is logged once if no honest hub says it;
//   - visible: an event says what the hub claims, and it is for the
//     application to judge. What a hub can do to a call that way is to end it.

// accusations is a slog handler that keeps what is logged aloud of a hub that may lie.
type accusations struct {
	mu   sync.Mutex
	said []string
}

func (w *accusations) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}
func (w *accusations) WithAttrs([]slog.Attr) slog.Handler { return w }
func (w *accusations) WithGroup(string) slog.Handler      { return w }

func (w *accusations) Handle(_ context.Context, r slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.Contains(r.Message, "the hub may be lying") {
		w.said = append(w.said, r.Message)
	}
	return nil
}

// once fails unless want was said once and nothing else, or nothing at all if
// want is empty.
func (w *accusations) once(t *testing.T, want string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if want == "" && len(w.said) == 0 || len(w.said) == 1 && strings.Contains(w.said[0], want) && want != "" {
		return
	}
	t.Errorf("logged %q, want %q once", w.said, want)
}

// deceit is a call of a and b, and of c beside it, in room r of a hub that can lie.
type deceit struct {
	t       *testing.T
	w       *world
	hub     *lyinghub.Hub
	a, b, c noom.Room
	ids     [3]noom.Identity // of a, b and c
	log     *accusations     // of a
	owner   noom.Identity    // the hub's own key pair

	mu    sync.Mutex
	heard []signal.Message // pair frames from b to a so far
}

// inDeceit runs f in the call. The hub is honest to begin with, and b has said nothing ahead.
func inDeceit(t *testing.T, f func(t *testing.T, d *deceit)) {
	t.Helper()
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		d := &deceit{t: t, w: w, hub: lyinghub.New(w.Hub().Running()), log: &accusations{}, owner: noom.NewIdentity()}
		d.hub.Lie(d.remember)
		for i := range d.ids {
			d.ids[i] = noom.NewIdentity()
		}
		d.a = d.join("지우", &noom.Config{Identity: d.ids[0], Logger: slog.New(d.log)})
		d.b = d.join("bob", &noom.Config{Identity: d.ids[1], NoCard: true})
		d.c = d.join("c", &noom.Config{Identity: d.ids[2]})
		for range 2 {
			until(t, d.a, connected)
			until(t, d.b, connected)
		}
		f(t, d)
	})
}

// join enters the room by the hub that lies.
func (d *deceit) join(name string, cfg *noom.Config) noom.Room {
	d.t.Helper()
	return d.w.joinBy(d.w.Via(name, mem.Dialer(d.hub)), "r", name, cfg)
}

// remember keeps what b says to a, and changes nothing.
func (d *deceit) remember(to string, m signal.Message) []signal.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.Type.Pair() && m.To == to && d.a != nil && to == d.a.Self().ID {
		d.heard = append(d.heard, lyinghub.Remake(m, func(*signal.Message) {}))
	}
	return []signal.Message{m}
}

// say sends m to a, twenty times.
func (d *deceit) say(m signal.Message) {
	d.t.Helper()
	for range 20 {
		if err := d.hub.Say(d.t.Context(), d.a.Self().ID, lyinghub.Remake(m, func(*signal.Message) {})); err != nil {
			d.t.Fatal(err)
		}
	}
}

// frame is a pair frame to a, of the next epoch, that claims to be b's and is
// signed by the identity who.
func (d *deceit) frame(typ signal.Type, body string, who noom.Identity) signal.Message {
	m := signal.Message{
		Type: typ, From: d.b.Self().ID, To: d.a.Self().ID, Seq: 1,
		Sessions: [2]string{d.b.Self().Session, d.a.Self().Session}, Epoch: signal.Epoch{Number: 99, By: d.b.Self().ID},
	}
	if body != "" {
		m.Body = []byte(body)
	}
	m.Signature = sign(who, signal.PairText(&m, "r", m.From))
	return m
}

func (d *deceit) bob() noom.Peer {
	d.t.Helper()
	p, ok := d.a.Peer(d.b.Self().ID)
	if !ok {
		d.t.Fatal("a has lost b")
	}
	return p
}

// talks checks that data goes from a to b and back.
func (d *deceit) talks() {
	d.t.Helper()
	back, ok := d.b.Peer(d.a.Self().ID)
	if !ok {
		d.t.Fatal("b has lost a")
	}
	if err := errors.Join(d.bob().Send(d.t.Context(), []byte("안녕")), back.Send(d.t.Context(), []byte("hello"))); err != nil {
		d.t.Fatal(err)
	}
	until(d.t, d.b, func(e noom.DataReceived) bool { return string(e.Data) == "안녕" })
	until(d.t, d.a, func(e noom.DataReceived) bool { return string(e.Data) == "hello" })
}

// nothingOfBob lets time pass in which a must see no event about b, and no
// return to the hub.
func (d *deceit) nothingOfBob(during time.Duration) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), during)
	defer cancel()
	for {
		e, err := d.a.Next(ctx)
		if err != nil {
			return
		}
		peer := noom.IDIn(e)
		_, restored := e.(noom.SignalingRestored)
		if peer == d.b.Self().ID || restored {
			d.t.Errorf("a sees %T %+v", e, e)
		}
	}
}

// TestLiesRefused: lies about a running call that have no effect on it.
func TestLiesRefused(t *testing.T) {
	const unsigned, falseMember = "not signed by the peer", "false member ignored"
	for name, lie := range map[string]struct {
		logged string // "": an honest hub on a bad day does the same
		tell   func(d *deceit)
	}{
		"it answers for b": {unsigned, func(d *deceit) { d.say(d.frame(signal.TypeAsk, "", d.owner)) }},
		"it offers for b with a fingerprint of its own": {unsigned, func(d *deceit) {
			d.say(d.frame(signal.TypeOffer, `{"id":1,"sdp":"v=0","table":{"version":1,"tracks":{}}}`, d.owner))
		}},
		"it passes c's frames off as b's": {unsigned, func(d *deceit) {
			d.say(d.frame(signal.TypeAsk, "", d.ids[2]))
		}},
		"it moves b's frames to another room": {unsigned, func(d *deceit) {
			m := d.frame(signal.TypeAsk, "", d.owner)
			m.Signature = sign(d.ids[1], signal.PairText(&m, "another", m.From))
			d.say(m)
		}},
		"it gives a what b says to c": {unsigned, func(d *deceit) {
			m := d.frame(signal.TypeAsk, "", d.owner)
			m.To = d.c.Self().ID
			m.Signature = sign(d.ids[1], signal.PairText(&m, "r", m.From))
			d.say(m)
			m.To = d.a.Self().ID
			d.say(m)
		}},
		"it swaps the fingerprint in what b has said": {unsigned, func(d *deceit) {
			d.say(swapFingerprint(d.said(signal.TypeOffer, signal.TypeAnswer)))
		}},
		"it says all of b's descriptions again": {"", func(d *deceit) {
			d.mu.Lock()
			heard := d.heard
			d.mu.Unlock()
			for _, m := range heard {
				d.say(m)
			}
		}},
		"it gives b a key of its own": {falseMember, func(d *deceit) {
			m := d.b.Self()
			m.PublicKey = publicKey(d.owner)
			d.say(signal.Message{Type: signal.TypeWelcome, Member: &m})
		}},
		"it gives b's key an id of its own": {falseMember, func(d *deceit) {
			m := d.b.Self()
			m.ID = d.owner.ID()
			d.say(signal.Message{Type: signal.TypeWelcome, Member: &m})
		}},
		"it invents members without end": {"member beyond the bound ignored", func(d *deceit) {
			for range noom.MaxMembers + 50 {
				who := noom.NewIdentity()
				m := noom.Member{ID: who.ID(), PublicKey: publicKey(who), Session: signal.NewSession()}
				if err := d.hub.Say(d.t.Context(), d.a.Self().ID, signal.Message{Type: signal.TypeWelcome, Member: &m}); err != nil {
					d.t.Fatal(err)
				}
			}
		}},
		"it says goodbye for a, and not one that ends a membership": {"", func(d *deceit) {
			for _, reason := range []noom.Reason{noom.ReasonLeft, noom.ReasonLost, "moved"} {
				d.say(signal.Message{Type: signal.TypeBye, From: d.a.Self().ID, Session: d.a.Self().Session, Reason: reason})
			}
		}},
		"it says that b is lost": {"", func(d *deceit) {
			d.say(signal.Message{Type: signal.TypeBye, From: d.b.Self().ID, Session: d.b.Self().Session, Reason: noom.ReasonLost})
		}},
		"it tells a that it has joined anew, an empty room": {"", func(d *deceit) {
			self := d.a.Self()
			empty := signal.Message{Type: signal.TypeJoined, Self: &self, Limits: &signal.Limits{}, Heartbeat: 10_000}
			if err := d.hub.Say(d.t.Context(), self.ID, empty); err != nil {
				d.t.Fatal(err)
			}
		}},
		"it tells a each second that it has joined anew, before b and behind it by turns": {"", func(d *deceit) {
			self := d.a.Self()
			for i := range 60 {
				again := signal.Message{
					Type: signal.TypeJoined, Self: &self, Members: []signal.Member{d.b.Self(), d.c.Self()}, Place: int32(1 + 2*(i%2)),
					Limits: &signal.Limits{}, Heartbeat: 10_000,
				}
				if err := d.hub.Say(d.t.Context(), self.ID, again); err != nil {
					d.t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
		}},
		"it drops whatever a and b say and hear": {"", func(d *deceit) {
			d.hub.Lie(func(string, signal.Message) []signal.Message { return nil })
			time.Sleep(5 * time.Minute)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inDeceit(t, func(t *testing.T, d *deceit) {
				before := d.bob().Connection()
				lie.tell(d)
				d.nothingOfBob(5 * time.Second)
				d.talks()
				if d.bob().Connection() != before || d.bob().Name() != "bob" {
					t.Error("the call is not what it was")
				}
				d.log.once(t, lie.logged)
			})
		})
	}
}

// said returns the last frame of one of these types that b said to a.
func (d *deceit) said(types ...signal.Type) signal.Message {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range slices.Backward(d.heard) {
		if slices.Contains(types, m.Type) {
			return m
		}
	}
	d.t.Fatalf("b has said no %v by hub", types)
	return signal.Message{}
}

// swapFingerprint puts another certificate's fingerprint (RFC 8122) into a description.
func swapFingerprint(m signal.Message) signal.Message {
	return lyinghub.Remake(m, func(m *signal.Message) {
		const mark = "a=fingerprint:sha-256 "
		at := bytes.Index(m.Body, []byte(mark))
		if at < 0 {
			panic(fmt.Sprintf("no fingerprint in %s", m.Body))
		}
		copy(m.Body[at+len(mark):], "C0:FF:EE")
	})
}

// TestLiesVisible: lies that no member can tell from the truth, and how the
// application sees them. None of them changes which member is at the other end.
func TestLiesVisible(t *testing.T) {
	for name, lie := range map[string]struct {
		tell func(d *deceit)
		seen func(d *deceit, e noom.Event) bool
		ends bool // the call with b: a hub can do that whenever it likes
	}{
		"it renames b": {func(d *deceit) {
			d.say(signal.Message{Type: signal.TypeRenamed, From: d.b.Self().ID, Name: "경찰"})
		}, func(d *deceit, e noom.Event) bool {
			renamed, ok := e.(noom.PeerRenamed)
			return ok && renamed.Old == "bob" && renamed.Peer.Name() == "경찰" && renamed.Peer.ID() == d.b.Self().ID
		}, false},
		"it shows a member with a name that is none": {func(d *deceit) {
			d.say(signal.Message{Type: signal.TypeWelcome, Member: &noom.Member{
				ID: d.owner.ID(), Name: "\u202ebob", PublicKey: publicKey(d.owner), Session: signal.NewSession(),
			}})
		}, func(d *deceit, e noom.Event) bool {
			joined, ok := e.(noom.PeerJoined)
			return ok && joined.Peer.ID() == d.owner.ID() && joined.Peer.Name() == ""
		}, false},
		"it invents a member by b's name": {func(d *deceit) {
			d.say(signal.Message{Type: signal.TypeWelcome, Member: &noom.Member{
				ID: d.owner.ID(), Name: "bob", PublicKey: publicKey(d.owner), Session: signal.NewSession(),
			}})
		}, func(d *deceit, e noom.Event) bool {
			joined, ok := e.(noom.PeerJoined)
			return ok && joined.Peer.ID() != d.b.Self().ID && joined.Peer.SafetyNumber() != d.bob().SafetyNumber()
		}, false},
		"it gives b another session": {func(d *deceit) {
			m := d.b.Self()
			m.Session = signal.NewSession()
			d.say(signal.Message{Type: signal.TypeWelcome, Member: &m})
		}, func(_ *deceit, e noom.Event) bool {
			left, ok := e.(noom.PeerLeft)
			return ok && left.Reason == noom.ReasonLost
		}, false},
		"it says goodbye for b": {func(d *deceit) {
			d.say(signal.Message{Type: signal.TypeBye, From: d.b.Self().ID, Session: d.b.Self().Session, Reason: noom.ReasonLeft})
		}, func(_ *deceit, e noom.Event) bool {
			left, ok := e.(noom.PeerLeft)
			return ok && left.Reason == noom.ReasonLeft
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inDeceit(t, func(t *testing.T, d *deceit) {
				number := d.bob().SafetyNumber()
				lie.tell(d)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for {
					e, err := d.a.Next(ctx)
					if err != nil {
						t.Fatal("nothing was seen of it")
					}
					if lie.seen(d, e) {
						break
					}
				}
				time.Sleep(10 * time.Second)
				if lie.ends {
					return
				}
				if d.talks(); d.bob().SafetyNumber() != number {
					t.Error("another safety number")
				}
			})
		})
	}
}

// outcome is whether a connection comes up.
type outcome int

const (
	never outcome = iota
	perhaps
	always
)

// TestLiesWhileConnecting: as long as the hub meddles, no member is connected to
// another than it takes it for, and each end that gets a changed frame
// logs it once; when the hub stops, the call comes up.
func TestLiesWhileConnecting(t *testing.T) {
	for name, lie := range map[string]struct {
		logged string
		comes  outcome // the connection, even so
		tell   func() lyinghub.Lie
	}{
		"it swaps every fingerprint": {"not signed by the peer", never, func() lyinghub.Lie {
			return func(_ string, m signal.Message) []signal.Message {
				if m.Type == signal.TypeOffer || m.Type == signal.TypeAnswer {
					m = swapFingerprint(m)
				}
				return []signal.Message{m}
			}
		}},
		"it puts its own address in every candidate": {"not signed by the peer", perhaps, func() lyinghub.Lie { // with those in the description
			return func(_ string, m signal.Message) []signal.Message {
				if m.Type == signal.TypeCandidates {
					m = lyinghub.Remake(m, func(m *signal.Message) {
						m.Body = bytes.ReplaceAll(m.Body, []byte("198.18."), []byte("198.19."))
					})
				}
				return []signal.Message{m}
			}
		}},
		"it drops, repeats and reorders at random": {"", always, func() lyinghub.Lie {
			random := rand.New(rand.NewPCG(7, 7))
			var held []signal.Message
			return func(to string, m signal.Message) []signal.Message {
				if !m.Type.Pair() {
					return []signal.Message{m}
				}
				held = append(held, lyinghub.Remake(m, func(*signal.Message) {}))
				random.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
				var now []signal.Message
				for _, h := range held[:random.IntN(min(len(held), 4))] {
					if h.To == to {
						now = append(now, h)
					}
				}
				if len(held) > 12 {
					held = held[:12]
				}
				return now
			}
		}},
		"it keeps the roster from both": {"", never, func() lyinghub.Lie {
			return func(_ string, m signal.Message) []signal.Message {
				switch m.Type {
				case signal.TypeWelcome:
					return nil
				case signal.TypeJoined:
					m = lyinghub.Remake(m, func(m *signal.Message) { m.Members = nil })
				default:
				}
				return []signal.Message{m}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
				lying, logs := lyinghub.New(w.Hub().Running()), [2]accusations{}
				// Both ends begin epochs, often at one instant: it is open which of them
				// ever gets to offer, and so which of them has something to log.
				var deceived sync.Map // ids of the members that got a changed frame
				meddle := lie.tell()
				lying.Lie(func(to string, m signal.Message) []signal.Message {
					told := meddle(to, m)
					for _, f := range told {
						if lie.logged != "" && !bytes.Equal(f.Body, m.Body) {
							deceived.Store(to, true)
						}
					}
					return told
				})
				a := w.joinBy(w.Via("지우", mem.Dialer(lying)), "r", "지우", &noom.Config{Logger: slog.New(&logs[0])})
				b := w.joinBy(w.Via("bob", mem.Dialer(lying)), "r", "bob", &noom.Config{Logger: slog.New(&logs[1])})
				time.Sleep(time.Minute)
				if _, ok := deceived.Load(b.Self().ID); !ok && lie.logged != "" {
					t.Error("b was not lied to: a, which was there first, offers at once")
				}
				for i, end := range []struct{ room, other noom.Room }{{a, b}, {b, a}} {
					p, ok := end.room.Peer(end.other.Self().ID)
					if is := ok && p.State() == noom.PeerConnected; is && lie.comes == never || !is && lie.comes == always {
						t.Errorf("%s connected: %v", end.room.Self().Name, is)
					}
					want := ""
					if _, ok := deceived.Load(end.room.Self().ID); ok {
						want = lie.logged
					}
					logs[i].once(t, want)
				}
				lying.Lie(nil)
				w.bounce("지우")
				w.bounce("bob")
				until(t, a, connected)
				until(t, b, connected)
				p, _ := a.Peer(b.Self().ID)
				if err := p.Send(t.Context(), []byte("이제야")); err != nil {
					t.Fatal(err)
				}
				until[noom.DataReceived](t, b, nil)
			})
		})
	}
}

// TestReplayedCall: what b signed in an earlier call of the same two, played
// back to a in the next one.
func TestReplayedCall(t *testing.T) {
	inDeceit(t, func(t *testing.T, d *deceit) {
		_, _ = d.a.Leave(t.Context()), d.b.Leave(t.Context())
		d.a = d.join("지우", &noom.Config{Identity: d.ids[0], Logger: slog.New(d.log)})
		d.b = d.join("bob", &noom.Config{Identity: d.ids[1], NoCard: true})
		until(t, d.a, func(e noom.PeerStateChanged) bool { return connected(e) && e.Peer.ID() == d.ids[1].ID() })
		until(t, d.b, func(e noom.PeerStateChanged) bool { return connected(e) && e.Peer.ID() == d.ids[0].ID() })
		before := d.bob().Connection()
		d.mu.Lock()
		heard := d.heard
		d.mu.Unlock()
		for _, m := range heard {
			d.say(m)
		}
		time.Sleep(5 * time.Second)
		d.talks()
		if d.bob().Connection() != before {
			t.Error("the call was rebuilt")
		}
		d.log.once(t, "")
	})
}

// TestManInTheMiddle: a hub with a member of its own towards either side, by
// the other's name. Without a look at the ids nobody sees it; the safety
// numbers differ, and Verify refuses it.
func TestManInTheMiddle(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		alice, bob := noom.NewIdentity(), noom.NewIdentity()
		other := hub.New(nil) // what b takes for the same hub
		defer func() { _ = other.Shutdown(context.Background()) }()
		there := mem.Dialer(other)

		a := w.join("r", "지우", &noom.Config{Identity: alice})
		pinned := w.join("r", "c", &noom.Config{Verify: func(m noom.Member) error {
			if m.ID != bob.ID() && m.ID != alice.ID() {
				return errors.New("not whom I meant to call")
			}
			return nil
		}})
		falseBob := w.join("r", "bob", nil)
		b := w.joinBy(w.Via("b", there), "r", "b", &noom.Config{Name: "bob", Identity: bob})
		falseAlice := w.joinBy(w.Via("false", there), "r", "false", &noom.Config{Name: "지우"})

		toB := until(t, a, func(e noom.PeerStateChanged) bool { return connected(e) && e.Peer.ID() == falseBob.Self().ID }).Peer
		toA := until(t, b, connected).Peer
		if toB.Name() != "bob" || toA.Name() != "지우" || toA.ID() != falseAlice.Self().ID {
			t.Fatal("there is no man in the middle to be caught")
		}
		if toB.SafetyNumber() == toA.SafetyNumber() {
			t.Error("both see the same safety number")
		}
		if want := noom.SafetyNumberOf(a.Self(), b.Self()); toB.SafetyNumber() == want || toA.SafetyNumber() == want {
			t.Error("one of them sees the safety number of the two")
		}
		for _, p := range pinned.Peers() {
			if p.ID() != alice.ID() {
				t.Errorf("%s is connected to who pins ids", p.ID())
			}
		}
	})
}

// TestSafetyNumberAtBothEnds: two who are each other's peers see one number.
func TestSafetyNumberAtBothEnds(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a, b := w.join("r", "지우", nil), w.join("r", "bob", nil)
		until[noom.PeerJoined](t, a, nil)
		toB, _ := a.Peer(b.Self().ID)
		toA, _ := b.Peer(a.Self().ID)
		if toA.SafetyNumber() != toB.SafetyNumber() || toA.SafetyNumber() != noom.SafetyNumberOf(b.Self(), a.Self()) {
			t.Errorf("%v and %v", toA.SafetyNumber(), toB.SafetyNumber())
		}
	})
}
