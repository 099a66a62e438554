package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

func TestTwoMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mem.Dialer(hub.New(nil))
		jiwoo := join(t, d, "데모", "지우")
		bob := dial(t, d, "bob")
		bob.askToJoin("데모", "bob")

		joined := bob.expect(signal.TypeJoined)
		if len(joined.Members) != 1 || joined.Members[0].Name != "지우" || joined.Self.ID != bob.id {
			t.Fatalf("joined: %+v", joined)
		}
		welcome := jiwoo.expect(signal.TypeWelcome)
		if welcome.Member.ID != bob.id || welcome.Member.Session != bob.session {
			t.Fatalf("welcome: %+v", welcome.Member)
		}

		bob.send(signal.Message{Type: signal.TypeChat, ID: "c1", Text: "안녕하세요"})
		for _, m := range []*member{jiwoo, bob} {
			if chat := m.expect(signal.TypeChat); chat.From != bob.id || chat.Text != "안녕하세요" || chat.ID != "c1" || chat.At == 0 {
				t.Fatalf("chat: %+v", chat)
			}
		}
		bob.send(signal.Message{Type: signal.TypeBye})
		if err := bob.expectEnd(); !errors.Is(err, io.EOF) {
			t.Fatalf("end after bye: %v", err)
		}
		if bye := jiwoo.expect(signal.TypeBye); bye.From != bob.id || bye.Session != bob.session || bye.Reason != signal.ReasonLeft {
			t.Fatalf("bye: %+v", bye)
		}
	})
}

func TestPairFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		d := mem.Dialer(h)
		a, b := join(t, d, "데모", "지우"), join(t, d, "데모", "bob")
		a.expect(signal.TypeWelcome)
		stranger := join(t, d, "demo", "carol")

		offer := signal.Message{
			Type: signal.TypeOffer, From: stranger.id, To: b.id, Sessions: [2]string{a.session, b.session},
			Epoch: signal.Epoch{Number: 1, By: a.id}, Seq: 1, Signature: make(signal.Bytes, 64), Body: []byte("{ \"sdp\" : \"방\" }"),
		}
		a.send(offer)
		got := b.expect(signal.TypeOffer)
		if got.From != a.id || got.To != b.id || got.Seq != 1 || got.Sessions != offer.Sessions || got.Epoch != offer.Epoch || string(got.Body) != string(offer.Body) {
			t.Fatalf("relayed %+v", got)
		}

		// A member of another room is as good as none, and gets nothing.
		offer.To = stranger.id
		offer.Stamp("")
		a.send(offer)
		a.expectError(signal.CodeNoSuchMember, signal.TypeOffer)
		chat("c1", stranger)
		chat("c2", a, b)
	})
}

func TestRename(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Limits: signal.Limits{Name: 12}})
		d := mem.Dialer(h)
		a, b := join(t, d, "r", "a"), join(t, d, "r", "b")
		a.expect(signal.TypeWelcome)
		b.send(signal.Message{Type: signal.TypeRename, Name: "민준 🐢"})
		for _, m := range []*member{a, b} {
			if f := m.expect(signal.TypeRenamed); f.From != b.id || f.Name != "민준 🐢" {
				t.Fatalf("renamed: %+v", f)
			}
		}
		b.send(signal.Message{Type: signal.TypeRename, Name: "thirteen bytes"})
		b.expectError(signal.CodeBadName, signal.TypeRename)
		if got := h.Members("r"); len(got) != 2 || got[0].ID != a.id || got[1].Name != "민준 🐢" {
			t.Fatalf("Members: %+v", got)
		}
		chat("c", b, a)
	})
}

