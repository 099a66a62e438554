package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// joinWith joins a hub that authorises, with a token.
func joinWith(tb testing.TB, d signal.Dialer, room, name, token string) *member {
	tb.Helper()
	m := dial(tb, d, name)
	m.tryToJoin(room, name, token)
	m.expect(signal.TypeJoined)
	return m
}

func (m *member) tryToJoin(room, name, token string) {
	m.tb.Helper()
	m.send(signal.Message{
		Type: signal.TypeJoin, Room: room, Name: name, Session: m.session, Token: token, Key: signal.PublicKey(m.key[32:]),
	})
	m.prove("", room, m.expect(signal.TypeChallenge))
}

// byToken grants by what the token says.
func byToken(_ context.Context, r hub.Request) (hub.Grant, error) {
	switch r.Token {
	case "host":
		return hub.Grant{Rights: signal.AllRights(), Identity: "선생님"}, nil
	case "viewer":
		return hub.Grant{Rights: signal.Rights{}}, nil
	case "named":
		return hub.Grant{Name: "정해진 이름"}, nil
	case "half a minute":
		return hub.Grant{Expires: time.Now().Add(30 * time.Second)}, nil
	case "over":
		return hub.Grant{Expires: time.Now()}, nil
	case "panic":
		panic("a bug in the authorisation")
	}
	return hub.Grant{Identity: r.Token}, nil
}

func (m *member) ask(what signal.Type, to *member) {
	m.tb.Helper()
	f := signal.Message{Type: what}
	if to != nil {
		f.To = to.id
	}
	m.send(f)
}

func TestRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Authorize: byToken})
		d := mem.Dialer(h)
		host := joinWith(t, d, "교실", "지우", "host")
		plain := joinWith(t, d, "교실", "bob", "")
		viewer := joinWith(t, d, "교실", "carol", "viewer")
		if w := host.expect(signal.TypeWelcome); w.Member.Rights != nil || !w.Member.May(signal.RightPublish) || w.Member.May(signal.RightKick) {
			t.Errorf("bob may %v", w.Member.Rights)
		}
		if w := host.expect(signal.TypeWelcome); w.Member.Rights == nil || w.Member.May(signal.RightPublish) {
			t.Errorf("carol may %v", w.Member.Rights)
		}
		plain.expect(signal.TypeWelcome)

		for _, what := range []signal.Type{signal.TypeKick, signal.TypeLock, signal.TypeUnlock, signal.TypeMute, signal.TypeClose} {
			plain.ask(what, host)
			plain.expectError(signal.CodeForbidden, what)
		}
		viewer.send(signal.Message{Type: signal.TypeChat, ID: "1", Text: "hello"})
		viewer.expectError(signal.CodeForbidden, signal.TypeChat)
		chat("nobody-heard-that", host, plain, viewer)

		// A request to mute: its receiver gets it, and so does its sender.
		host.send(signal.Message{Type: signal.TypeMute, To: plain.id, Name: "마이크"})
		for _, m := range []*member{plain, host} {
			if f := m.expect(signal.TypeMute); f.From != host.id || f.To != plain.id || f.Name != "마이크" {
				t.Errorf("mute: %+v", f)
			}
		}
		elsewhere := joinWith(t, d, "다른 교실", "dora", "")
		host.ask(signal.TypeMute, elsewhere)
		host.expectError(signal.CodeNoSuchMember, signal.TypeMute)
		host.ask(signal.TypeKick, elsewhere)
		host.expectError(signal.CodeNoSuchMember, signal.TypeKick)
		chat("nor-that", host, plain, viewer)

		host.ask(signal.TypeKick, viewer)
		for _, m := range []*member{viewer, host, plain} {
			m.expectBye(viewer, signal.ReasonKicked)
		}
		_ = viewer.expectEnd()
		again := dial(t, d, "carol")
		again.tryToJoin("교실", "carol", "viewer")
		again.expectCut(signal.CodeKicked, signal.TypeJoin)

		host.ask(signal.TypeClose, nil)
		host.expectBye(host, signal.ReasonClosed)
		plain.expectBye(plain, signal.ReasonClosed)
		if got := h.Rooms(); len(got) != 1 || got[0].Name != "다른 교실" {
			t.Errorf("rooms: %v", got)
		}
	})
}

