package state

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestMembersAgree: whatever 2 to 5 members write, delete and lose, whoever comes and goes, and whatever one of them
// makes up, all others show the same in the end, nothing comes back, and all bounds hold at any time (world.look).
func TestMembersAgree(t *testing.T) {
	seeds := uint64(120)
	if testing.Short() {
		seeds = 50
	}
	forged := 0
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { forged += play(t, seed) })
	}
	if forged == 0 {
		t.Error("no false signature was ever refused")
	}
}

// play plays one course, and returns how many false signatures were refused.
func play(t *testing.T, seed uint64) (forged int) {
	rng := rand.New(rand.NewPCG(seed, 20))
	n, hostile := 2+rng.IntN(4), -1
	if n > 2 && seed%2 == 1 {
		hostile = rng.IntN(n)
	}
	w := newWorld(t, rng, n, hostile)
	big := rng.IntN(4) == 0
	w.mute, w.greedy = rng.IntN(4) == 0, rng.IntN(4) == 0
	if w.apart = [2]int{-1, -1}; n > 3 && hostile < 0 && rng.IntN(2) == 0 {
		w.apart = [2]int{0, 1 + rng.IntN(n-1)}
	}
	w.full = big || w.greedy
	for i := range n {
		w.enter(i)
	}
	for range 300 {
		w.happen(rng.IntN(n), rng.IntN(n), big)
		w.flush()
	}
	w.settle()
	var first *member
	for i, m := range w.members {
		forged += m.dropped
		if i == hostile {
			continue
		}
		if first == nil {
			first = m
		}
		if a, b := first.shown(), m.shown(); a != b {
			t.Errorf("%s shows\n%s%s shows\n%s", first.id, a, m.id, b)
		}
	}
	return forged
}

// happen has one thing happen, to a member or between two.
func (w *world) happen(i, j int, big bool) {
	m, rng := w.members[i], w.rng
	key := fmt.Sprintf("key %d", rng.IntN(6))
	what := rng.IntN(40)
	if !m.in && what < 38 {
		return
	}
	switch what {
	case 0, 1, 2, 3, 4:
		_ = w.write(i, key, randomValue(rng, big), rng.IntN(2) == 0, false) // there may be no room
	case 5, 6:
		_ = w.write(i, key, nil, false, true)
	case 7:
		_ = w.write(i, AttributesKey(m.id), randomValue(rng, false), false, false)
	case 8, 9:
		w.pass(time.Duration(rng.IntN(5000))*time.Millisecond, false)
	case 10:
		w.pass(time.Duration(rng.IntN(10))*time.Second, true)
	case 11:
		if i != j && w.members[j].in && !w.cut[pair(i, j)] { // their connection is lost
			w.cut[pair(i, j)] = true
			delete(w.wires, [2]int{i, j})
			delete(w.wires, [2]int{j, i})
		}
	case 12, 13:
		if i != j && w.members[j].in {
			w.connect(i, j)
		}
	case 14:
		if rng.IntN(3) == 0 {
			w.leave(i)
		}
	case 15: // the hub loses one of two for a while
		if i != j && w.members[j].in {
			m.Left(w.now, w.members[j].id)
		}
	case 16:
		if i != j && w.members[j].in {
			w.back(i, j)
		}
	case 17, 18:
		if i == w.hostile {
			w.attack(j)
		}
	case 38, 39:
		if !m.in {
			w.enter(i)
		}
	default:
		for range rng.IntN(8) {
			w.deliver(i, j)
			w.flush()
		}
	}
}

// back makes a member see another one again.
func (w *world) back(i, j int) {
	m, other := w.members[i], w.members[j]
	if m.peers[other.id] != nil {
		return
	}
	m.Joined(w.now, other.id, other.session)
	if pair(i, j) == w.apart {
		w.cut[pair(i, j)] = true
		return
	}
	w.connect(i, j)
}

// attack has the hostile member send another one what no honest member would.
func (w *world) attack(j int) {
	m, rng := w.members[w.hostile], w.rng
	if j == w.hostile || w.cut[pair(w.hostile, j)] {
		return
	}
	r := &Record{Writer: m.id, PublicKey: m.key, Session: m.session, Key: fmt.Sprintf("key %d", rng.IntN(6)), Keep: true}
	switch rng.IntN(4) {
	case 0: // what was replaced long ago
		if len(w.old) == 0 {
			return
		}
		r = w.old[rng.IntN(len(w.old))]
	case 1: // too far ahead for everybody
		r.Version = m.clock + 3*MaxLead + rng.Int64N(1<<40)
		r.Signature = sign(r, testRoom)
	case 2: // beyond its bytes, under keys of its own
		if !w.greedy {
			return
		}
		for k := range 4 {
			b := &Record{
				Writer: m.id, PublicKey: m.key, Session: m.session, Version: m.clock + 1 + rng.Int64N(5), Keep: true,
				Key: fmt.Sprintf("excess %d", k), Value: make([]byte, MaxValue),
			}
			b.Signature = sign(b, testRoom)
			w.put(j, Frame{Type: Written, Records: []*Record{b}})
		}
		return
	case 3: // two records of one version, for two members
		r.Version = m.clock + 1
		for k, other := range w.members {
			if b := *r; k != w.hostile && other.in && !w.cut[pair(k, w.hostile)] {
				b.Value = []byte{byte(k)}
				b.Signature = sign(&b, testRoom)
				w.put(k, Frame{Type: Written, Records: []*Record{&b}})
			}
		}
		return
	}
	w.put(j, Frame{Type: Written, Records: []*Record{r}})
}

// put puts a frame of the hostile member on the wire to another one.
func (w *world) put(j int, f Frame) {
	wire := [2]int{w.hostile, j}
	w.wires[wire] = append(w.wires[wire], f.Encode())
}

// settle ends all disturbances: everybody is there and connected, and has time to agree.
func (w *world) settle() {
	for i, m := range w.members {
		if !m.in {
			w.enter(i)
		}
	}
	for i := range w.members {
		for j := range i {
			w.back(i, j)
			w.back(j, i)
			switch {
			case pair(i, j) == w.apart:
				w.cut[pair(i, j)] = true
				delete(w.wires, [2]int{i, j})
				delete(w.wires, [2]int{j, i})
			case w.cut[pair(i, j)]:
				w.connect(i, j)
			}
		}
	}
	if w.hostile >= 0 && w.rng.IntN(2) == 0 { // what it has said stays behind
		w.leave(w.hostile)
	}
	w.pass(time.Minute, true)
}