// A member whose request is malformed gets an error, and stays; one that has not joined yet, or
// sends something else than a request, is cut off.
func TestBadRequestsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mem.Dialer(hub.New(nil))
		a, b := join(t, d, "방", "지우"), join(t, d, "방", "b")
		a.expect(signal.TypeWelcome)
		for range 3 {
			for _, c := range []struct {
				m    signal.Message
				code signal.Code
			}{
				{signal.Message{Type: signal.TypeKick, To: "b"}, signal.CodeMalformed},
				{signal.Message{Type: signal.TypeMute, To: b.id, Name: "카메라\n"}, signal.CodeMalformed},
				{signal.Message{Type: signal.TypeRename, Name: " "}, signal.CodeBadName},
				{signal.Message{Type: signal.TypeChat, ID: "안", Text: "x"}, signal.CodeBadChat},
				{signal.Message{Type: signal.TypeChat, ID: "x"}, signal.CodeBadChat},
				{signal.Message{Type: signal.TypeLock, Body: []byte("{}")}, signal.CodeMalformed},
			} {
				a.send(c.m)
				a.expectError(c.code, c.m.Type)
			}
		}
		a.send(signal.Message{Type: signal.TypeChat, ID: "x", Text: "still here"})
		a.expect(signal.TypeChat)
		b.expect(signal.TypeChat)
		a.send(signal.Message{Type: signal.TypeOffer, To: "b"})
		a.expectCut(signal.CodeMalformed, signal.TypeOffer)
		b.expectBye(a, signal.ReasonLost)
		early := dial(t, d, "늦은")
		early.send(signal.Message{Type: signal.TypeKick, To: "b"})
		early.expectCut(signal.CodeMalformed, signal.TypeKick)
	})
}

func TestContestedID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mem.Dialer(hub.New(&hub.Config{Endpoint: "hub.example"}))
		other := join(t, d, "데모", "bob")
		old := join(t, d, "데모", "지우")
		other.expect(signal.TypeWelcome)

		// A thief knows the public key and no more.
		thief := dial(t, d, "지우")
		thief.askToJoin("데모", "지우")
		challenge := thief.expect(signal.TypeChallenge)
		thief.key = keyOf("thief")
		thief.prove("hub.example", "데모", challenge)
		thief.expectCut(signal.CodeBadProof, signal.TypeProof)

		// A proof made for another hub is none.
		relayed := dial(t, d, "지우")
		relayed.askToJoin("데모", "지우")
		relayed.prove("evil.example", "데모", relayed.expect(signal.TypeChallenge))
		relayed.expectCut(signal.CodeBadProof, signal.TypeProof)

		// A member without a proof may neither stay nor say anything.
		silent := dial(t, d, "지우")
		silent.askToJoin("데모", "지우")
		silent.expect(signal.TypeChallenge)
		start := time.Now()
		silent.expectCut(signal.CodeTooLate, "")
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("cut after %v", waited)
		}
		rash := dial(t, d, "지우")
		rash.askToJoin("데모", "지우")
		rash.expect(signal.TypeChallenge)
		rash.send(signal.Message{Type: signal.TypeChat, ID: "1", Text: "let me in"})
		rash.expectCut(signal.CodeJoinFirst, signal.TypeChat)

		chat("undisturbed", old, other)

		// The same one, coming back before the hub has noticed that it was gone.
		back := dial(t, d, "지우")
		back.session = old.session
		back.askToJoin("데모", "지우")
		back.prove("hub.example", "데모", back.expect(signal.TypeChallenge))
		if f := back.expect(signal.TypeJoined); len(f.Members) != 1 || f.Members[0].ID != other.id {
			t.Fatalf("joined: %+v", f)
		}
		if f := other.expect(signal.TypeWelcome); f.Member.ID != old.id || f.Member.Session != old.session {
			t.Fatalf("welcome: %+v", f.Member)
		}
		old.expectBye(old, signal.ReasonRestart) // which of the two it uses it knows alone
		if err := old.expectEnd(); !errors.Is(err, io.EOF) {
			t.Fatalf("the end of the old connection: %v", err)
		}
		chat("c", back, other)

		again := dial(t, d, "지우")
		again.askToJoin("데모", "지우")
		again.prove("hub.example", "데모", again.expect(signal.TypeChallenge))
		again.expect(signal.TypeJoined)
		back.expectBye(back, signal.ReasonReplaced)
	})
}

func TestNonceIsUsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mem.Dialer(hub.New(nil))
		join(t, d, "r", "a")
		first, second := dial(t, d, "a"), dial(t, d, "a")
		second.session = first.session
		first.askToJoin("r", "a")
		second.askToJoin("r", "a")
		challenge := first.expect(signal.TypeChallenge)
		second.expect(signal.TypeChallenge)
		second.prove("", "r", challenge)
		second.expectCut(signal.CodeBadProof, signal.TypeProof)
		first.prove("", "r", challenge)
		first.expect(signal.TypeJoined)
	})
}

func TestAuthorize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []hub.Request
		h := hub.New(&hub.Config{Authorize: func(ctx context.Context, r hub.Request) (hub.Grant, error) {
			asked = append(asked, r)
			switch r.Token {
			case "good":
				return hub.Grant{Name: "진짜 이름"}, nil
			case "slow":
				<-ctx.Done()
				return hub.Grant{}, ctx.Err()
			case "odd":
				return hub.Grant{Name: "a\nb"}, nil
			}
			return hub.Grant{}, errors.New("expired 3m ago")
		}})
		d := mem.Dialer(h)
		try := func(token string) *member {
			m := dial(t, d, "bob")
			m.send(signal.Message{
				Type: signal.TypeJoin, Room: "r", Name: "bob", Session: m.session, Token: token,
				Key: signal.PublicKey(m.key[32:]),
			})
			m.prove("", "r", m.expect(signal.TypeChallenge))
			return m
		}
		good := try("good")
		if f := good.expect(signal.TypeJoined); f.Self.Name != "진짜 이름" {
			t.Errorf("self: %+v", f.Self)
		}
		if r := asked[0]; r.Room != "r" || r.Member.ID != good.id || r.Member.Name != "bob" || r.Token != "good" {
			t.Errorf("asked about %+v", r)
		}
		bad := try("bad")
		if f := bad.expect(signal.TypeError); f.Code != signal.CodeRefused || f.Error != "expired 3m ago" {
			t.Errorf("refusal: %+v", f)
		}
		try("slow").expectError(signal.CodeRefused, signal.TypeJoin)
		try("odd").expectError(signal.CodeRefused, signal.TypeJoin)

		// Without a proof the hub does not even ask.
		n := len(asked)
		thief := dial(t, d, "bob")
		thief.askToJoin("r", "bob")
		thief.key = keyOf("thief")
		thief.prove("", "r", thief.expect(signal.TypeChallenge))
		thief.expectCut(signal.CodeBadProof, signal.TypeProof)
		if len(asked) != n {
			t.Error("asked about an unproven member")
		}
	})
}

func TestJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := signal.ICEServer{URLs: []string{"turn:example.com"}, Username: "u", Credential: "c"}
		d := mem.Dialer(hub.New(&hub.Config{
			ICEServers: hub.FixedICEServers(turn, signal.ICEServer{URLs: []string{strings.Repeat("x", 9000)}}),
			Heartbeat:  3 * time.Second,
			Limits:     signal.Limits{Members: 1000, Rate: 7, Chat: 1 << 20},
		}))
		m := dial(t, d, "a")
		m.askToJoin("r", "a")
		f := m.expect(signal.TypeJoined)
		want := signal.Limits{
			Frame: 65536, Name: 128, Chat: 4096, Members: 128, Rate: 7, Burst: 7 + 16*128, Queue: (256 + 32*128) << 10,
			Join: 5000, Rooms: 10_000, Connections: 10_000, Address: 256,
		}
		if *f.Limits != want || f.Heartbeat != 3000 {
			t.Errorf("limits %+v, heartbeat %d", *f.Limits, f.Heartbeat)
		}
		if len(f.ICEServers) != 1 || !slices.Equal(f.ICEServers[0].URLs, turn.URLs) || f.ICEServers[0].Credential != "c" {
			t.Errorf("ICE servers %+v, want the one that fits", f.ICEServers)
		}
	})
}