// A kicked member does not come back with another key either, where the authorisation knows it.
func TestKickedIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Authorize: byToken})
		d := mem.Dialer(h)
		joinWith(t, d, "r", "a", "아이디1")
		b := joinWith(t, d, "r", "b", "아이디2")
		if list := h.Members("r"); len(list) != 2 || list[1].Identity != "아이디2" || list[1].ID != b.id || list[1].Since.IsZero() {
			t.Errorf("members: %+v", list)
		}
		if err := h.Kick("r", b.id); err != nil {
			t.Fatal(err)
		}
		other := dial(t, d, "b with another key")
		other.tryToJoin("r", "b", "아이디2")
		other.expectCut(signal.CodeKicked, signal.TypeJoin)
		joinWith(t, d, "r", "c", "아이디3")
	})
}

func TestLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Authorize: byToken})
		d := mem.Dialer(h)
		host, b := joinWith(t, d, "r", "지우", "host"), joinWith(t, d, "r", "b", "")
		host.expect(signal.TypeWelcome)
		host.ask(signal.TypeLock, nil)
		for _, m := range []*member{host, b} {
			if f := m.expect(signal.TypeLocked); f.From != host.id {
				t.Errorf("locked by %q", f.From)
			}
		}
		host.ask(signal.TypeLock, nil) // confirmed, and the others get nothing again
		host.expect(signal.TypeLocked)
		late := dial(t, d, "late")
		late.tryToJoin("r", "late", "")
		late.expectCut(signal.CodeLocked, signal.TypeJoin)

		// A member that was there comes back after its connection broke.
		_ = b.link.Close()
		host.expectBye(b, signal.ReasonLost)
		back := dial(t, d, "b")
		back.tryToJoin("r", "b", "")
		if f := back.expect(signal.TypeJoined); !f.Locked {
			t.Error("joined does not say that the room is locked")
		}
		host.expect(signal.TypeWelcome)
		// One that left does not.
		back.send(signal.Message{Type: signal.TypeBye})
		host.expectBye(back, signal.ReasonLeft)
		gone := dial(t, d, "b")
		gone.tryToJoin("r", "b", "")
		gone.expectCut(signal.CodeLocked, signal.TypeJoin)

		if err := h.Unlock("r"); err != nil {
			t.Fatal(err)
		}
		if f := host.expect(signal.TypeUnlocked); f.From != "" {
			t.Errorf("unlocked by %q, want the owner", f.From)
		}
		joinWith(t, d, "r", "late", "")
		if err := h.Lock("nowhere"); !errors.Is(err, hub.ErrNoRoom) {
			t.Errorf("Lock of no room: %v", err)
		}
	})
}

// Without authorisation too: the proof is what lets the lost one back in.
func TestLockedRoomAsksForProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		d := mem.Dialer(h)
		a, b := join(t, d, "r", "a"), join(t, d, "r", "b")
		a.expect(signal.TypeWelcome)
		if err := h.Lock("r"); err != nil {
			t.Fatal(err)
		}
		a.expect(signal.TypeLocked)
		_ = b.link.Close()
		a.expectBye(b, signal.ReasonLost)
		thief := dial(t, d, "b")
		thief.askToJoin("r", "b")
		challenge := thief.expect(signal.TypeChallenge)
		thief.key = keyOf("thief")
		thief.prove("", "r", challenge)
		thief.expectCut(signal.CodeBadProof, signal.TypeProof)
		back := dial(t, d, "b")
		back.askToJoin("r", "b")
		back.prove("", "r", back.expect(signal.TypeChallenge))
		back.expect(signal.TypeJoined)
	})
}

func TestForcedName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mem.Dialer(hub.New(&hub.Config{Authorize: byToken}))
		m := joinWith(t, d, "r", "a", "named")
		m.send(signal.Message{Type: signal.TypeRename, Name: "another"})
		m.expectError(signal.CodeForbidden, signal.TypeRename)
	})
}

