package hub

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/transport/mem"
)

// An elsewhere is a place that is no home, as one at another hub would be. It lets everyone in and notes what it is asked.
type elsewhere struct {
	mu    sync.Mutex
	asked []string
	over  func() bool // the room has gone from there, and the hub has forgotten it
}

func (e *elsewhere) note(what ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, strings.TrimSpace(fmt.Sprintln(what...)))
}

func (e *elsewhere) enter(c *conn, q request) (answer, bool) {
	if e.over != nil && e.over() {
		return answer{}, false
	}
	e.note("enter", q.member.Name)
	q.joined.Self = &q.member
	c.send(q.joined)
	return answer{}, true
}

func (e *elsewhere) relay(_ *conn, m signal.Message) *signal.Error {
	e.note("relay", m.Type)
	return nil
}

func (e *elsewhere) chat(_ *conn, m signal.Message, _ int64) *signal.Error {
	e.note("chat", m.Text)
	return nil
}

func (e *elsewhere) rename(_ *conn, name string) *signal.Error {
	e.note("rename", name)
	return nil
}

func (e *elsewhere) moderate(_ *conn, m signal.Message) *signal.Error {
	e.note("moderate", m.Type)
	return signal.Errorf(signal.CodeFailed, m.Type, "there is no such place")
}

func (e *elsewhere) leave(_ *conn, why signal.Reason) { e.note("leave", why) }
func (e *elsewhere) expire(*conn)                     { e.note("expire") }

func (e *elsewhere) part(bye *signal.Message) bool {
	e.note("part", bye.Room)
	return true
}

func (e *elsewhere) members() []MemberInfo {
	e.note("members")
	return make([]MemberInfo, 3)
}

func (e *elsewhere) kick(id string) bool {
	e.note("kick", id)
	return true
}

func (e *elsewhere) lock(locked bool)            { e.note("lock", locked) }
func (e *elsewhere) closeRoom()                  { e.note("close") }
func (e *elsewhere) dismiss(retry time.Duration) { e.note("dismiss", retry) }
func (e *elsewhere) size() int                   { return 3 }

// expect checks what was asked since the last time.
func (e *elsewhere) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.asked, want) {
		t.Errorf("asked %q, want %q", e.asked, want)
	}
	e.asked = nil
}

// enterBy joins a room of a hub that authorises, and returns the connection.
func enterBy(t *testing.T, h *Hub, room string) signal.Signaler {
	t.Helper()
	link, err := mem.Dialer(h).Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	session := signal.NewSession()
	say(t, link, signal.Message{Type: signal.TypeJoin, Room: room, Name: "bob", Session: session, Key: signal.PublicKey(key[32:])})
	challenge := hear(t, link, signal.TypeChallenge)
	proof := ed25519.Sign(key, signal.ProofText("", room, session, challenge.Nonce))
	say(t, link, signal.Message{Type: signal.TypeProof, Signature: proof})
	hear(t, link, signal.TypeJoined)
	return link
}

func say(t *testing.T, link signal.Signaler, m signal.Message) {
	t.Helper()
	if err := link.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, link signal.Signaler, want signal.Type) signal.Message {
	t.Helper()
	m, err := link.Receive(t.Context())
	if err != nil || m.Type != want {
		t.Fatalf("received %s, %v; want %s", m.Type, err, want)
	}
	return m
}

// Whatever happens to a room goes to where it is, which need not be in this hub.
func TestRoomElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&Config{Heartbeat: time.Hour, Authorize: func(context.Context, Request) (Grant, error) {
			return Grant{Expires: time.Now().Add(time.Minute)}, nil
		}})
		e := &elsewhere{}
		h.places["r"] = e
		bob := enterBy(t, h, "r")
		id, session := signal.MemberID(make(signal.PublicKey, ed25519.PublicKeySize)), signal.NewSession()
		say(t, bob, signal.Message{
			Type: signal.TypeAsk, To: id, Sessions: [2]string{session, session}, Epoch: signal.Epoch{Number: 1, By: id}, Seq: 1,
			Signature: make(signal.Bytes, ed25519.SignatureSize),
		})
		say(t, bob, signal.Message{Type: signal.TypeChat, ID: "c", Text: "안녕"})
		say(t, bob, signal.Message{Type: signal.TypeRename, Name: "지우"})
		e.expect(t, "enter bob", "relay ask", "chat 안녕", "rename 지우")

		if n := len(h.Members("r")); n != 3 {
			t.Errorf("%d members, want 3", n)
		}
		if list := h.Rooms(); len(list) != 1 || list[0] != (RoomInfo{"r", 3}) {
			t.Errorf("rooms: %v", list)
		}
		bye := `{"type":"bye","room":"r","from":"` + id + `","session":"` + session + `"}`
		for _, err := range []error{h.Kick("r", id), h.Lock("r"), h.Unlock("r"), h.TakeBye(strings.NewReader(bye), netip.Addr{})} {
			if err != nil {
				t.Error(err)
			}
		}
		h.CloseRoom("r")
		e.expect(t, "members", "kick "+id, "lock true", "lock false", "part r", "close")

		time.Sleep(time.Minute)
		e.expect(t, "expire")
		say(t, bob, signal.Message{Type: signal.TypeLock})
		e.expect(t, "moderate lock", "leave lost") // what it returns ends the connection
		if refusal := hear(t, bob, signal.TypeError); refusal.Code != signal.CodeFailed {
			t.Errorf("refused with %s", refusal.Code)
		}

		e.over = func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			delete(h.places, "r")
			return true
		}
		enterBy(t, h, "r")
		e.expect(t)
		if n := len(h.Members("r")); n != 1 {
			t.Errorf("%d members of a room that has come here, want 1", n)
		}
		h.places["far"] = &elsewhere{}
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		h.places["far"].(*elsewhere).expect(t, "dismiss 1s")
	})
}
