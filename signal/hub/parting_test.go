package hub_test

import (
	"crypto/ed25519"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// joinToPart joins the room 데모, and gives the nonce for a bye.
func joinToPart(tb testing.TB, d signal.Dialer, name string) (*member, signal.Bytes) {
	tb.Helper()
	m := dial(tb, d, name)
	m.askToJoin("데모", name)
	return m, m.expect(signal.TypeJoined).Nonce
}

// byeOf is a bye as signer would post it for a member's connection, which joined gave that nonce.
func byeOf(tb testing.TB, m, signer *member, room string, nonce signal.Bytes) string {
	tb.Helper()
	text := signal.ByeText("", room, m.session, nonce)
	bye := signal.Message{Type: signal.TypeBye, Room: room, From: m.id, Session: m.session, Signature: ed25519.Sign(signer.key, text)}
	frame, err := bye.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	return string(frame)
}

func post(tb testing.TB, h *hub.Hub, bye string, want signal.Code) {
	tb.Helper()
	err := h.TakeBye(strings.NewReader(bye), netip.Addr{})
	if want == "" && err != nil || want != "" && !errors.Is(err, &signal.Error{Code: want}) {
		tb.Fatalf("a bye: %v, want %q", err, want)
	}
}

// pairToPart is a hub with jiwoo and bob in a room, and what bob's bye has to be signed for.
func pairToPart(tb testing.TB) (h *hub.Hub, d signal.Dialer, jiwoo, bob *member, nonce signal.Bytes) {
	tb.Helper()
	h = hub.New(nil)
	d = mem.Dialer(h)
	jiwoo = join(tb, d, "데모", "지우")
	bob, nonce = joinToPart(tb, d, "bob")
	jiwoo.expect(signal.TypeWelcome)
	return h, d, jiwoo, bob, nonce
}

// A bye that is posted ends its member's connection, or says of a lost one that it left: once.
func TestPostedBye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, d, jiwoo, bob, nonce := pairToPart(t)
		bye := byeOf(t, bob, bob, "데모", nonce)
		post(t, h, bye, "")
		jiwoo.expectBye(bob, signal.ReasonLeft)
		if err := bob.expectEnd(); errors.Is(err, &signal.Error{}) {
			t.Errorf("the end of the connection: %v", err)
		}
		post(t, h, bye, signal.CodeNoSuchMember)

		bob, nonce = joinToPart(t, d, "bob")
		jiwoo.expect(signal.TypeWelcome)
		_ = bob.link.Close() // as Firefox does before the page hears that it goes
		jiwoo.expectBye(bob, signal.ReasonLost)
		bye = byeOf(t, bob, bob, "데모", nonce)
		post(t, h, bye, "")
		jiwoo.expectBye(bob, signal.ReasonLeft)
		post(t, h, bye, signal.CodeNoSuchMember)
		chat("c1", jiwoo)
	})
}

// A bye that is posted may overtake what its member sent before: that is delivered, and the member is gone within a
// second, or as soon as its connection is, of which nobody is told then.
func TestPostedByeOvertakes(t *testing.T) {
	for name, closes := range map[string]bool{"connection stays": false, "connection ends": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _, jiwoo, bob, nonce := pairToPart(t)
				began := time.Now()
				for range 2 {
					post(t, h, byeOf(t, bob, bob, "데모", nonce), "")
				}
				bob.send(signal.Message{Type: signal.TypeChat, ID: "last", Text: "안녕히"})
				if m := jiwoo.expect(signal.TypeChat); m.ID != "last" {
					t.Errorf("chat: %+v", m)
				}
				if closes {
					_ = bob.link.Close() // never fails
				}
				jiwoo.expectBye(bob, signal.ReasonLeft)
				if took := time.Since(began); took >= time.Second || closes && took != 0 {
					t.Errorf("the others learn it after %v", took)
				}
				time.Sleep(time.Second)
				chat("c1", jiwoo)
			})
		})
	}
}

// A member whose bye was posted, and that is back by then, stays.
func TestPostedByeOfAMemberThatIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, d, jiwoo, bob, nonce := pairToPart(t)
		post(t, h, byeOf(t, bob, bob, "데모", nonce), "")
		again := dial(t, d, "bob")
		again.askToJoin("데모", "bob")
		again.prove("", "데모", again.expect(signal.TypeChallenge))
		again.expect(signal.TypeJoined)
		jiwoo.expect(signal.TypeWelcome)
		time.Sleep(time.Second)
		chat("c1", again, jiwoo)
	})
}

