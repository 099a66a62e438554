package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"noom/signal/hub"
	"noom/transport/nats"
)

// A forger publishes on the subjects of two hubs what these have not said, or have said before.
type forger struct {
	*rand.Rand
	bus      hub.Backplane
	ids      []string
	room     string
	subjects []string

	mu       sync.Mutex
	recorded []record
}

// A record is what a hub has said.
type record struct {
	subject string
	data    []byte
}

const mostRecorded = 4096

// newForger listens to all that the hubs say.
func newForger(t *testing.T, g *fleet, bus hub.Backplane, room string, seed uint64) *forger {
	t.Helper()
	f := &forger{Rand: rand.New(rand.NewPCG(seed, 0)), bus: bus, room: room, subjects: []string{"noom.noom.beat", "noom.noom.rooms"}}
	for _, h := range g.hubs {
		f.ids = append(f.ids, h.ClusterID())
		f.subjects = append(f.subjects, "noom.noom.to."+h.ClusterID(), "noom.noom.ask."+h.ClusterID())
	}
	for _, subject := range f.subjects {
		cancel, err := bus.Subscribe(subject, func(data []byte) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if len(f.recorded) < mostRecorded {
				f.recorded = append(f.recorded, record{subject, data})
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cancel)
	}
	return f
}

// heard returns how much the forger has to forge from.
func (f *forger) heard() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.recorded)
}

func (f *forger) say(subject string, data []byte) {
	_ = f.bus.Publish(subject, data) // what is too much for NATS is not for the hubs
	if f.IntN(16) == 0 {
		time.Sleep(time.Millisecond)
	}
}

func (f *forger) subject() string { return f.subjects[f.IntN(len(f.subjects))] }

func (f *forger) record() record {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.recorded[f.IntN(len(f.recorded))]
	return record{r.subject, bytes.Clone(r.data)}
}

// garbage is bytes of nobody, and largest ones.
func (f *forger) garbage() {
	data := make([]byte, f.IntN(300))
	if f.IntN(100) == 0 {
		data = make([]byte, 1<<20)
	}
	for i := range data {
		data[i] = byte(f.Uint32())
	}
	f.say(f.subject(), data)
}

// torn is a part of what a hub has said.
func (f *forger) torn() {
	r := f.record()
	f.say(r.subject, r.data[:f.IntN(len(r.data)+1)])
}

// mutated is what a hub has said, and some bytes are others.
func (f *forger) mutated() {
	r := f.record()
	for range 1 + f.IntN(4) {
		if len(r.data) > 0 {
			r.data[f.IntN(len(r.data))] = byte(f.Uint32())
		}
	}
	f.say(r.subject, r.data)
}

// old is what a hub has said some time ago, here or elsewhere.
func (f *forger) old() {
	r := f.record()
	if f.IntN(4) == 0 {
		r.subject = f.subject()
	}
	f.say(r.subject, r.data)
}

// claimed is what another hub has said, in the name of this one, or of one that has never been there.
func (f *forger) claimed() {
	r := f.record()
	from, as := f.ids[f.IntN(2)], strings.Repeat("0", 30)+fmt.Sprintf("%02x", f.IntN(256))
	if f.IntN(2) == 0 {
		as = f.ids[f.IntN(2)]
	}
	f.say(r.subject, bytes.ReplaceAll(r.data, []byte(from), []byte(as)))
}

// invented is what a hub says that has a part in the room, with members that nobody has.
func (f *forger) invented() {
	from, to := f.IntN(2), f.IntN(2)
	n := []int64{int64(f.IntN(100)), 1 << 40}[f.IntN(2)]
	head := fmt.Sprintf(`{"hub":%q,"room":%q,"n":%d,`, f.ids[from], f.room, n)
	ghost := fmt.Sprintf(`{"conn":%d,"id":"ghost","member":{"id":"ghost","name":"유령","session":"AAAAAAAAAAAAAAAAAAAAAA"},"order":{"term":0,"n":0}}`, 1+f.IntN(9))
	said := []string{
		`"type":"attach","conns":[` + ghost + `],"state":{"lineage":["x"]}}`,
		`"type":"attach","over":true,"state":{}}`,
		`"type":"attached","state":{"lineage":["x"]}}`,
		`"type":"enter","seq":1,"conn":` + ghost + `,"sizes":[15]}` + "\n" + `{"proven":true}`,
		`"type":"frame","seq":2,"from":1,"gone":"left"}`,
		`"type":"deliver","seq":900,"to":[1],"reason":"failed"}`,
		`"type":"missed","missed":[1,2,900]}`,
		`"type":"renew"}`,
	}
	f.say("noom.noom.to."+f.ids[to], []byte(head+said[f.IntN(len(said))]))
	if f.IntN(8) == 0 {
		f.say("noom.noom.beat", fmt.Appendf(nil, `{"type":"beat","hub":%q,"hears":[],"draining":true,"view":7,"marks":[{"to":%q,"room":%q,"n":%d,"seq":900}]}`, f.ids[from], f.ids[to], f.room, n))
	}
}