// No other member has a name that the authorisation gave, or one that looks like it, whether it was
// there before or comes later.
func TestForcedNameIsNobodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mem.Dialer(hub.New(&hub.Config{Authorize: func(_ context.Context, r hub.Request) (hub.Grant, error) {
			return hub.Grant{Name: r.Token}, nil
		}}))
		before := joinWith(t, d, "r", "ALICE", "")
		alice := joinWith(t, d, "r", "x", "Alice")
		if f := before.expect(signal.TypeRenamed); f.From != before.id || f.Name != "ALICE (2)" {
			t.Errorf("renamed: %+v", f)
		}
		before.expect(signal.TypeWelcome)
		for i, like := range []string{"Alice", "аlice", "\uff21lice", "A1ice"} { // the second with a Cyrillic а
			m := dial(t, d, fmt.Sprint(i))
			m.tryToJoin("r", like, "")
			if f := m.expect(signal.TypeJoined); likeAlice(f.Self.Name) || f.Self.Name == "ALICE (2)" {
				t.Errorf("%s is called %q", like, f.Self.Name)
			}
			m.send(signal.Message{Type: signal.TypeRename, Name: like})
			m.expectError(signal.CodeForbidden, signal.TypeRename)
			m.send(signal.Message{Type: signal.TypeRename, Name: "alicia"})
			m.expect(signal.TypeRenamed)
			m.send(signal.Message{Type: signal.TypeBye})
			_ = m.expectEnd()
		}
		again := joinWith(t, d, "r", "", "Alice") // the same account, at another desk
		_ = alice.link.Close()
		_ = again.link.Close()
		synctest.Wait()
		last := dial(t, d, "last")
		last.tryToJoin("r", "alice", "") // both have lost the hub, and may be in calls
		if f := last.expect(signal.TypeJoined); f.Self.Name != "alice (2)" {
			t.Errorf("called %q", f.Self.Name)
		}
	})
}

func likeAlice(name string) bool {
	return slices.Contains([]string{"Alice", "аlice", "\uff21lice", "A1ice"}, name)
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Authorize: byToken, Heartbeat: time.Hour})
		d := mem.Dialer(h)
		other := joinWith(t, d, "r", "a", "")
		m := joinWith(t, d, "r", "b", "half a minute")
		start := time.Now()
		other.expect(signal.TypeWelcome)
		m.expectBye(m, signal.ReasonExpired)
		if after := time.Since(start); after != 30*time.Second {
			t.Errorf("sent away after %v", after)
		}
		_ = m.expectEnd()
		other.expectBye(m, signal.ReasonExpired)
		chat("others-stay", other)

		over := dial(t, d, "c")
		over.tryToJoin("r", "c", "over")
		over.expectCut(signal.CodeRefused, signal.TypeJoin)
	})
}

// A member that cuts its line to the hub first is sent away at the same moment.
func TestExpiryOfWhoHasCutItsLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Authorize: byToken, Heartbeat: time.Hour})
		d := mem.Dialer(h)
		other := joinWith(t, d, "r", "a", "")
		m := joinWith(t, d, "r", "b", "half a minute")
		start := time.Now()
		other.expect(signal.TypeWelcome)
		time.Sleep(10 * time.Second)
		_ = m.link.Close()
		other.expectBye(m, signal.ReasonLost)
		other.expectBye(m, signal.ReasonExpired)
		if after := time.Since(start); after != 30*time.Second {
			t.Errorf("sent away after %v", after)
		}
		// Its room is gone before the time of another: nothing is left of it.
		m = joinWith(t, d, "r", "b", "half a minute")
		_ = m.link.Close()
		other.expect(signal.TypeWelcome)
		other.expectBye(m, signal.ReasonLost)
		_ = other.link.Close()
		time.Sleep(time.Minute)
		if rooms := h.Rooms(); len(rooms) != 0 {
			t.Errorf("rooms: %v", rooms)
		}
	})
}

// The owner's kick reaches a member that has cut its line, and keeps it out.
func TestOwnersKickOfWhoIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Authorize: byToken})
		d := mem.Dialer(h)
		a, b := joinWith(t, d, "r", "a", "1"), joinWith(t, d, "r", "b", "2")
		a.expect(signal.TypeWelcome)
		_ = b.link.Close()
		a.expectBye(b, signal.ReasonLost)
		if err := h.Kick("r", b.id); err != nil {
			t.Error(err)
		}
		a.expectBye(b, signal.ReasonKicked)
		again := dial(t, d, "another key")
		again.tryToJoin("r", "b", "2")
		again.expectCut(signal.CodeKicked, signal.TypeJoin)
	})
}

