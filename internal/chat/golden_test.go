package chat

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"noom/signal"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files again")

// The golden files, which noom.js is held against too: messages with what is signed, and courses of machines.
const (
	goldenMessages = "../../signal/testdata/chat.json"
	goldenCourses  = "testdata/courses.json"
)

// goldenMessage is a message with what is signed of it, its field signed in a chat, and its bytes in a frame of type 3.
type goldenMessage struct {
	Seed    signal.Bytes  `json:"seed"`
	Room    string        `json:"room"`
	From    string        `json:"from"`
	Session string        `json:"session"`
	Text    string        `json:"text"`
	Signed  signal.Signed `json:"signed"`
	Signing string        `json:"signing"` // what is signed
	Digest  string        `json:"digest"`  // in hexadecimal digits
	Frame   signal.Bytes  `json:"frame"`
}

func makeMessages() (list []goldenMessage) {
	for i, g := range []goldenMessage{
		{Room: "데모", Text: "안녕 👋", Signed: signal.Signed{Number: 1, Order: 1, Sent: 1_764_547_200_000, Name: "지우"}},
		{Room: "lobby", Text: "two\nlines", Signed: signal.Signed{Number: 2, Order: 9, After: make(signal.Bytes, 16), Sent: 0}},
		{Room: "lobby", Text: strings.Repeat("가", 1365), Signed: signal.Signed{Number: signal.MaxTime, Order: signal.MaxTime, Sent: signal.MaxTime, Name: "𝄞"}},
	} {
		g.Seed = make(signal.Bytes, ed25519.SeedSize)
		g.Seed[0] = byte(i)
		key := ed25519.NewKeyFromSeed(g.Seed)
		x := &Message{PublicKey: signal.PublicKey(key.Public().(ed25519.PublicKey)), Session: fmt.Sprintf("session_%d-abcdefghijkl", i), Text: g.Text, Signed: g.Signed}
		x.Author = signal.MemberID(x.PublicKey)
		x.Sign(g.Room, func(text []byte) signal.Bytes { g.Signing = string(text); return ed25519.Sign(key, text) })
		g.From, g.Session, g.Signed, g.Digest = x.Author, x.Session, x.Signed, hex.EncodeToString(x.digest[:])
		g.Frame = (&Frame{Type: Messages, Messages: []*Message{x}}).Encode()
		list = append(list, g)
	}
	return list
}

