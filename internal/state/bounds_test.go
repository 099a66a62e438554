package state

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"noom/internal/fault"
	"noom/signal"
)

var start = time.UnixMilli(1e12)

// stranger returns the n-th writer of a test, with its key.
func stranger(n int) (id string, key signal.PublicKey) {
	key = make(signal.PublicKey, ed25519.PublicKeySize)
	binary.BigEndian.PutUint32(key[20:], uint32(n+1))
	return signal.MemberID(key), key
}

// recordOf returns a record of the n-th writer.
func recordOf(n int, version int64, key string, size int, keep, deleted bool) *Record {
	id, public := stranger(n)
	r := &Record{
		Writer: id, PublicKey: public, Session: "session", Version: version, Keep: keep, Deleted: deleted, Key: key, Value: make([]byte, size),
	}
	r.Signature = sign(r, testRoom)
	return r
}

// held returns how many records of the first writer are held, live and deleted.
func (m *Machine) held() (live, deleted int) {
	id, _ := stranger(0)
	if w := m.writers[id]; w != nil {
		return w.live, len(w.records) - w.live
	}
	return 0, 0
}

// join has the n-th writer enter a room.
func (m *Machine) join(n int) string {
	id, _ := stranger(n)
	m.Joined(start, id, "session")
	return id
}

func newMachine() *Machine {
	id, _ := stranger(1 << 20)
	return New(id, "ours")
}

// TestBoundsOfAWriter: a writer has so many keys, bytes and tombstones, and of tombstones the newest.
func TestBoundsOfAWriter(t *testing.T) {
	m := newMachine()
	m.join(0)
	for i := range 2 * MaxKeys {
		m.take(start, recordOf(0, int64(i+1), fmt.Sprint("key ", i), 10, i%2 == 0, false))
	}
	if live, _ := m.held(); live != MaxKeys {
		t.Errorf("%d keys", live)
	}
	for i := range 2 * MaxKeys {
		m.take(start, recordOf(0, int64(2*MaxKeys+i+1), fmt.Sprint("key ", i), 0, false, true))
	}
	if live, deleted := m.held(); live != 0 || deleted != MaxTombstones {
		t.Errorf("%d keys and %d tombstones", live, deleted)
	}
	if m.keys["key 0"] != nil || m.keys[fmt.Sprint("key ", 2*MaxKeys-1)] == nil {
		t.Error("the oldest tombstones are kept, and not the newest")
	}
	m.take(start, recordOf(0, 3, "old", 0, false, true))
	if m.keys["old"] != nil {
		t.Error("an older tombstone takes the place of a newer one")
	}
	for i := range 3 {
		m.take(start, recordOf(0, int64(9000+i), fmt.Sprint("big ", i), MaxValue-5, i == 1, false))
	}
	if live, _ := m.held(); live != 2 || m.Get("big 0") != nil {
		t.Errorf("%d values of 32 KiB, which are not the newest", live)
	}
	m.take(start, recordOf(0, 8000, "older", 100, false, false))
	if m.Get("older") != nil {
		t.Error("an older record is taken beyond the bounds")
	}
	m.take(start, recordOf(0, 9010, "big 1", MaxValue-5, true, false))
	if m.keys["big 1"].base.Version != 9010 {
		t.Error("what takes the place of another counts with it")
	}
}

// TestBoundsOfAll: all writers together have so many bytes.
func TestBoundsOfAll(t *testing.T) {
	m := newMachine()
	for n := range 200 {
		m.join(n)
		for i := range 2 {
			m.take(start, recordOf(n, 1, fmt.Sprintf("%d of %d", i, n), MaxValue-16, false, false))
		}
	}
	if m.bytes > MaxTotal || m.bytes < MaxTotal-MaxValue {
		t.Errorf("%d bytes", m.bytes)
	}
	if _, err := m.Prepare(nil, "ours", make([]byte, MaxValue), false, false); !errors.Is(err, fault.StateFull) {
		t.Errorf("our own: %v", err)
	}
}

// TestBoundsOfAbsentWriters: members that nobody has seen can leave no more than so many notes, and those that were in the
// room come before them.
func TestBoundsOfAbsentWriters(t *testing.T) {
	m := newMachine()
	for n := range 2 * MaxAbsent {
		m.take(start, recordOf(n, 1, fmt.Sprint("note ", n), 1, true, false))
	}
	if m.absent() != MaxAbsent {
		t.Fatalf("%d strangers", m.absent())
	}
	for n := range MaxAbsent + 10 {
		id := m.join(1000 + n)
		m.take(start, recordOf(1000+n, 2, fmt.Sprint("kept ", n), 1, true, false))
		m.Left(start.Add(time.Duration(n)*time.Second), id)
		if m.absent() > MaxAbsent {
			t.Fatalf("%d absent", m.absent())
		}
		if m.Get(fmt.Sprint("kept ", n)) == nil {
			t.Fatal("strangers keep out a member that was here")
		}
	}
	if m.Get("kept 0") != nil || m.Get("kept 10") == nil || m.Get("note 0") != nil {
		t.Error("not those that left last are kept")
	}
}

