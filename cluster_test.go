package noom_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/internal/connection"
	"noom/noomtest"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// A cluster is a world with several hubs that are one.
type cluster struct {
	*world
	bus     *mem.Bus
	ends    []*mem.BusEnd // of each hub, as it runs now
	said    int
	confirm sync.WaitGroup // of what was said
}

// inCluster runs f in a world with so many hubs that know each other.
func inCluster(t *testing.T, hubs int, f func(t *testing.T, c *cluster)) {
	t.Helper()
	c := &cluster{ends: make([]*mem.BusEnd, hubs)}
	configure := func(i int) *hub.Config {
		if c.bus == nil {
			c.bus = &mem.Bus{} // in the bubble
		}
		if c.ends[i] != nil {
			c.ends[i].Close()
		}
		c.ends[i] = c.bus.Join()
		return &hub.Config{
			Cluster: &hub.Cluster{Backplane: c.ends[i]},
			Authorize: func(_ context.Context, r hub.Request) (hub.Grant, error) {
				return hub.Grant{Identity: r.Token, Rights: signal.AllRights()}, nil
			},
		}
	}
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		c.world = w
		time.Sleep(3 * time.Second) // until the hubs have found each other
		f(t, c)
	}, noomtest.WithHubs(hubs), noomtest.WithHubConfig(configure))
}

// A guest is a member of a cluster's room, and what it has been told.
type guest struct {
	noom.Room
	name string
	key  noom.Identity

	mu     sync.Mutex
	events []noom.Event
	over   chan struct{}
}

// enter lets somebody enter by a hub, or the next that runs.
func (c *cluster) enter(i int, name string) *guest {
	c.t.Helper()
	return c.enterAs(i, name, noom.Identity{})
}

func (c *cluster) enterAs(i int, name string, key noom.Identity) *guest {
	c.t.Helper()
	g := &guest{Room: c.joinBy(c.way(i, name), "데모", name, &noom.Config{Identity: key}), name: name, key: key, over: make(chan struct{})}
	go func() {
		defer close(g.over)
		for e := range g.Events(context.Background()) {
			g.mu.Lock()
			g.events = append(g.events, e)
			g.mu.Unlock()
		}
	}()
	return g
}

func (c *cluster) way(i int, name string) noom.Dialer {
	return c.Via(name, signal.DialerFunc(func(ctx context.Context) (noom.Signaler, error) {
		for n := range c.Hubs() {
			if h := c.Hubs()[(i+n)%len(c.Hubs())].Running(); h != nil {
				s, err := mem.Dialer(h).Dial(ctx)
				return s, err
			}
		}
		return nil, errors.New("no hub runs")
	}))
}

// has returns what a member was told, of one kind.
func has[E noom.Event](g *guest) (list []E) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.events {
		if e, ok := e.(E); ok {
			list = append(list, e)
		}
	}
	return list
}

func (g *guest) chats() (texts []string) {
	for _, e := range has[noom.ChatReceived](g) {
		texts = append(texts, e.From.Name+" "+e.Text)
	}
	return texts
}

// owner is the hub that has the only room there is.
func (c *cluster) owner() int {
	c.t.Helper()
	for i, h := range c.Hubs() {
		if h := h.Running(); h != nil && h.Stats().Rooms == 1 {
			return i
		}
	}
	c.t.Fatal("no hub has the room")
	return -1
}

// connectedAll waits until all are connected with each other, and returns all connections.
func (c *cluster) connectedAll(guests ...*guest) map[string]*connection.Conn {
	c.t.Helper()
	all := map[string]*connection.Conn{}
	for range 600 {
		missing := ""
		for _, a := range guests {
			for _, b := range guests {
				if p, ok := a.Peer(b.Self().ID); a != b && (!ok || p.State() != noom.PeerConnected) {
					missing = a.name + " with " + b.name
				} else if a != b {
					all[a.name+" "+b.name] = connectionOf(p)
				}
			}
		}
		if missing == "" {
			return all
		}
		time.Sleep(100 * time.Millisecond)
		if all = map[string]*connection.Conn{}; missing == "" {
			break
		}
	}
	c.t.Fatal("not all are connected")
	return nil
}

