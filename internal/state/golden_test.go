package state

import (
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"noom/signal"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files again")

// The golden files, which noom.js is held against too: records with what is signed, and courses of machines.
const (
	goldenRecords = "../../signal/testdata/state.json"
	goldenCourses = "testdata/courses.json"
)

// goldenRecord is a record with what is signed of it, and its bytes in a frame of type 3.
type goldenRecord struct {
	Seed      signal.Bytes `json:"seed"`
	Room      string       `json:"room"`
	Writer    string       `json:"writer"`
	Session   string       `json:"session"`
	Version   int64        `json:"version"`
	Keep      bool         `json:"keep"`
	Deleted   bool         `json:"deleted"`
	Age       int64        `json:"age"`
	Key       string       `json:"key"`
	Value     signal.Bytes `json:"value"`
	Text      string       `json:"text"`
	Signature signal.Bytes `json:"signature"`
	Frame     signal.Bytes `json:"frame"`
}

func makeRecords() (list []goldenRecord) {
	for i, g := range []goldenRecord{
		{Room: "데모", Version: 1, Key: "주제", Value: signal.Bytes("저녁 🍜")},
		{Room: "lobby", Version: MaxVersion, Keep: true, Key: "a\nb", Value: signal.Bytes{0, 255, 254}},
		{Room: "lobby", Version: 1 << 33, Deleted: true, Age: 61_500, Key: "𝄞"},
		{Room: "lobby", Version: 7, Value: signal.Bytes(`{"손":"들었다"}`)},
	} {
		g.Seed = make(signal.Bytes, ed25519.SeedSize)
		g.Seed[0] = byte(i)
		key := ed25519.NewKeyFromSeed(g.Seed)
		r := &Record{
			PublicKey: signal.PublicKey(key.Public().(ed25519.PublicKey)), Session: fmt.Sprintf("session_%d-abcdefghijkl", i), Version: g.Version,
			Keep: g.Keep, Deleted: g.Deleted, Age: time.Duration(g.Age) * time.Millisecond, Key: g.Key, Value: g.Value,
		}
		r.Writer = signal.MemberID(r.PublicKey)
		if r.Key == "" {
			r.Key = AttributesKey(r.Writer)
		}
		r.Signature = ed25519.Sign(key, r.Text(g.Room))
		g.Writer, g.Session, g.Key, g.Text, g.Signature = r.Writer, r.Session, r.Key, string(r.Text(g.Room)), r.Signature
		g.Frame = (&Frame{Type: Written, Records: []*Record{r}}).Encode()
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

func TestGoldenRecords(t *testing.T) {
	list := makeRecords()
	golden(t, goldenRecords, list)
	for _, g := range list {
		f, err := Decode(g.Frame)
		if err != nil || !f.Records[0].Verify(g.Room) || string(f.Encode()) != string(g.Frame) {
			t.Errorf("%q: %v", g.Key, err)
		}
	}
}

// course is what one machine is given, and what it answers.
type course struct {
	Self    string `json:"self"`
	Session string `json:"session"`
	Steps   []step `json:"steps"`
}

type step struct {
	At      int64        `json:"at"` // ms
	Do      string       `json:"do"`
	ID      string       `json:"id,omitempty"`
	Session string       `json:"session,omitempty"`
	Frame   signal.Bytes `json:"frame,omitempty"` // that comes, or a frame of type 3 with the record to write
	Sends   [][2]string  `json:"sends,omitempty"` // to whom, and the frame
	Changes [][3]string  `json:"changes,omitempty"`
	Next    int64        `json:"next"` // ms after which Tick is due, -1: it is not
	Shows   string       `json:"shows,omitempty"`
}

// recorder makes the steps of one member of a world.
type recorder struct {
	m      *Machine
	course course
	begun  time.Time
}

func (r *recorder) note(now time.Time, s step, what func()) {
	what()
	s.At = now.Sub(r.begun).Milliseconds()
	out := r.m.Flush()
	for _, o := range out.Frames {
		s.Sends = append(s.Sends, [2]string{o.To, encoded(o.Frame.Encode())})
	}
	for _, c := range out.Changes {
		value := encoded(c.By.Value)
		if c.Gone {
			value = "gone"
		}
		s.Changes = append(s.Changes, [3]string{c.Key, c.By.Writer, value})
	}
	s.Next = -1
	if next := r.m.Next(now); !next.IsZero() {
		s.Next = next.Sub(now).Milliseconds()
	}
	for _, shown := range r.m.Shown() {
		s.Shows += encoded(shown.Signature[:6])
	}
	r.course.Steps = append(r.course.Steps, s)
}

func encoded(b []byte) string {
	text, _ := signal.Bytes(b).MarshalText()
	return string(text)
}

// makeCourse has a machine live among others at random.
func makeCourse(seed uint64) course {
	rng := rand.New(rand.NewPCG(seed, 7))
	self, public := stranger(0)
	now := time.UnixMilli(1e12)
	session := func(n, born int) string { return fmt.Sprintf("%02d%020d", n, born) }
	r := &recorder{m: New(self, session(0, 1)), begun: now}
	r.course = course{Self: self, Session: session(0, 1)}
	born := make([]int, 5)
	digests := make(map[string]uint64)
	for range 120 {
		now = now.Add(time.Duration(rng.IntN(4000)) * time.Millisecond)
		n := 1 + rng.IntN(4)
		id, key := stranger(n)
		record := func(version int64) *Record {
			x := &Record{
				Writer: id, PublicKey: key, Session: session(n, max(1, born[n]-rng.IntN(2))), Version: version, Keep: rng.IntN(3) == 0,
				Key: fmt.Sprint("열쇠 ", rng.IntN(3)), Value: []byte{byte(rng.IntN(256))},
			}
			switch rng.IntN(6) {
			case 0:
				x.Keep, x.Deleted, x.Value, x.Age = false, true, []byte{}, time.Duration(rng.IntN(650))*time.Second
			case 1:
				x.Keep, x.Key = false, AttributesKey(id)
			}
			x.Signature = sign(x, testRoom)
			digests[id] ^= x.digest()
			return x
		}
		version := max(1, r.m.clock-2+rng.Int64N(6))
		come := func(f Frame) {
			b := f.Encode()
			from, _ := stranger(1 + rng.IntN(4))
			r.note(now, step{Do: "receive", ID: from, Frame: b}, func() { r.m.Receive(now, from, &f) })
		}
		switch rng.IntN(14) {
		case 0, 1:
			born[n] += rng.IntN(2)
			born[n] = max(born[n], 1)
			r.note(now, step{Do: "joined", ID: id, Session: session(n, born[n])}, func() { r.m.Joined(now, id, session(n, born[n])) })
		case 2:
			if rng.IntN(2) == 0 {
				r.note(now, step{Do: "left", ID: id}, func() { r.m.Left(now, id) })
			}
		case 3, 4:
			r.note(now, step{Do: "opened", ID: id}, func() { r.m.Opened(id) })
		case 5:
			r.note(now, step{Do: "lost", ID: id}, func() { r.m.Lost(id) })
		case 6, 7:
			x, err := r.m.Prepare(public, fmt.Sprint("열쇠 ", rng.IntN(3)), []byte{byte(rng.IntN(256))}, rng.IntN(2) == 0, false)
			if err != nil {
				continue
			}
			x.Signature = sign(x, testRoom)
			b := (&Frame{Type: Written, Records: []*Record{x}}).Encode()
			r.note(now, step{Do: "write", Frame: b}, func() { _ = r.m.Write(now, x) })
		case 8:
			come(Frame{Type: Written, Records: []*Record{record(version), record(version + 1)}})
		case 9:
			come(Frame{Type: Answer, Writer: id, Last: rng.IntN(3) > 0, Records: []*Record{record(version)}})
		case 10:
			about, _ := stranger(rng.IntN(5))
			come(Frame{Type: Want, Writer: about})
		case 11:
			f := Frame{Type: Have, Clock: version + rng.Int64N(MaxLead)*rng.Int64N(2)}
			for about := range 5 {
				if other, _ := stranger(about); rng.IntN(2) == 0 {
					f.Haves = append(f.Haves, Holding{other, digests[other]})
				}
			}
			come(f)
		default:
			if rng.IntN(20) == 0 {
				now = now.Add(5 * time.Minute)
			}
			r.note(now, step{Do: "tick"}, func() { r.m.Tick(now) })
		}
	}
	return r.course
}

// TestGoldenCourses: a machine answers what it did when the courses were written. noom.js is given the same ones.
func TestGoldenCourses(t *testing.T) {
	var courses []course
	for seed := range uint64(8) {
		courses = append(courses, makeCourse(seed))
	}
	golden(t, goldenCourses, courses)
}