// TestVersionsTooFarAhead: a version that leaps is refused, unless most of the others are there already.
func TestVersionsTooFarAhead(t *testing.T) {
	m := newMachine()
	for n := range 4 {
		m.Opened(m.join(n))
	}
	take := func(version int64) bool {
		m.take(start, recordOf(0, version, "key", 1, false, false))
		r := m.Get("key")
		return r != nil && r.Version == version
	}
	if !take(MaxLead) || take(2*MaxLead+1) || !take(2*MaxLead) {
		t.Error("the bound is elsewhere")
	}
	have := func(n int, clock int64) {
		id, _ := stranger(n)
		m.Receive(start, id, &Frame{Type: Have, Clock: clock})
	}
	have(1, MaxVersion)
	have(2, 2*MaxLead)
	have(3, 2*MaxLead)
	if take(100 * MaxLead) {
		t.Error("one of three members has moved the clock")
	}
	have(2, 99*MaxLead)
	if !take(100 * MaxLead) {
		t.Error("most members are there, and a newcomer is not")
	}
}

// TestRefusedVersionsAreAskedForAgain: what was too far ahead is asked for again once the clock of the room is known.
func TestRefusedVersionsAreAskedForAgain(t *testing.T) {
	m := newMachine()
	r := recordOf(0, 5*MaxLead, "key", 1, true, false)
	a := m.join(1)
	m.Opened(a)
	wants := func() (n int) {
		for _, o := range m.Flush().Frames {
			if o.Frame.Type == Want {
				n++
			}
		}
		return n
	}
	m.Receive(start, a, &Frame{Type: Have, Clock: 1, Haves: []Holding{{r.Writer, r.digest()}}})
	if wants() != 1 {
		t.Fatal("it does not ask")
	}
	m.Receive(start, a, &Frame{Type: Answer, Writer: r.Writer, Last: true, Records: []*Record{r}})
	m.Tick(start.Add(time.Minute))
	if m.Get("key") != nil || wants() != 0 {
		t.Fatal("it takes the record, or asks again without a reason")
	}
	m.Receive(start, a, &Frame{Type: Have, Clock: 5 * MaxLead})
	if wants() != 1 {
		t.Fatal("it does not ask again")
	}
	m.Receive(start, a, &Frame{Type: Answer, Writer: r.Writer, Last: true, Records: []*Record{r}})
	if m.Get("key") == nil {
		t.Error("it does not take the record")
	}
}

// TestTombstonesEnd: a tombstone lives for its time and not for longer, though members pass it on.
func TestTombstonesEnd(t *testing.T) {
	a, b := newMachine(), newMachine()
	deleted := recordOf(0, 7, "key", 0, false, true)
	a.take(start, deleted)
	id := a.join(1)
	a.Opened(id)
	a.Flush()
	for at := start.Add(time.Second); at.Before(start.Add(2 * Life)); at = at.Add(10 * time.Second) {
		a.Tick(at)
		b.Tick(at)
		a.Receive(at, id, &Frame{Type: Want, Writer: deleted.Writer})
		for _, o := range a.Flush().Frames {
			if told := at.Sub(start) < toldLife; (len(o.Frame.Records) > 0) != told || (a.digest(deleted.Writer) != 0) != told {
				t.Fatalf("after %v it is told: %v", at.Sub(start), !told)
			}
			if at.Sub(start) < Life/2 { // b learns of it late
				continue
			}
			for _, r := range o.Frame.Records {
				b.take(at, r)
				a.take(at, r)
			}
		}
		has := at.Sub(start) < Life
		if (a.keys["key"] != nil) != has || (b.keys["key"] != nil) != (has && at.Sub(start) >= Life/2) {
			t.Fatalf("after %v: %v and %v", at.Sub(start), a.keys["key"] != nil, b.keys["key"] != nil)
		}
		if a.take(at, recordOf(2, 6, "key", 0, true, false)); at.Sub(start) < Life && a.Get("key") != nil {
			t.Fatalf("after %v what was deleted is back", at.Sub(start))
		}
		if at.Sub(start) >= Life {
			break
		}
	}
	if a.due != (time.Time{}) {
		t.Error("a timer is left")
	}
	over := recordOf(0, 8, "key", 0, false, true)
	over.Age = Life
	if a.take(start.Add(2*Life), over); a.Get("key") == nil {
		t.Error("a tombstone whose time is over deletes")
	}
}

// TestHiddenRecordsEnd: what does not show because its writer has gone is forgotten after a while, and is back before that if
// the writer is.
func TestHiddenRecordsEnd(t *testing.T) {
	m := newMachine()
	id := m.join(0)
	m.take(start, recordOf(0, 1, "key", 1, false, false))
	m.Left(start, id)
	if m.Get("key") != nil {
		t.Fatal("it shows without its writer")
	}
	m.join(0)
	if m.Get("key") == nil {
		t.Fatal("it is not back with its writer")
	}
	m.Left(start, id)
	m.Tick(start.Add(Life - 1))
	if live, _ := m.held(); live != 1 {
		t.Fatal("it is forgotten early")
	}
	m.Tick(start.Add(Life))
	if len(m.keys) != 0 || len(m.writers) != 1 {
		t.Error("it is not forgotten")
	}
}