// untouched checks that no call was.
func (c *cluster) untouched(before map[string]*connection.Conn, guests ...*guest) {
	c.t.Helper()
	for pair, conn := range c.connectedAll(guests...) {
		if before[pair] != nil && before[pair] != conn {
			c.t.Errorf("%s have another connection", pair)
		}
	}
	for _, g := range guests {
		for _, e := range has[noom.PeerStateChanged](g) {
			if e.State != noom.PeerConnected && e.State != noom.PeerConnecting {
				c.t.Errorf("%s: the connection with %s is %v: %v", g.name, e.Peer.Member().Name, e.State, e.Err)
			}
		}
		for _, e := range has[noom.PeerLeft](g) {
			if slices.ContainsFunc(guests, func(other *guest) bool { return other.Self().ID == e.Member.ID }) {
				c.t.Errorf("%s: %s left, %s", g.name, e.Member.Name, e.Reason)
			}
		}
	}
}

// sayAll lets everybody say something each 200 ms, for that long.
func (c *cluster) sayAll(d time.Duration, guests ...*guest) {
	c.t.Helper()
	for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		for _, g := range guests {
			c.said++
			text := fmt.Sprintf("안녕 %03d", c.said)
			c.confirm.Go(func() {
				if err := g.Chat(c.t.Context(), text); err != nil {
					c.t.Errorf("%s says %s: %v", g.name, text, err)
				}
			})
		}
	}
}

// heardAll checks that everybody has heard once whatever the others have said. Those of away lost their hub meanwhile, and
// what was said until they were back.
func (c *cluster) heardAll(guests []*guest, away ...*guest) {
	c.t.Helper()
	c.confirm.Wait()
	synctest.Wait()
	for _, g := range guests {
		heard := g.chats()
		if want := c.said - c.said/len(guests); len(heard) != want && !slices.Contains(away, g) {
			c.t.Errorf("%s heard %d chats, want %d", g.name, len(heard), want)
		}
		if slices.Sort(heard); len(slices.Compact(slices.Clone(heard))) != len(heard) {
			c.t.Errorf("%s heard something twice: %s", g.name, strings.Join(heard, ", "))
		}
	}
}

// whole checks that all hubs that run have the same members in the room.
func (c *cluster) whole(guests ...*guest) {
	c.t.Helper()
	var want []string
	for _, g := range guests {
		want = append(want, g.Self().ID)
	}
	slices.Sort(want)
	for i, h := range c.Hubs() {
		if h := h.Running(); h != nil {
			var got []string
			for _, m := range h.Members("데모") {
				got = append(got, m.ID)
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				c.t.Errorf("hub %d has %d members, want %d", i, len(got), len(want))
			}
		}
	}
}

// A room is one, whichever hubs its members are connected to.
func TestClusterOneRoom(t *testing.T) {
	inCluster(t, 3, func(t *testing.T, c *cluster) {
		a, b, d := c.enter(0, "지우"), c.enter(1, "bob"), c.enter(2, "다희")
		c.connectedAll(a, b, d)
		c.sayAll(time.Second, a, b, d)
		time.Sleep(time.Second)
		c.heardAll([]*guest{a, b, d})
		c.whole(a, b, d)

		must(t, b.Rename(t.Context(), "민준"))
		must(t, a.Lock(t.Context()))
		synctest.Wait()
		for _, g := range []*guest{a, d} {
			if e := has[noom.PeerRenamed](g); len(e) != 1 || e[0].Peer.Member().Name != "민준" {
				t.Errorf("%s learned of %v", g.name, e)
			}
			if !g.Locked() {
				t.Errorf("%s does not know of the lock", g.name)
			}
		}
		for i := range 3 {
			if _, err := noom.Join(t.Context(), c.way(i, "stranger"), "데모", c.config("stranger", nil)); !errors.Is(err, noom.ErrLocked) {
				t.Errorf("a stranger at hub %d: %v", i, err)
			}
		}
		must(t, d.Unlock(t.Context()))
		must(t, a.Kick(t.Context(), d.Self().ID))
		<-d.over
		if !errors.Is(d.Err(), noom.ErrKicked) {
			t.Errorf("the kicked one: %v", d.Err())
		}
		c.whole(a, b)
	})
}

