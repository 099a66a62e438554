package signal_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"noom/signal"
)

// frames reads the golden frames in a folder of testdata, by name.
func frames(tb testing.TB, folder string) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("testdata/" + folder + "/*.frame")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no golden frames: %v", err)
	}
	all := make(map[string][]byte, len(files))
	for _, file := range files {
		frame, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".frame")] = frame
	}
	return all
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func TestValidFrames(t *testing.T) {
	seen := map[signal.Type]bool{}
	for name, frame := range frames(t, "valid") {
		m, err := signal.Decode(frame)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		seen[m.Type] = true
		if kept, err := m.Encode(); err != nil || !bytes.Equal(kept, frame) {
			t.Errorf("%s: Encode gives other bytes than were decoded (%v)", name, err)
		}
		checkRoundTrip(t, name, m)
	}
	for _, want := range []signal.Type{
		signal.TypeJoin, signal.TypeProof, signal.TypeRename, signal.TypeChallenge, signal.TypeJoined, signal.TypeWelcome,
		signal.TypeRenamed, signal.TypeChat, signal.TypeSaid, signal.TypeBye, signal.TypeServers, signal.TypeKick,
		signal.TypeLock, signal.TypeUnlock, signal.TypeLocked, signal.TypeUnlocked, signal.TypeMute, signal.TypeClose, signal.TypeError, signal.TypePing, signal.TypePong, signal.TypeOffer,
		signal.TypeAnswer, signal.TypeCandidates, signal.TypeAsk, signal.TypeGrant, signal.TypeTable, signal.TypeWants, signal.TypeAck, signal.TypeStale, signal.TypeLeft,
	} {
		if !seen[want] {
			t.Errorf("no golden frame of type %s", want)
		}
	}
}

// checkRoundTrip encodes m's fields again and decodes them.
func checkRoundTrip(t *testing.T, name string, m signal.Message) {
	t.Helper()
	again := m
	again.Stamp(m.From) // forgets the encoded bytes
	frame, err := again.Encode()
	if errors.Is(err, &signal.Error{Code: signal.CodeTooBig}) {
		return // what was left out at first is written out now
	}
	if err != nil {
		t.Fatalf("%s: encode again: %v", name, err)
	}
	decoded, err := signal.Decode(frame)
	if err != nil {
		t.Fatalf("%s: decode %q: %v", name, frame, err)
	}
	decoded.Stamp(decoded.From)
	m.Stamp(m.From)
	for _, servers := range [][]signal.ICEServer{decoded.ICEServers, m.ICEServers} {
		for i := range servers {
			if len(servers[i].URLs) == 0 {
				servers[i].URLs = nil // absent, null and [] are one; the last is written
			}
		}
	}
	if !reflect.DeepEqual(decoded, m) {
		t.Fatalf("%s: round trip\n got %+v\nwant %+v", name, decoded, m)
	}
}

func TestInvalidFrames(t *testing.T) {
	var codes map[string]signal.Code
	readJSON(t, "invalid.json", &codes)
	all := frames(t, "invalid")
	if got, want := slices.Sorted(maps.Keys(codes)), slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) {
		t.Errorf("invalid.json names other frames than there are:\n%v\n%v", got, want)
	}
	for name, frame := range all {
		m, err := signal.Decode(frame)
		if err == nil {
			t.Errorf("%s was decoded as %+v", name, m)
			continue
		}
		refusal, ok := errors.AsType[*signal.Error](err)
		if !ok || refusal.Code != codes[name] {
			t.Errorf("%s: %v, want code %s", name, err, codes[name])
			continue
		}
		answer := signal.ErrorMessage(refusal)
		if text, err := answer.Encode(); err != nil || len(text) > 4096 {
			t.Errorf("%s: the error cannot be sent: %d bytes, %v", name, len(text), err)
		}
	}
}

// An error must stay small and tellable whatever it quotes.
func TestErrorsQuoteLittle(t *testing.T) {
	long := strings.Repeat("지", 20_000)
	for _, frame := range []string{
		`{"` + long + `":1,"` + long + `":2}`,
		`{"type":"` + long + `","type":""}`,
		`{"type":"join","` + long + `":{"` + long + `"`,
	} {
		_, err := signal.Decode([]byte(frame))
		refusal, ok := errors.AsType[*signal.Error](err)
		if !ok {
			t.Fatalf("Decode: %v", err)
		}
		m := signal.ErrorMessage(refusal)
		text, err := m.Encode()
		if err != nil || len(text) > 4096 {
			t.Fatalf("an error frame of %d bytes (%v)", len(text), err)
		}
		if _, err := signal.Decode(text); err != nil {
			t.Fatalf("the error frame is none: %v", err)
		}
	}
}

