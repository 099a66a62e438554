package ownership

import (
	"fmt"
	"strings"
	"testing"
)

func beatOf(hub string, hears ...string) *Message {
	return &Message{Type: TypeBeat, Hub: hub, Hears: hears, Degree: len(hears)}
}

func TestDeath(t *testing.T) {
	for name, c := range map[string]struct {
		doubt bool
		ticks int
	}{"silent": {false, deadAfter}, "silent, and nobody is there": {true, doubtAfter}} {
		k := NewCluster(hubA)
		if !k.Take(beatOf(hubB)) || !k.View().Has(hubB) {
			t.Fatal("a hub that beats is not in the view")
		}
		if c.doubt && k.Doubt(hubB) {
			t.Fatal("a hub that beats is taken for dead")
		}
		for tick := 1; tick <= c.ticks; tick++ {
			k.Tick()
			if k.View().Has(hubB) != (tick < c.ticks) {
				t.Errorf("%s: lives %v after %d ticks", name, k.View().Has(hubB), tick)
			}
		}
	}
}

// It is worth asking about a hub once a beat of it is late, and no longer when it beats.
func TestSilent(t *testing.T) {
	k := NewCluster(hubA)
	k.Take(beatOf(hubB, hubA))
	for tick := range deadAfter - 1 {
		if n := len(k.Silent()); n == 1 != (tick > doubtAfter) {
			t.Errorf("after %d ticks: %d hubs are silent", tick, n)
		}
		k.Tick()
	}
	if k.Take(beatOf(hubB, hubA)); len(k.Silent()) > 0 {
		t.Error("a hub that beats is silent")
	}
}

// A doubt comes to nothing if the hub beats.
func TestDoubtEnds(t *testing.T) {
	k := NewCluster(hubA)
	k.Take(beatOf(hubB, hubA))
	k.Doubt(hubB)
	k.Tick()
	k.Take(beatOf(hubB, hubA))
	for range doubtAfter {
		k.Tick()
	}
	if !k.View().Has(hubB) {
		t.Error("a hub is dead that has beaten")
	}
}

// A hub lives of which anything comes, though its beats are lost.
func TestHeard(t *testing.T) {
	k := NewCluster(hubA)
	k.Take(beatOf(hubB, hubA))
	for range 2 * deadAfter {
		k.Heard(hubB)
		k.Tick()
	}
	if !k.View().Has(hubB) {
		t.Error("a hub is dead that was heard")
	}
	if k.Heard(strings.Repeat("c", 32)); len(k.View().Hubs()) != 2 {
		t.Error("a hub is in the view that has not beaten")
	}
}

// A hub that has not heard this one for long has taken it for dead, so it is no use as an owner, until it hears this one. Both
// ends of a link that is cut and healed find each other again.
func TestDeaf(t *testing.T) {
	a, b := NewCluster(hubA), NewCluster(hubB)
	pass := func(from, to *Cluster) {
		m, _ := from.Beat(nil)
		to.Take(&m)
	}
	pass(a, b)
	pass(b, a)
	pass(a, b)
	for tick := 1; tick <= 3*deadAfter; tick++ {
		a.Tick()
		b.Tick()
		pass(a, b) // and not the other way
		if deaf := tick >= 2*deadAfter; b.View().Has(hubA) == deaf || a.View().Has(hubB) != (tick < deadAfter) {
			t.Fatalf("tick %d: one has %v, the other %v", tick, a.View().Hubs(), b.View().Hubs())
		}
	}
	if _, ok, _ := b.Settle(b.View()); !ok || !b.View().Settled() {
		t.Error("a hub waits for one that is deaf")
	}
	pass(b, a)
	pass(a, b)
	if len(a.View().Hubs()) != 2 || len(b.View().Hubs()) != 2 || !b.View().HearsUs(hubA) {
		t.Errorf("healed, one has %v, the other %v", a.View().Hubs(), b.View().Hubs())
	}
}

// A view has settled when all have said so of the same one, and this hub is not too young to know all.
func TestSettled(t *testing.T) {
	a, b := NewCluster(hubA), NewCluster(hubB)
	exchange := func() {
		for _, k := range []*Cluster{a, b} {
			other := a
			if k == a {
				other = b
			}
			if m, due := k.Beat(nil); due {
				other.Take(&m)
			}
		}
	}
	settle := func(k, other *Cluster) {
		if m, ok, _ := k.Settle(k.View()); ok {
			other.Take(&m)
		}
	}
	exchange()
	exchange()
	exchange()
	settle(a, b)
	settle(b, a)
	if a.View().hash != b.View().hash {
		t.Fatal("two hubs that hear each other do not see the same")
	}
	for tick := 0; tick <= youth; tick++ {
		if a.View().Settled() != (tick >= youth) {
			t.Errorf("settled %v after %d ticks", a.View().Settled(), tick)
		}
		a.Tick()
		b.Tick()
		exchange()
	}
	old := a.View()
	b.Drain()
	exchange()
	if a.View().Settled() || a.View().Owner("lobby") != hubA {
		t.Error("a hub that drains changes nothing")
	}
	if _, ok, _ := a.Settle(old); ok {
		t.Error("the hub says that it has settled on a view that is over")
	}
	settle(a, b)
	if a.View().Settled() {
		t.Error("settled, although the other is not")
	}
	b.Settle(b.View()) // and what it says is lost
	exchange()
	if !a.View().Settled() {
		t.Error("a beat does not say on what its hub has settled")
	}
}

// Many hubs beat less often, are waited for longer, and there is a bound to them.
func TestCrowd(t *testing.T) {
	k := NewCluster(hubA)
	for _, hub := range hubIDs(maxHubs + 10) {
		k.Take(beatOf(hub))
	}
	if n := len(k.View().Hubs()); n != maxHubs+1 {
		t.Errorf("%d hubs", n)
	}
	beats := 0
	for tick := 1; tick < crowdDeath; tick++ {
		k.Tick()
		if _, due := k.Beat(nil); due {
			beats++
		}
	}
	if want := (crowdDeath - 1) / crowdPause; beats != want || len(k.View().Hubs()) != maxHubs+1 {
		t.Errorf("%d beats, want %d; %d hubs", beats, want, len(k.View().Hubs()))
	}
	if k.Tick(); len(k.View().Hubs()) != 1 {
		t.Error("nobody is dead")
	}
}

// The largest beat that a hub makes is a message.
func TestLargestBeat(t *testing.T) {
	k := NewCluster(hubA)
	for _, hub := range hubIDs(maxHubs) {
		k.Take(beatOf(hub, hubA))
	}
	marks := make([]Mark, 2*mostInBeats)
	for i := range marks {
		marks[i] = Mark{To: hubB, Room: fmt.Sprintf("%0*d", maxRoom, i), N: maxNumber, Seq: maxNumber, Down: true}
	}
	for range crowdPause {
		k.Tick()
	}
	m, due := k.Beat(marks)
	if data, err := m.Encode(); err != nil || !due || len(m.Marks) != mostInBeats {
		t.Errorf("due %v, %d marks, %d bytes, %v", due, len(m.Marks), len(data), err)
	}
}