// Short-lived credentials are made again for a member that asks, and for it alone.
func TestServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		d := mem.Dialer(hub.New(&hub.Config{
			ICEServers: func(_ context.Context, m signal.Member) []signal.ICEServer {
				made++
				return []signal.ICEServer{{URLs: []string{"turn:example.com"}, Username: fmt.Sprint(made, ":", m.ID), Credential: "c"}}
			},
			ICELifetime: 10 * time.Minute,
		}))
		early := dial(t, d, "a")
		early.send(signal.Message{Type: signal.TypeServers})
		early.expectCut(signal.CodeJoinFirst, signal.TypeServers)

		m := dial(t, d, "지우")
		m.askToJoin("데모", "지우")
		f := m.expect(signal.TypeJoined)
		other := join(t, d, "데모", "bob")
		m.expect(signal.TypeWelcome)
		if f.ICEServers[0].Username != "1:"+m.id || f.Lifetime != 600_000 {
			t.Errorf("joined has %+v for %d ms", f.ICEServers, f.Lifetime)
		}
		m.send(signal.Message{Type: signal.TypeServers})
		f = m.expect(signal.TypeServers)
		if len(f.ICEServers) != 1 || f.ICEServers[0].Username != "3:"+m.id || f.Lifetime != 600_000 {
			t.Errorf("asked again: %+v for %d ms", f.ICEServers, f.Lifetime)
		}
		chat("c1", other, m) // which got nothing of it
	})
	synctest.Test(t, func(t *testing.T) {
		m := join(t, mem.Dialer(hub.New(nil)), "r", "a")
		m.send(signal.Message{Type: signal.TypeServers})
		if f := m.expect(signal.TypeServers); len(f.ICEServers) != 0 || f.Lifetime != 0 {
			t.Errorf("a hub without servers sends %+v for %d ms", f.ICEServers, f.Lifetime)
		}
	})
}

func TestFullRoomsAndHubs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mem.Dialer(hub.New(&hub.Config{Limits: signal.Limits{Members: 2}, MaxRooms: 2, MaxMembers: 4}))
		a, b := join(t, d, "r", "a"), join(t, d, "r", "b")
		a.expect(signal.TypeWelcome)
		third := dial(t, d, "c")
		third.askToJoin("r", "c")
		third.expectCut(signal.CodeRoomFull, signal.TypeJoin)
		synctest.Wait()
		join(t, d, "s", "c")
		fourth := dial(t, d, "d")
		fourth.askToJoin("t", "d")
		fourth.expectCut(signal.CodeHubFull, signal.TypeJoin)
		synctest.Wait()
		join(t, d, "s", "d")
		dial(t, d, "e").expectCut(signal.CodeHubFull, "")
		chat("c", a, b)
	})
}

func TestKickAndCloseRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		served := make(chan error, 8)
		d := signal.DialerFunc(func(context.Context) (signal.Signaler, error) {
			client, server := mem.Pipe()
			go func() { served <- h.Serve(context.Background(), server) }()
			return client, nil
		})
		a, b := join(t, d, "r", "a"), join(t, d, "r", "b")
		a.expect(signal.TypeWelcome)
		if err := h.Kick("r", strings.Repeat("a", 26)); !errors.Is(err, &signal.Error{Code: signal.CodeNoSuchMember}) {
			t.Errorf("Kick of nobody: %v", err)
		}
		if err := h.Kick("r", b.id); err != nil {
			t.Errorf("Kick: %v", err)
		}
		a.expectBye(b, signal.ReasonKicked)
		b.expectBye(b, signal.ReasonKicked)
		_ = b.expectEnd()
		if bye, ok := errors.AsType[*hub.ByeError](<-served); !ok || bye.Reason != signal.ReasonKicked {
			t.Errorf("Serve: %v", bye)
		}
		h.CloseRoom("nowhere")
		h.CloseRoom("r")
		a.expectBye(a, signal.ReasonClosed)
		_ = a.expectEnd()
		if bye, ok := errors.AsType[*hub.ByeError](<-served); !ok || bye.Reason != signal.ReasonClosed {
			t.Errorf("Serve: %v", bye)
		}
		if rooms := h.Rooms(); len(rooms) != 0 || h.Members("r") != nil {
			t.Errorf("rooms: %v", rooms)
		}
		c := join(t, d, "r", "c")
		c.send(signal.Message{Type: signal.TypeBye})
		if err := <-served; err != nil {
			t.Errorf("Serve after bye: %v", err)
		}
	})
}
