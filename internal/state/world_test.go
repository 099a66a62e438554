package state

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"noom/signal"
)

const testRoom = "데모"

// member is a member of a test's room. Signatures are sums that only the test can make, because real ones take too long.
type member struct {
	*Machine
	id      string
	key     signal.PublicKey
	session string
	born    int
	in      bool
	tops    map[string]top // what has stayed under each key last, to see that nothing older comes back
	dropped int            // records whose signature is false
}

type top struct {
	record *Record
	at     time.Time
}

// world is a room with a connection between each two members.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	now     time.Time
	members []*member
	wires   map[[2]int][][]byte // what is on its way, by sender and receiver
	cut     map[[2]int]bool     // by the lower and the higher
	hostile int                 // index of the member that breaks the rules; -1: none does
	old     []*Record           // that a hostile member may send again
	greedy  bool                // the hostile member writes beyond its bounds
	full    bool                // some have more than their bounds, so that what was replaced may come back
	mute    bool                // the hostile member answers nothing
	apart   [2]int              // two that are not connected in the end; others pass on what they write
}

func newWorld(t *testing.T, rng *rand.Rand, n, hostile int) *world {
	w := &world{
		t: t, rng: rng, now: time.UnixMilli(1e12), hostile: hostile,
		wires: make(map[[2]int][][]byte), cut: make(map[[2]int]bool),
	}
	for i := range n {
		key := make(signal.PublicKey, ed25519.PublicKeySize)
		key[0] = byte(i)
		w.members = append(w.members, &member{id: signal.MemberID(key), key: key})
	}
	return w
}

// sign stands for a signature.
func sign(r *Record, room string) signal.Bytes {
	sum := sha512.Sum512(append(r.Text(room), r.Writer...))
	return sum[:]
}

// receive does what a driver does with bytes that have come.
func (m *member) receive(now time.Time, from string, b []byte) {
	f, err := Decode(b)
	if err != nil {
		return
	}
	f.Records = slices.DeleteFunc(f.Records, func(r *Record) bool {
		if !m.Useful(r) {
			return true
		}
		if !bytes.Equal(sign(r, testRoom), r.Signature) {
			m.dropped++
			return true
		}
		return false
	})
	m.Receive(now, from, &f)
}

func (w *world) enter(i int) {
	m := w.members[i]
	m.born++
	m.session = fmt.Sprintf("%02d%020d", i, m.born)
	m.Machine, m.in, m.tops = New(m.id, m.session), true, make(map[string]top)
	for j, other := range w.members {
		if j != i && other.in {
			other.Joined(w.now, m.id, m.session)
			m.Joined(w.now, other.id, other.session)
			w.connect(i, j)
		}
	}
}

// leave makes all others see that a member is gone.
func (w *world) leave(i int) {
	m := w.members[i]
	m.in = false
	for j, other := range w.members {
		delete(w.wires, [2]int{i, j})
		delete(w.wires, [2]int{j, i})
		if j != i && other.in {
			other.Left(w.now, m.id)
		}
	}
}

func pair(i, j int) [2]int { return [2]int{min(i, j), max(i, j)} }

// connect gives two members a new connection.
func (w *world) connect(i, j int) {
	w.wires[[2]int{i, j}], w.wires[[2]int{j, i}] = nil, nil
	w.cut[pair(i, j)] = false
	w.members[i].Opened(w.members[j].id)
	w.members[j].Opened(w.members[i].id)
}

// flush puts what members send on the wires, and looks at them.
func (w *world) flush() {
	for i, m := range w.members {
		if !m.in {
			continue
		}
		out := m.Flush()
		for _, o := range out.Frames {
			j := slices.IndexFunc(w.members, func(other *member) bool { return other.id == o.To })
			b := o.Frame.Encode()
			if len(b) > MaxFrame {
				w.t.Fatalf("a frame of %d bytes", len(b))
			}
			if i == w.hostile {
				b = w.spoil(o.Frame)
			}
			wire := [2]int{i, j}
			switch {
			case b == nil, !w.members[j].in, w.cut[pair(i, j)]:
			case len(w.wires[wire]) > 5: // too much waits
				m.Lost(o.To)
			default:
				w.wires[wire] = append(w.wires[wire], b)
			}
		}
		w.look(i, out.Changes)
	}
}

// spoil returns what a hostile member sends in the place of a frame.
func (w *world) spoil(f Frame) []byte {
	switch {
	case w.mute && f.Type == Answer:
		return nil
	case f.Type == Have && w.rng.IntN(3) == 0: // it lies about what it has
		f.Haves = slices.Clone(f.Haves)
		for i := range f.Haves {
			f.Haves[i].Digest ^= uint64(w.rng.IntN(2))
		}
		f.Clock = w.rng.Int64N(MaxVersion)
	case len(f.Records) > 0 && w.rng.IntN(2) == 0:
		f.Records = slices.Clone(f.Records)
		i := w.rng.IntN(len(f.Records))
		forged := *f.Records[i]
		switch w.rng.IntN(4) {
		case 0:
			forged.Value = []byte("forged")
		case 1:
			forged.Version++
		case 2:
			forged.Key = "key 0"
		case 3: // of another room
			forged.Signature = sign(&forged, "lobby")
		}
		if w.rng.IntN(3) == 0 { // it leaves it out
			f.Records = slices.Delete(f.Records, i, i+1)
		} else {
			f.Records[i] = &forged
		}
	}
	return f.Encode()
}

