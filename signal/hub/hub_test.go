package hub_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"noom/signal"
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
	ctx, cancel := context.WithTimeout(m.tb.Context(), time.Minute)
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

// prove answers a challenge as the member's key would.
func (m *member) prove(endpoint, room string, challenge signal.Message) {
	m.tb.Helper()
	text := signal.ProofText(endpoint, room, m.session, challenge.Nonce)
	m.send(signal.Message{Type: signal.TypeProof, Signature: ed25519.Sign(m.key, text)})
}

// expectError receives an error frame with that code.
func (m *member) expectError(code signal.Code, about signal.Type) {
	m.tb.Helper()
	if f := m.expect(signal.TypeError); f.Code != code || f.About != about {
		m.tb.Fatalf("error %q about %q (%s), want %q about %q", f.Code, f.About, f.Error, code, about)
	}
}

// expectCut receives an error frame with that code, and then the end for that
// reason.
func (m *member) expectCut(code signal.Code, about signal.Type) {
	m.tb.Helper()
	m.expectError(code, about)
	if err := m.expectEnd(); !errors.Is(err, &signal.Error{Code: code}) {
		m.tb.Fatalf("the end: %v, want %s", err, code)
	}
}

func (m *member) expectBye(from *member, reason signal.Reason) {
	m.tb.Helper()
	f := m.expect(signal.TypeBye)
	if f.From != from.id || f.Session != from.session || f.Reason != reason {
		m.tb.Fatalf("bye %+v, want %s of %s", f, reason, from.id)
	}
}

// chat says something and checks that everyone hears it, the speaker too.
func chat(id string, from *member, to ...*member) {
	from.tb.Helper()
	from.send(signal.Message{Type: signal.TypeChat, ID: id, Text: "안녕 " + id})
	for _, m := range append(to, from) {
		if f := m.expect(signal.TypeChat); f.From != from.id || f.ID != id || f.Text != "안녕 "+id || f.At == 0 {
			from.tb.Fatalf("chat %+v", f)
		}
	}
}
