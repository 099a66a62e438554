package hub_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// A member of a hub under test.
type member struct {
	tb      testing.TB
	link    signal.Signaler
	key     ed25519.PrivateKey
	id      string
	session string
}

// key returns the key pair that belongs to a nickname.
func keyOf(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func dial(tb testing.TB, d signal.Dialer, name string) *member {
	tb.Helper()
	link, err := d.Dial(tb.Context())
	if err != nil {
		tb.Fatalf("dial: %v", err)
	}
	tb.Cleanup(func() { _ = link.Close() })
	key := keyOf(name)
	return &member{
		tb: tb, link: link, key: key, session: signal.NewSession(),
		id: signal.MemberID(signal.PublicKey(key.Public().(ed25519.PublicKey))),
	}
}

func (m *member) send(f signal.Message) {
	m.tb.Helper()
	if err := m.link.Send(m.tb.Context(), f); err != nil {
		m.tb.Fatalf("send %s: %v", f.Type, err)
	}
}

func (m *member) receive() (signal.Message, error) {
	ctx, cancel := context.WithTimeout(m.tb.Context(), 5*time.Second)
	defer cancel()
	return m.link.Receive(ctx)
}

// expect receives the next frame but pings, which must be of type want.
func (m *member) expect(want signal.Type) signal.Message {
	m.tb.Helper()
	for {
		f, err := m.receive()
		if err != nil {
			m.tb.Fatalf("receive, want %s: %v", want, err)
		}
		if f.Type == signal.TypePing && want != signal.TypePing {
			continue
		}
		if f.Type != want {
			m.tb.Fatalf("received %+v, want %s", f, want)
		}
		return f
	}
}

// expectEnd receives the end of the connection and returns the error.
func (m *member) expectEnd() error {
	m.tb.Helper()
	f, err := m.receive()
	if err == nil {
		m.tb.Fatalf("received %+v, want the end", f)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		m.tb.Fatal("the connection does not end")
	}
	return err
}

func (m *member) askToJoin(room, name string) {
	m.tb.Helper()
	m.send(signal.Message{
		Type: signal.TypeJoin, Room: room, Name: name, Session: m.session,
		Key: signal.PublicKey(m.key.Public().(ed25519.PublicKey)),
	})
}

func join(tb testing.TB, d signal.Dialer, room, name string) *member {
	tb.Helper()
	m := dial(tb, d, name)
	m.askToJoin(room, name)
	m.expect(signal.TypeJoined)
	return m
}

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