// look checks what holds at any time.
func (w *world) look(i int, changes []Change) {
	m := w.members[i]
	for _, c := range changes {
		if got := m.Get(c.Key); c.Gone && got != nil && got.compare(c.By) == 0 {
			w.t.Fatalf("%q is said to be gone, and shows", c.Key)
		}
	}
	live, bytesOf, tombstones, total := map[string]int{}, map[string]int{}, map[string]int{}, 0
	for key, e := range m.keys {
		if e.base != nil && (e.base.Deleted || !w.full) {
			w.lookBack(m, e.base)
		}
		for i, h := range slices.Concat(e.over, []*held{e.base}) {
			switch {
			case h == nil:
				continue
			case i > 0 && e.over[i-1].compare(h.Record) <= 0:
				w.t.Fatalf("%q: the records are not in their order", key)
			case !h.place().stays && m.isPresent(h.Record) != h.since.IsZero():
				w.t.Fatalf("%q: a record of somebody who is not here", key)
			case m.writers[h.Writer].records[h.place()] != h:
				w.t.Fatalf("%q is not in the hands of its writer", key)
			}
			before, ok := m.tops[key]
			if ok && w.now.Sub(before.at) < toldLife && h.compare(before.record) < 0 {
				w.t.Fatalf("%q: version %d by %s comes after version %d by %s", key, h.Version, h.Writer, before.record.Version, before.record.Writer)
			}
			if h.Deleted {
				tombstones[h.Writer]++
			} else {
				live[h.Writer]++
				bytesOf[h.Writer] += h.size()
				total += h.size()
			}
		}
	}
	absent := 0
	for id, held := range m.writers {
		var digest uint64
		for _, h := range held.records {
			if h.counted {
				digest ^= h.digest()
			}
		}
		if held.live != live[id] || held.bytes != bytesOf[id] || held.digest != digest || len(held.records) != live[id]+tombstones[id] {
			w.t.Fatalf("%s: the sums do not fit", id)
		}
		if held.live > MaxKeys || held.bytes > MaxBytes || tombstones[id] > MaxTombstones {
			w.t.Fatalf("%s: %d keys, %d bytes, %d tombstones", id, held.live, held.bytes, tombstones[id])
		}
		if held.session == "" && len(held.records) > 0 {
			absent++
		}
	}
	if total != m.bytes || total > MaxTotal || absent > MaxAbsent {
		w.t.Fatalf("%d bytes, %d absent", total, absent)
	}
}

// lookBack remembers what stays under a key.
func (w *world) lookBack(m *member, h *held) {
	if before, ok := m.tops[h.Key]; !ok || h.compare(before.record) != 0 && w.now.Sub(before.at) >= toldLife || h.compare(before.record) > 0 {
		m.tops[h.Key] = top{h.Record, w.now}
	}
}

// deliver hands over the first frame of a wire.
func (w *world) deliver(i, j int) {
	wire := [2]int{i, j}
	if len(w.wires[wire]) == 0 || w.cut[pair(i, j)] {
		return
	}
	b := w.wires[wire][0]
	w.wires[wire] = w.wires[wire][1:]
	if w.members[j].in {
		w.members[j].receive(w.now, w.members[i].id, b)
	}
}

// pass makes time pass, and delivers everything meanwhile if all.
func (w *world) pass(d time.Duration, all bool) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(min(pace, end.Sub(w.now)))
		for _, m := range w.members {
			if m.in && !m.Next(w.now).IsZero() {
				m.Tick(w.now)
			}
		}
		w.flush()
		for moved := all; moved; {
			moved = false
			for i := range w.members {
				for j := range w.members {
					if len(w.wires[[2]int{i, j}]) > 0 && !w.cut[pair(i, j)] {
						w.deliver(i, j)
						w.flush()
						moved = true
					}
				}
			}
		}
	}
}

// write has a member write something.
func (w *world) write(i int, key string, value []byte, keep, deleted bool) error {
	m := w.members[i]
	r, err := m.Prepare(m.key, key, value, keep, deleted)
	if err != nil {
		return err
	}
	r.Signature = sign(r, testRoom)
	w.old = append(w.old, r)
	return m.Write(w.now, r)
}

// shown describes what a member shows.
func (m *member) shown() string {
	var b strings.Builder
	for _, r := range m.Shown() {
		fmt.Fprintf(&b, "%s=%x by %s version %d keep %v\n", r.Key, r.Signature[:4], r.Writer, r.Version, r.Keep)
	}
	return b.String()
}

// randomValue returns a value, which is big now and then.
func randomValue(rng *rand.Rand, big bool) []byte {
	if big {
		return make([]byte, rng.IntN(MaxValue+1))
	}
	return binary.BigEndian.AppendUint32(nil, rng.Uint32())
}
