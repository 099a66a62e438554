package files

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

var rewriteFile = flag.Bool("rewrite", false, "rewrite testdata/transfer.json")

func readJSON(t *testing.T, name string, to any) {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, to); err != nil {
		t.Fatal(err)
	}
}

// TestNames: noom.js makes the same names.
func TestNames(t *testing.T) {
	var names []struct{ Sent, Clean string }
	readJSON(t, "names.json", &names)
	for _, n := range names {
		if got := CleanName(n.Sent); got != n.Clean {
			t.Errorf("%q becomes %q, not %q", n.Sent, got, n.Clean)
		}
	}
}

func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"", "보고서.pdf", "../../etc/passwd", "CON.txt", "a\u202egnp.exe", strings.Repeat("가", 100) + ".txt", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := CleanName(s)
		switch {
		case name == "" || len(name) > MaxName || !utf8.ValidString(name):
			t.Fatalf("%q becomes %q", s, name)
		case strings.ContainsAny(name, "/\\:*?\"<>|\x00\n\u202e"), strings.HasPrefix(name, "."), strings.HasSuffix(name, "."), strings.HasSuffix(name, " "):
			t.Fatalf("%q becomes %q", s, name)
		case CleanName(name) != name:
			t.Fatalf("%q becomes %q, and that %q", s, name, CleanName(name))
		}
	})
}

func FuzzOffer(f *testing.F) {
	f.Add(NewSender(ID{1}, "파일", 5).Open())
	f.Add([]byte{kindOffer})
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, err := NewReceiver(frame)
		if err != nil {
			return
		}
		o := r.Offer()
		if o.Size < 0 || o.Size > MaxSize || o.Name == "" || len(o.Name) > MaxName {
			t.Fatalf("%+v", o)
		}
		if string(o.frame()) != string(frame) {
			t.Fatalf("%x is taken for %x", frame, o.frame())
		}
	})
}

// transfer is testdata/transfer.json: a file whose byte i is i xor i>>8, and each frame of an exchange in which the
// connection breaks once. noom.js sends the same.
type transfer struct {
	Name   string  `json:"name"`
	Size   int     `json:"size"`
	Frames []frame `json:"frames"`
}

type frame struct {
	From   string `json:"from"` // sender or receiver
	Length int    `json:"length"`
	Hex    string `json:"hex,omitempty"`    // of a short one
	SHA256 string `json:"sha256,omitempty"` // of another
}

func frameOf(from string, bytes []byte) frame {
	f := frame{From: from, Length: len(bytes)}
	if len(bytes) <= 100 {
		f.Hex = hex.EncodeToString(bytes)
	} else {
		sum := sha256.Sum256(bytes)
		f.SHA256 = hex.EncodeToString(sum[:])
	}
	return f
}

func TestTransfer(t *testing.T) {
	var want transfer
	readJSON(t, "transfer.json", &want)
	p := newPair(t, nil, want.Size, 0)
	p.sender = NewSender(ID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, want.Name, int64(want.Size))
	var got []frame
	down := func() {
		for ; len(p.down) > 0; p.toReceiver() {
			got = append(got, frameOf("sender", p.down[0]))
		}
	}
	back := func() {
		for ; len(p.back) > 0; p.toSender() {
			got = append(got, frameOf("receiver", p.back[0]))
		}
	}
	chunks := func(n int) {
		for range n {
			if _, _, ok := p.sender.Wants(); ok {
				p.chunk()
			}
		}
		down()
		back()
	}
	p.open()
	down()
	back()
	p.answer(p.receiver.Accept())
	back()
	chunks(7)
	chunks(3)
	p.breakUp()
	p.open()
	down()
	back()
	for !p.receiver.Complete() {
		chunks(Window)
	}
	p.answer(p.receiver.Finish())
	back()
	if e, ended := p.sender.End(); !ended || e.Code != None {
		t.Fatalf("%+v, %v", e, ended)
	}
	if *rewriteFile {
		want.Frames = got
		content, err := json.MarshalIndent(want, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/transfer.json", append(content, '\n'), 0o644); err != nil { //nolint:gosec // G306: a golden file
			t.Fatal(err)
		}
		return
	}
	if len(got) != len(want.Frames) {
		t.Fatalf("%d frames, want %d", len(got), len(want.Frames))
	}
	for i, f := range got {
		if f != want.Frames[i] {
			t.Errorf("frame %d: %+v, want %+v", i, f, want.Frames[i])
		}
	}
}