// TestPeersAreBounded: what a peer says that it has is remembered of so many writers.
func TestPeersAreBounded(t *testing.T) {
	m := newMachine()
	id := m.join(0)
	m.Opened(id)
	for i := range 10 {
		f := Frame{Type: Have}
		for n := range maxHaves {
			about, _ := stranger(10 + i*maxHaves + n)
			f.Haves = append(f.Haves, Holding{about, 1})
		}
		if len(f.Encode()) > MaxFrame {
			t.Fatal("the frame is too big")
		}
		m.Receive(start, id, &f)
	}
	if n := len(m.peers[id].known); n != maxKnown {
		t.Errorf("%d writers", n)
	}
	if len(m.writers) > 3 {
		t.Errorf("%d writers are remembered, and one was asked for", len(m.writers))
	}
}

// TestFramesAreBounded: whatever is no frame is refused.
func TestFramesAreBounded(t *testing.T) {
	good := recordOf(0, 5, "열쇠", 3, true, false)
	good.Session = "0123456789012345678901"
	id := good.Writer
	for name, f := range map[string]Frame{
		"no records":         {Type: Written},
		"another's record":   {Type: Answer, Writer: m26('b'), Records: []*Record{good}},
		"a bad writer":       {Type: Want, Writer: m26('!')},
		"a late clock":       {Type: Have, Clock: -1},
		"an unknown type":    {Type: 5},
		"a reserved key":     {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Key = "noom:x" })}},
		"another's key":      {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Key = AttributesKey(m26('b')) })}},
		"kept attributes":    {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Key = AttributesKey(id) })}},
		"no key":             {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Key = "" })}},
		"no text":            {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Key = "\xff" })}},
		"a long key":         {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Key = string(make([]byte, MaxKey+1)) })}},
		"a big value":        {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Value = make([]byte, MaxValue+1) })}},
		"version 0":          {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Version = 0 })}},
		"a version too high": {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Version = MaxVersion + 1 })}},
		"a deleted value":    {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Keep, r.Deleted = false, true })}},
		"an age":             {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Age = time.Second })}},
		"a short signature":  {Type: Written, Records: []*Record{with(good, func(r *Record) { r.Signature = r.Signature[1:] })}},
	} {
		if got, err := Decode(f.Encode()); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, f := range []Frame{
		{Type: Written, Records: []*Record{good, good}},
		{Type: Answer, Writer: id, Last: true},
		{Type: Have, Clock: MaxVersion, Haves: []Holding{{id, 1 << 63}}},
		{Type: Want, Writer: id},
	} {
		b := f.Encode()
		got, err := Decode(b)
		if err != nil || string(got.Encode()) != string(b) {
			t.Errorf("%+v: %+v, %v", f, got, err)
		}
		for n := range b {
			if short, err := Decode(b[:n]); err == nil && string(short.Encode()) != string(b[:n]) {
				t.Fatalf("%d of %d bytes are another frame: %+v", n, len(b), short)
			}
		}
	}
	if _, err := Decode(make([]byte, MaxFrame+1)); err == nil {
		t.Error("a frame that is too big")
	}
}

func m26(c byte) string {
	b := make([]byte, 26)
	for i := range b {
		b[i] = c
	}
	return string(b)
}

func with(r *Record, change func(*Record)) *Record {
	changed := *r
	change(&changed)
	return &changed
}

// TestAttributesAreText: what is no object of strings is no attributes.
func TestAttributesAreText(t *testing.T) {
	for _, bad := range []string{``, `null`, `[]`, `{"a":1}`, `{"a":null}`, `{"a":"b","a":"c"}`, `{"a":"b"} ` + "x", "{\"a\":\"\xff\"}"} {
		if got := DecodeAttributes([]byte(bad)); got != nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
	b, err := EncodeAttributes(map[string]string{"손": "들었다", "a": "b"})
	if got := DecodeAttributes(b); err != nil || len(got) != 2 || got["손"] != "들었다" {
		t.Errorf("%q: %v, %v", b, got, err)
	}
}

// TestSignatures: a signature holds for one room, and for all that it covers.
func TestSignatures(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &Record{
		Writer: signal.MemberID(signal.PublicKey(public)), PublicKey: signal.PublicKey(public), Session: "session", Version: 3, Key: "열쇠", Value: []byte("값"),
	}
	r.Signature = ed25519.Sign(private, r.Text(testRoom))
	if !r.Verify(testRoom) || r.Verify("lobby") {
		t.Fatal("the room does not matter")
	}
	for i, change := range []func(*Record){
		func(r *Record) { r.Writer = m26('b') }, func(r *Record) { r.Session = "other" }, func(r *Record) { r.Version++ },
		func(r *Record) { r.Keep = true }, func(r *Record) { r.Deleted = true }, func(r *Record) { r.Key = "열" },
		func(r *Record) { r.Value = []byte("값2") }, func(r *Record) { r.PublicKey = r.PublicKey[1:] },
	} {
		if with(r, change).Verify(testRoom) {
			t.Errorf("change %d is not noticed", i)
		}
	}
}