// A panic in the owner's function ends that connection and nothing else.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Authorize: byToken})
		d := mem.Dialer(h)
		other := joinWith(t, d, "r", "a", "")
		m := dial(t, d, "b")
		m.tryToJoin("r", "b", "panic")
		f := m.expect(signal.TypeError)
		if f.Code != signal.CodeFailed || f.Error != "the hub failed on this connection" {
			t.Errorf("told %q %q", f.Code, f.Error)
		}
		_ = m.expectEnd()
		chat("others-stay", other)
	})
	// Nor does one in a transport or its parser, whichever side of it.
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		for _, broken := range []brittle{{receives: true}, {sends: true}} {
			client, server := mem.Pipe()
			broken.Signaler = server
			served := make(chan error, 1)
			go func() { served <- h.Serve(t.Context(), broken) }()
			m := &member{tb: t, link: client, key: keyOf("a"), session: signal.NewSession()}
			m.askToJoin("r", "a")
			if err := <-served; !errors.Is(err, &signal.Error{Code: signal.CodeFailed}) {
				t.Errorf("Serve: %v", err)
			}
		}
		if rooms := h.Rooms(); len(rooms) != 0 {
			t.Errorf("rooms: %v", rooms)
		}
	})
}

// brittle is a connection that panics.
type brittle struct {
	signal.Signaler

	receives, sends bool
}

func (b brittle) Receive(ctx context.Context) (signal.Message, error) {
	m, err := b.Signaler.Receive(ctx)
	if b.receives {
		panic("a bug in a parser")
	}
	return m, err
}

func (b brittle) Send(ctx context.Context, m signal.Message) error {
	if b.sends {
		panic("a bug in a transport")
	}
	return b.Signaler.Send(ctx, m)
}

// from is a connection from some address.
type from struct {
	signal.Signaler

	address netip.Addr
}

func (f from) Address() netip.Addr { return f.address }

func TestConnectionsPerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{MaxPerAddress: 2})
		at := func(address string) signal.Dialer {
			return signal.DialerFunc(func(ctx context.Context) (signal.Signaler, error) {
				client, server := mem.Pipe()
				go func() { _ = h.Serve(context.WithoutCancel(ctx), from{server, netip.MustParseAddr(address)}) }()
				return client, nil
			})
		}
		for name, addresses := range map[string][3]string{
			"v4": {"192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"},
			"v6": {"2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::"},
		} {
			first := join(t, at(addresses[0]), name, "a")
			join(t, at(addresses[1]), name, "b")
			dial(t, at(addresses[2]), "c").expectError(signal.CodeTooMany, "")
			first.expect(signal.TypeWelcome)
			first.send(signal.Message{Type: signal.TypeBye}) // makes room
			_ = first.expectEnd()
			synctest.Wait()
			join(t, at(addresses[2]), name, "c")
		}
		join(t, at("192.0.2.2"), "neighbour", "a")
		join(t, at("2001:db8:0:2::1"), "neighbour", "b")
		for _, name := range []string{"a", "b", "c", "d"} {
			join(t, at("127.0.0.1"), "loopback", name)
		}
	})
}

// The log names the member.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := hub.New(&hub.Config{
			Authorize: byToken,
			Logger:    slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		client, server := mem.Pipe()
		served := make(chan error, 1)
		go func() { served <- h.Serve(t.Context(), from{server, netip.MustParseAddr("192.0.2.1")}) }()
		m := joinWith(t, signal.DialerFunc(func(context.Context) (signal.Signaler, error) { return client, nil }), "교실", "지우", "host")
		m.send(signal.Message{Type: signal.TypeBye})
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		who := `room=교실 member=` + m.id + ` identity=선생님 address=192.0.2.1`
		for _, want := range []string{"msg=joined " + who + " name=지우", "msg=left " + who} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %q in:\n%s", want, log.String())
			}
		}
		if strings.Contains(log.String(), "host") {
			t.Errorf("the token is in the log:\n%s", log.String())
		}
	})
}
