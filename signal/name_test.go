package signal_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"noom/signal"
)

// Whatever is typed: cleaning it twice changes nothing more, and what passes as a name can be shown
// to everyone and compared by its bytes.
func FuzzName(f *testing.F) {
	for _, typed := range []string{
		"", " 지우\t", "\u110c\u1175\u110b\u116e", "Zoe\u0308", "\u3000민준 🐢\u00a0", "a\u202eb", "\u2066x", "\u200d", "👨\u200d👩\u200d👧",
		"\xff", "a\x00b", "\ufeff", "\u2028", "\ue000", "\u1112\u1161\u11ab\u200b", strings.Repeat("방", 43), strings.Repeat("e\u0301", 64),
		"\u0344", "\u0958", "\u212b", "\U0001d15e", strings.Repeat("\u0301", 128),
	} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		name := signal.CleanName(typed)
		if again := signal.CleanName(name); again != name {
			t.Fatalf("CleanName(%q) = %q, and again %q", typed, name, again)
		}
		err := signal.CheckName(name)
		if (signal.CheckRoom(name) == nil) != (err == nil && name != "") {
			t.Fatalf("CheckRoom(%q) is another's than CheckName's", name)
		}
		if signal.CheckName(typed) == nil && name != typed {
			t.Fatalf("CleanName(%q) = %q, but it was clean", typed, name)
		}
		if err != nil {
			return
		}
		if len(name) > signal.MaxName || !utf8.ValidString(name) || !norm.NFC.IsNormalString(name) || strings.TrimSpace(name) != name {
			t.Fatalf("CheckName accepts %q", name)
		}
		for _, r := range name {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' {
				t.Fatalf("CheckName accepts %q with %U", name, r)
			}
		}
		m := signal.Message{Type: signal.TypeRename, Name: name}
		frame, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := signal.Decode(frame); err != nil || got.Name != name {
			t.Fatalf("%q came back as %q (%v)", name, got.Name, err)
		}
	})
}

func TestLikeness(t *testing.T) {
	for _, same := range [][]string{
		{"Alice", "ALICE", "аlice", "\uff21lice", "A1ice", "aIice", "al\u200cice"},
		{"선생님", "\u1109\u1165\u11ab\u1109\u1162\u11bc\u1102\u1175\u11b7"},
		{"Straße", "STRASSE"},
		{"❤\ufe0f", "❤"},
		{"葛\U000e0100", "葛"},
	} {
		for _, name := range same {
			if got := signal.Likeness(name); got != signal.Likeness(same[0]) {
				t.Errorf("%q looks like %q, and %q like %q", name, got, same[0], signal.Likeness(same[0]))
			}
		}
	}
	for _, other := range []string{"Alicia", "Alice (2)", "Al ice", "Alicé", "", "선생님"} {
		if signal.Likeness(other) == signal.Likeness("Alice") {
			t.Errorf("%q is taken for Alice", other)
		}
	}
}

// Accounts have the rules of names, twice the length, and nothing that JSON escapes. What breaks them is dropped, and its member
// stays.
func TestAccounts(t *testing.T) {
	for account, good := range map[string]bool{
		"": true, "길동@example.com": true, "<a> & b": true, strings.Repeat("방", 85): true, strings.Repeat("방", 86): false,
		`a"b`: false, `a\b`: false, " a": false, "a\nb": false, "\xff": false, "Zoe\u0308": false, "a\u202eb": false,
	} {
		if err := signal.CheckAccount(account); (err == nil) != good {
			t.Errorf("%q: %v", account, err)
		}
		m := signal.Member{Account: account}
		if m.DropBadAccount(); (m.Account == account) != good && account != "" {
			t.Errorf("%q became %q", account, m.Account)
		}
	}
}