// A hub dies under a room of four: no call is touched, no chat is lost or doubled, and the room is whole within 2 s, because the
// bus knows that nobody is there.
func TestClusterDeath(t *testing.T) {
	for _, of := range []string{"the owner", "an edge"} {
		t.Run(of, func(t *testing.T) {
			inCluster(t, 3, func(t *testing.T, c *cluster) {
				guests := []*guest{c.enter(0, "지우"), c.enter(1, "bob"), c.enter(2, "다희"), c.enter(0, "carol")}
				before := c.connectedAll(guests...)
				c.sayAll(time.Second, guests...)
				dies := c.owner()
				if of == "an edge" {
					dies = (dies + 1) % 3
				}
				c.Hubs()[dies].Kill()
				began := time.Now()
				c.sayAll(2*time.Second, guests...)
				c.whole(guests...)
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("whole after %v", took)
				}
				c.sayAll(3*time.Second, guests...)
				time.Sleep(3 * time.Second)
				at := [][]*guest{{guests[0], guests[3]}, {guests[1]}, {guests[2]}}
				c.heardAll(guests, at[dies]...)
				c.untouched(before, guests...)
			})
		})
	}
}

// Two hubs that do not hear each other, or of which one does not hear the other, go on alone, and are one again within 5 s
// afterwards: no call is touched, what each said to its own is said to the others then, the room is locked if it was at
// either, and who was kicked at either stays out.
func TestClusterPartition(t *testing.T) {
	cuts := []struct {
		name string
		cut  func(c *cluster, owner, other *mem.BusEnd)
	}{
		{"from the bus", func(_ *cluster, _, other *mem.BusEnd) { other.CutOff() }},
		{"both ways", func(c *cluster, owner, other *mem.BusEnd) { c.bus.Cut(owner, other); c.bus.Cut(other, owner) }},
		{"from the owner", func(c *cluster, owner, other *mem.BusEnd) { c.bus.Cut(owner, other) }},
		{"to the owner", func(c *cluster, owner, other *mem.BusEnd) { c.bus.Cut(other, owner) }},
	}
	for _, cut := range cuts {
		for _, lasts := range []time.Duration{10 * time.Second, time.Minute} {
			t.Run(fmt.Sprint(cut.name, " for ", lasts), func(t *testing.T) {
				inCluster(t, 2, func(t *testing.T, c *cluster) {
					clusterPartition(t, c, func(owner int) { cut.cut(c, c.ends[owner], c.ends[1-owner]) }, lasts)
				})
			})
		}
	}
}

func clusterPartition(t *testing.T, c *cluster, cut func(owner int), lasts time.Duration) {
	t.Helper()
	guests := []*guest{c.enter(0, "지우"), c.enter(1, "bob"), c.enter(0, "다희"), c.enter(1, "carol")}
	outcast := c.enterAs(0, "쫓겨난 손님", noom.NewIdentity())
	before := c.connectedAll(guests...)
	cut(c.owner())
	time.Sleep(7 * time.Second) // until the one that hears the other knows that it is not heard
	for i, n := range []int{3, 2} {
		if got := len(c.Hubs()[i].Running().Members("데모")); got != n {
			t.Errorf("hub %d, alone, has %d members, want %d", i, got, n)
		}
	}
	must(t, guests[0].Chat(t.Context(), "여기"))
	must(t, guests[1].Chat(t.Context(), "here"))
	must(t, guests[1].Lock(t.Context()))
	must(t, guests[0].Kick(t.Context(), outcast.Self().ID))
	time.Sleep(lasts - 7*time.Second)
	c.bus.Heal()
	time.Sleep(5 * time.Second)
	c.whole(guests...)
	for i, g := range guests {
		want := [][]string{{"bob here"}, {"지우 여기"}, {"bob here", "지우 여기"}, {"bob here", "지우 여기"}}[i]
		heard := g.chats()
		if slices.Sort(heard); !slices.Equal(heard, want) {
			t.Errorf("%s heard %q, want %q", g.name, heard, want)
		}
		if !g.Locked() {
			t.Errorf("%s does not know of the lock", g.name)
		}
	}
	if <-outcast.over; !errors.Is(outcast.Err(), noom.ErrKicked) {
		t.Errorf("the kicked one: %v", outcast.Err())
	}
	must(t, guests[0].Unlock(t.Context()))
	for i := range 2 {
		config := c.config("back", &noom.Config{Identity: outcast.key})
		if _, err := noom.Join(t.Context(), c.way(i, "back"), "데모", config); !errors.Is(err, noom.ErrKicked) {
			t.Errorf("the kicked one comes back at hub %d: %v", i, err)
		}
	}
	c.sayAll(time.Second, guests...)
	c.untouched(before, guests...)
}