func TestNames(t *testing.T) {
	var names []struct {
		Name, Why string
		Valid     bool
	}
	readJSON(t, "names.json", &names)
	for _, n := range names {
		if err := signal.CheckName(n.Name); (err == nil) != n.Valid {
			t.Errorf("CheckName(%q) = %v, want valid: %v (%s)", n.Name, err, n.Valid, n.Why)
		}
		if err := signal.CheckRoom(n.Name); (err == nil) != (n.Valid && n.Name != "") {
			t.Errorf("CheckRoom(%q) = %v, want as CheckName, and not empty", n.Name, err)
		}
	}
	if err := signal.CheckName("a\xffb"); !errors.Is(err, signal.ErrNameUTF8) {
		t.Errorf("invalid UTF-8: %v", err)
	}
}

func TestCleanName(t *testing.T) {
	var cleaned []struct{ Typed, Clean string }
	readJSON(t, "cleaned.json", &cleaned)
	for _, c := range cleaned {
		if got := signal.CleanName(c.Typed); got != c.Clean {
			t.Errorf("CleanName(%q) = %q, want %q", c.Typed, got, c.Clean)
		}
	}
	if err := signal.CheckName(signal.CleanName("a\u202eb")); !errors.Is(err, signal.ErrNameRune) {
		t.Errorf("a bidi override: %v, want it refused and not removed", err)
	}
}

func TestSigning(t *testing.T) {
	var golden struct {
		Identities []struct{ Name, Seed, Key, ID, Session string }
		Proofs     []struct{ Signer, Endpoint, Room, Session, Nonce, Text, Signature string }
		Byes       []struct{ Signer, Endpoint, Room, Session, Nonce, Text, Signature string }
		Cards      []struct{ Signer, Room, Session, Body, Offer, Text, Signature string }
		Pairs      []struct{ Name, Signer, Room, Frame, Text, Signature string }
	}
	readJSON(t, "signing.json", &golden)
	keys := map[string]ed25519.PrivateKey{}
	for _, who := range golden.Identities {
		key := ed25519.NewKeyFromSeed(unbase64(t, who.Seed))
		public := signal.PublicKey(key.Public().(ed25519.PublicKey))
		if got := base64.RawURLEncoding.EncodeToString(public); got != who.Key {
			t.Errorf("%s: public key %s, want %s", who.Name, got, who.Key)
		}
		if got := signal.MemberID(public); got != who.ID {
			t.Errorf("%s: id %s, want %s", who.Name, got, who.ID)
		}
		keys[who.Name] = key
	}
	check := func(what, signer, text, wantText, signature string) {
		t.Helper()
		if text != wantText {
			t.Errorf("%s: text %q, want %q", what, text, wantText)
		}
		if got := base64.RawURLEncoding.EncodeToString(ed25519.Sign(keys[signer], []byte(text))); got != signature {
			t.Errorf("%s: signature %s, want %s", what, got, signature)
		}
	}
	for _, p := range golden.Proofs {
		text := signal.ProofText(p.Endpoint, p.Room, p.Session, unbase64(t, p.Nonce))
		check("proof for "+p.Endpoint, p.Signer, string(text), p.Text, p.Signature)
	}
	for _, b := range golden.Byes {
		text := signal.ByeText(b.Endpoint, b.Room, b.Session, unbase64(t, b.Nonce))
		check("bye for "+b.Endpoint, b.Signer, string(text), b.Text, b.Signature)
	}
	for _, c := range golden.Cards {
		card := signal.Card{Offer: unbase64(t, c.Offer), Signature: unbase64(t, c.Signature)}
		check("card", c.Signer, string(signal.CardText(c.Room, c.Session, card.Offer)), c.Text, c.Signature)
		if body, err := card.Body(); err != nil || string(body) != c.Body {
			t.Errorf("card of %s: %q, %v, want %q", c.Signer, body, err, c.Body)
		}
	}
	valid := frames(t, "valid")
	for _, p := range golden.Pairs {
		m, err := signal.Decode([]byte(p.Frame))
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		id := signal.MemberID(signal.PublicKey(keys[p.Signer].Public().(ed25519.PublicKey)))
		check(p.Name, p.Signer, string(signal.PairText(&m, p.Room, id)), p.Text, p.Signature)
		if got := base64.RawURLEncoding.EncodeToString(m.Signature); got != p.Signature {
			t.Errorf("%s: the frame holds another signature", p.Name)
		}
		if !bytes.Equal(valid[p.Name], []byte(p.Frame)) {
			t.Errorf("%s: valid/%s.frame is another frame", p.Name, p.Name)
		}
	}
}

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzDecode(f *testing.F) {
	for _, folder := range []string{"valid", "invalid"} {
		for _, frame := range frames(f, folder) {
			f.Add(frame)
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := signal.Decode(frame)
		if err != nil {
			refusal, ok := errors.AsType[*signal.Error](err)
			if !ok {
				t.Fatalf("%T: %v", err, err)
			}
			answer := signal.ErrorMessage(refusal)
			if _, err := answer.Encode(); err != nil {
				t.Fatalf("the error cannot be sent: %v", err)
			}
			return
		}
		if kept, err := m.Encode(); err != nil || !bytes.Equal(kept, frame) {
			t.Fatalf("Encode gives other bytes than were decoded (%v)", err)
		}
		checkRoundTrip(t, "frame", m)
	})
}