// Nobody says bye for another member, for another connection, or again.
func TestPostedByeOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		d := mem.Dialer(h)
		jiwoo := join(t, d, "데모", "지우")
		mallory, malloryNonce := joinToPart(t, d, "mallory")
		jiwoo.expect(signal.TypeWelcome)
		bob, nonce := joinToPart(t, d, "bob")
		jiwoo.expect(signal.TypeWelcome)
		mallory.expect(signal.TypeWelcome)

		former := byeOf(t, bob, bob, "데모", nonce)
		again := dial(t, d, "bob")
		again.session = bob.session // it redials
		again.askToJoin("데모", "bob")
		again.prove("", "데모", again.expect(signal.TypeChallenge))
		latest := again.expect(signal.TypeJoined).Nonce
		for _, m := range []*member{jiwoo, mallory} {
			m.expect(signal.TypeWelcome)
		}
		elsewhere := byeOf(t, again, again, "데모 2", latest)
		for what, bye := range map[string]string{
			"of the connection before":       former,
			"signed by another":              byeOf(t, again, mallory, "데모", latest),
			"with another's nonce":           byeOf(t, again, mallory, "데모", malloryNonce),
			"for another room":               elsewhere,
			"for another room, told of this": strings.Replace(elsewhere, "데모 2", "데모", 1),
			"in another session":             byeOf(t, &member{tb: t, id: bob.id, key: bob.key, session: signal.NewSession()}, bob, "데모", latest),
			"of nobody":                      byeOf(t, dial(t, d, "nobody"), bob, "데모", latest),
			"without a signature":            strings.Split(former, `,"signature"`)[0] + "}",
		} {
			if err := h.TakeBye(strings.NewReader(bye), netip.Addr{}); !errors.Is(err, &signal.Error{Code: signal.CodeNoSuchMember}) {
				t.Errorf("a bye %s: %v", what, err)
			}
		}
		for bye, want := range map[string]signal.Code{
			"":                         signal.CodeMalformed,
			"bye":                      signal.CodeMalformed,
			`{"type":"ping"}`:          signal.CodeMalformed,
			strings.Repeat(" ", 3_000): signal.CodeTooBig,
		} {
			post(t, h, bye, want)
		}
		chat("c1", again, jiwoo, mallory)
	})
}

// A lost member that said bye can still be kicked by its identity, and a locked room lets it in no more.
func TestPostedByeOfALostMemberInALockedRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Authorize: byToken})
		d := mem.Dialer(h)
		host := joinWith(t, d, "데모", "지우", "host")
		bob := dial(t, d, "bob")
		bob.tryToJoin("데모", "bob", "학생")
		nonce := bob.expect(signal.TypeJoined).Nonce
		host.expect(signal.TypeWelcome)
		if err := h.Lock("데모"); err != nil {
			t.Fatal(err)
		}
		host.expect(signal.TypeLocked)
		_ = bob.link.Close()
		host.expectBye(bob, signal.ReasonLost)
		post(t, h, byeOf(t, bob, bob, "데모", nonce), "")
		host.expectBye(bob, signal.ReasonLeft)
		again := dial(t, d, "bob")
		again.tryToJoin("데모", "bob", "학생")
		again.expectCut(signal.CodeLocked, signal.TypeJoin)
		if err := h.Kick("데모", bob.id); err != nil {
			t.Errorf("a kick that could still keep it out: %v", err)
		}
	})
}

// From one address so many byes are looked at, and no more for a while; loopback does not count.
func TestPostedByesPerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{MaxPerAddress: 64})
		from := func(address string) error { return h.TakeBye(strings.NewReader("x"), netip.MustParseAddr(address)) }
		taken := 0
		for errors.Is(from("2001:db8::1"), &signal.Error{Code: signal.CodeMalformed}) {
			taken++
		}
		if taken != 128 {
			t.Errorf("%d byes at once, want 128", taken)
		}
		err := from("2001:db8::2")
		if refusal, ok := errors.AsType[*signal.Error](err); !ok || refusal.Code != signal.CodeTooMany || refusal.RetryAfter <= 0 {
			t.Errorf("one too many: %v", err)
		}
		for range 1000 {
			for _, other := range []string{"127.0.0.1", "2001:db8:1::1"} {
				if err := from(other); other == "127.0.0.1" && errors.Is(err, &signal.Error{Code: signal.CodeTooMany}) {
					t.Fatalf("%s: %v", other, err)
				}
			}
		}
		time.Sleep(time.Minute)
		if err := from("2001:db8::3"); errors.Is(err, &signal.Error{Code: signal.CodeTooMany}) {
			t.Errorf("a minute later: %v", err)
		}
	})
}