// TestForeignBytesOverNATS: whatever somebody says on the hubs' subjects, what is no message is counted, no hub fails, and once
// it is quiet again there is one room with all its members and nobody else, who hear each other. Meanwhile members may lose
// their room for a moment, because hubs believe what hubs say.
func TestForeignBytesOverNATS(t *testing.T) {
	var failed atomic.Bool
	g, servers := overNATS(t, failing(&failed))
	bus, err := servers[0].Dial(nats.Options{Name: "forger"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	foreignBytes(t, g, bus, 200, 0)
	if failed.Load() {
		t.Error("a hub has failed")
	}
}

// TestFleetForeignBytes is the same in virtual time, so that more of it fits.
func TestFleetForeignBytes(t *testing.T) {
	for seed := range uint64(2) {
		var failed atomic.Bool
		inFleet(t, 2, failing(&failed), func(t *testing.T, g *fleet) { foreignBytes(t, g, g.bus.Join(), 400, seed) })
		if failed.Load() {
			t.Error("a hub has failed")
		}
	}
}

// failing notes whether a hub has panicked.
func failing(failed *atomic.Bool) hub.Config {
	return hub.Config{Logger: slog.New(logFunc(func(text string) {
		if text == "panic" {
			failed.Store(true)
		}
	}))}
}

func foreignBytes(t *testing.T, g *fleet, bus hub.Backplane, forgeries int, seed uint64) {
	room := g.roomOf(0, "데모")
	f := newForger(t, g, bus, room, seed)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all []*walker
	for i := range 4 {
		all = append(all, g.walk(ctx, i%2, room, fmt.Sprint("손님 ", i)))
	}
	everybodyHears := func() bool { return allHear(all, fmt.Sprint(f.Uint64())) }
	waitFor(t, "there is something to forge", func() bool { return everybodyHears() && f.heard() > 200 })
	for _, kind := range []struct {
		name  string
		forge func()
	}{{"garbage", f.garbage}, {"torn", f.torn}, {"mutated", f.mutated}, {"old", f.old}, {"claimed", f.claimed}, {"invented", f.invented}} {
		for n := range forgeries {
			kind.forge()
			all[n%len(all)].say(fmt.Sprint(kind.name, n))
		}
		waitFor(t, kind.name+" is over, and everybody hears everybody", everybodyHears)
		waitFor(t, kind.name+" is over, and the hubs have each other and the members", func() bool {
			return !slices.ContainsFunc(g.hubs, func(h *hub.Hub) bool {
				rooms := h.Rooms()
				return h.Stats().Cluster.Hubs != 2 || len(h.Members(room)) != len(all) || len(rooms) != 1 || rooms[0].Members != len(all)
			})
		})
	}
	for _, h := range g.hubs {
		before := h.Stats().Cluster.Ignored
		waitFor(t, "what is ignored is counted", func() bool {
			f.garbage()
			return h.Stats().Cluster.Ignored > before+10
		})
	}
	lost := 0
	for _, w := range all {
		w.mu.Lock()
		lost += len(w.ends)
		w.mu.Unlock()
	}
	t.Logf("meanwhile members lost their connections %d times", lost)
}

// allHear lets everybody say something, and reports whether everybody has heard it, once.
func allHear(all []*walker, id string) bool {
	for _, w := range all {
		w.say(id)
	}
	time.Sleep(50 * time.Millisecond) // a loop asks again
	for _, w := range all {
		for _, from := range all {
			if w.heard(from, id) != 1 {
				return false
			}
		}
	}
	return true
}
