package hub

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"noom/signal"
)

// TestCardGoesToTheFirst: of those who are there, the one who has been there for longest gets a newcomer's card, and nobody
// else does, then or later.
func TestCardGoesToTheFirst(t *testing.T) {
	r := &room[int]{name: "데모", limit: 8}
	card := &signal.Card{Offer: signal.Bytes("offer"), Signature: make(signal.Bytes, ed25519.SignatureSize)}
	members := make(map[int]signal.Member)
	enter := func(c int, m signal.Member) (first []int) {
		t.Helper()
		members[c] = m
		deliveries, v := r.enter(c, request{member: m, proven: true, joined: &signal.Message{Type: signal.TypeJoined}, card: card})
		if v != admitted {
			t.Fatalf("%d: verdict %d", c, v)
		}
		welcomed := 0
		for _, d := range deliveries {
			if d.message.Type == signal.TypeWelcome {
				welcomed += len(d.to)
			}
			if d.message.Card != nil {
				if d.message.Type != signal.TypeWelcome || d.message.Card != card {
					t.Errorf("%s has a card", d.message.Type)
				}
				first = append(first, d.to...)
			}
		}
		if want := len(r.seats) - 1; welcomed != want {
			t.Errorf("%d welcomes of %d, want %d", welcomed, c, want)
		}
		return first
	}
	member := func(n byte) signal.Member {
		public := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
		return signal.Member{ID: signal.MemberID(signal.PublicKey(public)), PublicKey: signal.PublicKey(public), Session: signal.NewSession()}
	}
	for c, want := range []int{0, 0, 0, 0} {
		got := enter(c, member(byte(c)))
		if c == 0 && len(got) != 0 || c > 0 && (len(got) != 1 || got[0] != want) {
			t.Errorf("the card of %d went to %v", c, got)
		}
	}
	r.leave(0, signal.ReasonLeft)
	if got := enter(4, member(4)); len(got) != 1 || got[0] != 1 {
		t.Errorf("when the first has left, it goes to %v", got)
	}
	if got := enter(5, members[1]); len(got) != 1 || got[0] != 2 {
		t.Errorf("that of the first, which comes back, goes to %v", got)
	}
}