// Of three hubs two do not hear each other: all three have the same room still, because the third is heard by both.
func TestClusterOneLinkCut(t *testing.T) {
	inCluster(t, 3, func(t *testing.T, c *cluster) {
		guests := []*guest{c.enter(0, "지우"), c.enter(1, "bob"), c.enter(2, "다희")}
		before := c.connectedAll(guests...)
		c.bus.Cut(c.ends[0], c.ends[1])
		c.bus.Cut(c.ends[1], c.ends[0])
		time.Sleep(8 * time.Second)
		if owner := c.owner(); owner != 2 {
			t.Errorf("the room is at hub %d", owner)
		}
		must(t, guests[0].Lock(t.Context()))
		c.sayAll(time.Second, guests...)
		time.Sleep(time.Second)
		c.heardAll(guests)
		for _, g := range guests {
			if !g.Locked() {
				t.Errorf("%s does not know of the lock", g.name)
			}
		}
		c.bus.Heal()
		time.Sleep(4 * time.Second)
		c.whole(guests...)
		c.sayAll(time.Second, guests...)
		time.Sleep(time.Second)
		c.heardAll(guests)
		c.untouched(before, guests...)
	})
}

// Every hub is replaced, one after the other, while everybody talks: the call and the room are the same afterwards, and nobody
// has heard anything twice. Who lost its hub may not have heard what was said until it had another.
func TestClusterRollingRestart(t *testing.T) {
	inCluster(t, 3, func(t *testing.T, c *cluster) {
		guests := []*guest{c.enter(0, "지우"), c.enter(1, "bob"), c.enter(2, "다희")}
		before := c.connectedAll(guests...)
		must(t, guests[0].Lock(t.Context()))
		for _, h := range c.Hubs() {
			h.Shutdown()
			c.sayAll(4*time.Second, guests...)
			c.whole(guests...)
			h.Start()
			c.sayAll(4*time.Second, guests...)
		}
		time.Sleep(time.Second)
		c.heardAll(guests, guests...)
		for _, g := range guests {
			if !g.Locked() {
				t.Errorf("%s does not know of the lock", g.name)
			}
		}
		c.whole(guests...)
		c.untouched(before, guests...)
	})
}

// Who enters again, by another hub, takes the place of the one before, which learns that it was replaced.
func TestClusterReplaced(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, c *cluster) {
		key := noom.NewIdentity()
		other := c.enter(0, "bob")
		first := c.enterAs(0, "지우", key)
		second := c.enterAs(1, "지우 2", key)
		<-first.over
		if !errors.Is(first.Err(), noom.ErrReplaced) {
			t.Errorf("the older one ended with %v", first.Err())
		}
		c.connectedAll(other, second)
		c.whole(other, second)
		third := c.enterAs(0, "지우 3", key)
		<-second.over
		if !errors.Is(second.Err(), noom.ErrReplaced) {
			t.Errorf("the second one ended with %v", second.Err())
		}
		c.connectedAll(other, third)
		c.whole(other, third)
	})
}
