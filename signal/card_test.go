package signal_test

import (
	"bytes"
	"compress/flate"
	"crypto/ed25519"
	"math/rand/v2"
	"testing"

	"noom/signal"
)

// signedCard is a card with that body, and the key with which it is signed.
func signedCard(tb testing.TB, body []byte) (*signal.Card, signal.PublicKey) {
	tb.Helper()
	card, short := signal.NewCard(body)
	if !short {
		tb.Fatalf("%d bytes have no room in a card", len(body))
	}
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	card.Signature = ed25519.Sign(key, signal.CardText("방", "session", card.Offer))
	return card, signal.PublicKey(public)
}

func TestCard(t *testing.T) {
	body := bytes.Repeat([]byte("안녕하세요"), 3000)
	card, key := signedCard(t, body)
	if got, err := card.Body(); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	other := make(signal.PublicKey, ed25519.PublicKeySize)
	for _, v := range []struct {
		key           signal.PublicKey
		room, session string
		want          bool
	}{
		{key, "방", "session", true},
		{key, "room", "session", false},
		{key, "방", "another", false},
		{other, "방", "session", false},
		{nil, "방", "session", false},
	} {
		if got := card.Verify(v.key, v.room, v.session); got != v.want {
			t.Errorf("%s in %s, by %v: %v", v.session, v.room, v.key, got)
		}
	}
	card.Offer[0] ^= 1
	if card.Verify(key, "방", "session") {
		t.Error("another offer has the same signature")
	}
}

// TestCardIsBounded: what is sent has MaxCard bytes at most, and what comes out of it no more than a frame.
func TestCardIsBounded(t *testing.T) {
	random := make([]byte, signal.MaxCard)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random) // never fails
	if _, short := signal.NewCard(random); short {
		t.Errorf("%d random bytes have become fewer", len(random))
	}
	if card, short := signal.NewCard(random[:signal.MaxCard-16]); !short {
		t.Error("no room for fewer")
	} else if body, err := card.Body(); err != nil || !bytes.Equal(body, random[:signal.MaxCard-16]) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if _, short := signal.NewCard(make([]byte, signal.MaxFrame+1)); short {
		t.Error("more than a frame can have")
	}
	most, _ := signedCard(t, make([]byte, signal.MaxFrame))
	if body, err := most.Body(); err != nil || len(body) != signal.MaxFrame {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	var bomb bytes.Buffer
	w, err := flate.NewWriter(&bomb, flate.BestCompression)
	if err == nil {
		_, err = w.Write(make([]byte, signal.MaxFrame+1))
	}
	if err != nil || w.Close() != nil || bomb.Len() > signal.MaxCard {
		t.Fatal(err, bomb.Len())
	}
	trailing := append(bytes.Clone(most.Offer), 0)
	for what, offer := range map[string][]byte{
		"too much": bomb.Bytes(), "nothing": nil, "half": most.Offer[:len(most.Offer)/2], "more": trailing, "none": []byte("안녕하세요"),
	} {
		if body, err := (&signal.Card{Offer: offer}).Body(); err == nil {
			t.Errorf("%s: %d bytes", what, len(body))
		}
	}
}

// FuzzCard: whatever decompresses has the size of a frame at most, and can be made into a card again that has the same body.
func FuzzCard(f *testing.F) {
	card, _ := signedCard(f, []byte(`{"id":1,"sdp":"v=0","table":{"version":1,"tracks":{}}}`))
	f.Add([]byte(card.Offer))
	f.Add([]byte{3, 0})
	f.Fuzz(func(t *testing.T, offer []byte) {
		body, err := (&signal.Card{Offer: offer}).Body()
		if err != nil {
			return
		}
		if len(body) > signal.MaxFrame {
			t.Fatalf("%d bytes", len(body))
		}
		if again, short := signal.NewCard(body); short {
			if got, err := again.Body(); err != nil || !bytes.Equal(got, body) {
				t.Fatalf("%q, %v, want %q", got, err, body)
			}
		}
	})
}