// golden compares what with a golden file, or writes it.
func golden(t *testing.T, path string, what any) {
	t.Helper()
	got, err := json.MarshalIndent(what, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *rewrite {
		if err = os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s differs from what the code does; if that is meant, run this test with -rewrite", path)
	}
}

func TestGoldenMessages(t *testing.T) {
	list := makeMessages()
	golden(t, goldenMessages, list)
	for _, g := range list {
		f, err := Decode(g.Frame)
		if err != nil || !f.Messages[0].Verify(g.Room) || string(f.Encode()) != string(g.Frame) {
			t.Errorf("%q: %v", g.Text, err)
		}
		if f.Messages[0].Verify(g.Room + "x") {
			t.Error("the room does not matter")
		}
	}
}

// course is what one machine is given, and what it answers.
type course struct {
	Self    string `json:"self"`
	Session string `json:"session"`
	Keep    int    `json:"keep"`
	Steps   []step `json:"steps"`
}

type step struct {
	At      int64        `json:"at"` // ms
	Do      string       `json:"do"`
	ID      string       `json:"id,omitempty"`
	Session string       `json:"session,omitempty"`
	Frame   signal.Bytes `json:"frame,omitempty"` // that comes, or a frame of type 3 with what was said
	Whole   bool         `json:"whole,omitempty"`
	Sends   [][2]string  `json:"sends,omitempty"` // to whom, and the frame
	Shown   string       `json:"shown,omitempty"`
	Kept    int          `json:"kept"`
	Next    int64        `json:"next"` // ms after which Tick is due, -1: it is not
}

// makeCourse has a machine live among others at random.
func makeCourse(seed uint64) course {
	rng := rand.New(rand.NewPCG(seed, 7))
	now := start
	id := func(n int) string { return strings.Repeat(string(rune('a'+n)), idSize) }
	session := func(n, born int) string { return fmt.Sprintf("%02d%020d", n, born) }
	c := course{Self: id(0), Session: session(0, 1), Keep: []int{0, 4, 30}[seed%3]}
	m := New(c.Self, c.Session, c.Keep)
	note := func(s step, what func()) {
		what()
		s.At = now.Sub(start).Milliseconds()
		out := m.Flush()
		for _, o := range out.Frames {
			text, _ := signal.Bytes(o.Frame.Encode()).MarshalText()
			s.Sends = append(s.Sends, [2]string{o.To, string(text)})
		}
		s.Shown, s.Kept, s.Next = shown(out), len(m.kept), -1
		if next := m.Next(); !next.IsZero() {
			s.Next = next.Sub(now).Milliseconds()
		}
		c.Steps = append(c.Steps, s)
	}
	sign := func(text []byte) signal.Bytes { sum := sha256.Sum256(text); return append(sum[:], sum[:]...) }
	born := []int{1, 1, 1, 1, 1}
	said := []*Message{}
	voices := map[string]int64{}
	next := func(n int) *Message {
		x := &Message{Author: id(n), PublicKey: make([]byte, 32), Session: session(n, born[n]), Text: "말"}
		voices[x.Author+x.Session] += 1 + rng.Int64N(5)/4
		x.Signed = signal.Signed{Number: voices[x.Author+x.Session], Order: max(1, m.order+rng.Int64N(4)-1), Sent: now.UnixMilli()}
		if len(said) > 0 && rng.IntN(3) > 0 {
			x.After = said[rng.IntN(len(said))].digest[:]
		}
		x.Sign(testRoom, sign)
		said = append(said, x)
		return x
	}
	frame := func(list ...*Message) []byte { return (&Frame{Type: Messages, Messages: list}).Encode() }
	for range 140 {
		now = now.Add(time.Duration(rng.IntN(1500)) * time.Millisecond)
		n := 1 + rng.IntN(4)
		come := func(f Frame) {
			note(step{Do: "receive", ID: id(n), Frame: f.Encode()}, func() { m.Receive(now, id(n), &f) })
		}
		switch rng.IntN(16) {
		case 0, 1:
			born[n] += rng.IntN(5) / 4
			note(step{Do: "joined", ID: id(n), Session: session(n, born[n])}, func() { m.Joined(now, id(n), session(n, born[n])) })
		case 2:
			if rng.IntN(3) == 0 {
				note(step{Do: "left", ID: id(n)}, func() { m.Left(now, id(n)) })
			}
		case 3, 4:
			note(step{Do: "opened", ID: id(n)}, func() { m.Opened(now, id(n)) })
		case 5:
			if rng.IntN(3) == 0 {
				note(step{Do: "missed"}, func() { m.Missed(now) })
			}
		case 6:
			x := m.Prepare(make([]byte, 32), "나", "우리 말", now.UnixMilli())
			x.Sign(testRoom, sign)
			whole := rng.IntN(3) > 0
			note(step{Do: "say", Frame: frame(x), Whole: whole}, func() {
				m.Signed(x)
				m.Passed(x, whole)
			})
		case 7, 8, 9:
			x := next(n)
			if rng.IntN(4) == 0 {
				x = said[rng.IntN(len(said))]
			}
			note(step{Do: "live", Frame: frame(x)}, func() { m.Live(now, x) })
		case 10, 11:
			f := Frame{Type: Have, Reply: rng.IntN(4) == 0, Passed: rng.Int64N(3)}
			for range rng.IntN(5) {
				f.Digests = append(f.Digests, next(1+rng.IntN(4)).digest)
			}
			come(f)
		case 12:
			if len(said) > 0 {
				come(Frame{Type: Want, Digests: digestsOf(said[max(0, len(said)-6):]...)})
			}
		case 13:
			if len(said) > 4 {
				come(Frame{Type: Messages, Messages: said[len(said)-4:]})
			}
		default:
			note(step{Do: "tick"}, func() { m.Tick(now) })
		}
	}
	return c
}

// TestGoldenCourses: a machine answers what it did when the courses were written. noom.js is given the same ones.
func TestGoldenCourses(t *testing.T) {
	var courses []course
	for seed := range uint64(6) {
		courses = append(courses, makeCourse(seed))
	}
	golden(t, goldenCourses, courses)
}

// FuzzFrame: whatever bytes are taken for a frame are those of that frame, and a machine that gets it keeps to its bounds.
func FuzzFrame(f *testing.F) {
	for _, g := range makeMessages() {
		f.Add([]byte(g.Frame))
	}
	for _, s := range makeCourse(1).Steps {
		if len(s.Frame) > 0 {
			f.Add([]byte(s.Frame))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := Decode(b)
		if err != nil {
			return
		}
		if again := frame.Encode(); string(again) != string(b) {
			t.Fatalf("%x is %x", b, again)
		}
		a := newAuthor("a", "1")
		m := newTestMachine(2, a)
		for _, x := range frame.Messages {
			x.Verify(testRoom)
		}
		m.Receive(start, a.id, &Frame{Type: Have, Digests: digestsOf(frame.Messages...)})
		m.Tick(start.Add(settling))
		m.Receive(start, a.id, &frame)
		if len(m.kept) > 2 || len(m.voices) > 3 {
			t.Fatalf("%d messages, %d voices", len(m.kept), len(m.voices))
		}
	})
}
