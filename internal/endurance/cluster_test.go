package endurance

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noom/internal/longtest"
)

// A cluster is three servers of NATS, as they are by default, and three hubs that are one over them.
type cluster struct {
	t     *testing.T
	nodes []*natsNode
	hubs  []*process
	at    []string // their addresses
}

// A natsNode is a server of NATS.
type natsNode struct {
	*process

	args []string
	url  string
}

const (
	clusterNodes = 3 // servers of NATS
	clusterRoom  = "데모"
	sayOften     = 200 * time.Millisecond
	sayRarely    = 2 * time.Second // hubs keep the last 16 chats of a room for those that have not heard them
)

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, hubs: make([]*process, 3), at: make([]string, 3)}
	c.startNodes()
	for i := range c.hubs {
		c.at[i] = "127.0.0.1:0"
		c.startHub(i)
	}
	c.awaitHubs(3)
	return c
}

// startNodes starts servers of NATS that know each other.
func (c *cluster) startNodes() {
	c.t.Helper()
	program := filepath.Join(c.t.TempDir(), "nats-server")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	ports := freePorts(c.t)
	var routes []string
	for _, port := range ports[clusterNodes:] {
		routes = append(routes, "nats://127.0.0.1:"+port)
	}
	for i, port := range ports[:clusterNodes] {
		c.nodes = append(c.nodes, &natsNode{url: "nats://127.0.0.1:" + port, args: []string{
			program, "-a", "127.0.0.1", "-p", port, "-n", fmt.Sprint("node", i), "--cluster_name", "noom", "--cluster", routes[i], "--routes", strings.Join(routes, ","),
		}})
		c.startNode(i)
	}
}

// startNode starts a server of NATS, and waits until it listens.
func (c *cluster) startNode(i int) {
	c.t.Helper()
	n := c.nodes[i]
	n.process = startProgram(c.t, fmt.Sprint("NATS node ", i), exec.Command(n.args[0], n.args[1:]...))
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "nats://"))
		if err == nil {
			_ = conn.Close() // it has answered
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// freePorts returns ports on which nobody listens, two for each server of NATS.
func freePorts(t *testing.T) []string {
	t.Helper()
	ports := make([]string, 2*clusterNodes)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }() // all at once, so that none is given twice
		_, ports[i], _ = net.SplitHostPort(l.Addr().String())
	}
	return ports
}

// startHub starts a hub, or its successor.
func (c *cluster) startHub(i int) {
	c.t.Helper()
	var urls []string
	for n := range c.nodes { // each hub begins with another
		urls = append(urls, c.nodes[(i+n)%len(c.nodes)].url)
	}
	c.hubs[i] = startPart(c.t, part{Role: "hub", Name: fmt.Sprint("hub ", i), Listen: c.at[i], NATS: urls})
	c.at[i] = c.hubs[i].awaitEvent("listening").Text
}

// from returns the URLs of the hubs, that one first.
func (c *cluster) from(i int) []string {
	var urls []string
	for n := range c.at {
		urls = append(urls, "ws://"+c.at[(i+n)%len(c.at)])
	}
	return urls
}

// four are four members that are connected and say something so often. Two are at the first hub, and each goes to the next
// ones if it loses its own.
func (c *cluster) four(sayEvery time.Duration) []*process {
	c.t.Helper()
	var members []*process
	for i, name := range []string{"지우", "민준", "alice", "bob"} {
		members = append(members, startPart(c.t, part{Role: "member", URLs: c.from(i % 3), Room: clusterRoom, Name: name, Loopback: true, SayEvery: sayEvery}))
	}
	for _, m := range members {
		m.awaitConnected(len(members) - 1)
	}
	return members
}

// ask asks a hub about the room.
func (c *cluster) ask(i int) *hubNews {
	c.t.Helper()
	c.hubs[i].order(clusterRoom)
	return c.hubs[i].awaitEvent("report").Hub
}

// awaitHubs waits until all hubs that run hear so many.
func (c *cluster) awaitHubs(n int) {
	c.t.Helper()
	c.until(fmt.Sprint("all hear ", n, " hubs"), func() string {
		for i, h := range c.hubs {
			if h == nil {
				continue
			}
			if about := c.ask(i); about.Hubs != n {
				return fmt.Sprintf("hub %d hears %d", i, about.Hubs)
			}
		}
		return ""
	})
}

// until waits until there is nothing to complain of.
func (c *cluster) until(what string, complaint func() string) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		why := complaint()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("not within %v: %s: %s", patience, what, why)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// whole waits until everybody has heard of everybody what was said after that time, and all hubs that run have the same
// members. It returns how long after it that was, and checks that nobody's call was disturbed.
func (c *cluster) whole(since time.Time, members []*process) time.Duration {
	c.t.Helper()
	c.hearing(since, members)
	c.agreed(len(members))
	return time.Since(since)
}

// agreed waits until all hubs that run have so many members.
func (c *cluster) agreed(members int) {
	c.t.Helper()
	c.until("all hubs have the same members", func() string {
		for i, h := range c.hubs {
			if h == nil {
				continue
			}
			if got := c.ask(i).Members; len(got) != members {
				return fmt.Sprintf("hub %d has %d", i, len(got))
			}
		}
		return ""
	})
}

// hearing waits until each of them has heard of each of them what was said after that time.
func (c *cluster) hearing(since time.Time, members []*process) {
	c.t.Helper()
	c.until("everybody hears everybody", func() string {
		for _, m := range members {
			heard := c.reportOf(m).Chat.Heard
			for _, other := range members {
				if h := heard[other.name]; m != other && !h.SaidAt.After(since) {
					return m.name + " hears nothing of " + other.name
				}
			}
		}
		return ""
	})
}

// reportOf returns a member's report, and checks that its calls were not disturbed.
func (c *cluster) reportOf(m *process) news {
	c.t.Helper()
	m.order("report")
	seen := m.await("report", func(n news) bool { return n.Event == "report" })
	checkUndisturbed(c.t, m, seen)
	return seen[len(seen)-1]
}

// checkAllHeard makes all members stop, and checks that each message and each chat has come, once. Chats that were said
// to a member while it had no hub it need not have heard. It returns how many were said in all, and how often somebody
// has missed one.
func (c *cluster) checkAllHeard(members []*process) (messages, chats uint64, missed int) {
	c.t.Helper()
	messages = checkAllArrived(c.t, members)
	c.until("every chat is heard", func() string {
		chats, missed = 0, 0
		said := map[string]uint64{}
		heard := map[string]map[string]heardNews{}
		for _, m := range members {
			r := c.reportOf(m).Chat
			said[m.name], heard[m.name] = r.Said, r.Heard
			chats += r.Said
		}
		for _, m := range members {
			for _, other := range members {
				h := heard[m.name][other.name]
				missed += h.Missed
				if m != other && (h.Newest != said[other.name] || h.Lost > 0) {
					return fmt.Sprintf("%s has heard of %s up to %d of %d, and not %d of these", m.name, other.name, h.Newest, said[other.name], h.Lost)
				}
			}
		}
		return ""
	})
	return messages, chats, missed
}

// TestOneOfThreeHubsKilled kills one of three hubs that are one with signal 9, again and again, with a room of four at
// them. Each time no call is disturbed, and the room is whole again by the two others.
func TestOneOfThreeHubsKilled(t *testing.T) {
	longtest.Only(t)
	c := newCluster(t)
	members := c.four(sayOften)
	var took, owned, other []time.Duration // of all, of the hub that had the room, of one that had not
	for k := range *hubKills {
		dies := rand.IntN(3)
		owner := c.ask(dies).Owned > 0
		c.hubs[dies].kill()
		c.hubs[dies] = nil
		killed := time.Now()
		if k%3 == 1 { // its successor comes before the others know that it has died
			c.startHub(dies)
		}
		d := c.whole(killed, members)
		if took = append(took, d); owner {
			owned = append(owned, d)
		} else {
			other = append(other, d)
		}
		if t.Failed() {
			return
		}
		if c.hubs[dies] == nil {
			c.startHub(dies)
		}
		c.awaitHubs(3)
	}
	messages, chats, missed := c.checkAllHeard(members)
	t.Logf("%d kills: the room was whole %s after the kill; %d of the hub that had it, %s; %d of another, %s; "+
		"%d messages and %d chats, none lost, none twice; %d times somebody without a hub missed one",
		*hubKills, quantiles(took), len(owned), quantiles(owned), len(other), quantiles(other), messages, chats, missed)
}

// quantiles says how long something took, of several times.
func quantiles(took []time.Duration) string {
	if len(took) == 0 {
		return "never"
	}
	slices.Sort(took)
	return fmt.Sprintf("p50 %v, p99 %v, at most %v", quantile(took, 50), quantile(took, 99), took[len(took)-1])
}

// TestNATSNodesKilled kills each of three servers of NATS with signal 9. Nobody loses a hub, and chats and joins wait for
// as long as a hub takes to find another server.
func TestNATSNodesKilled(t *testing.T) {
	longtest.Only(t)
	c := newCluster(t)
	members := c.four(sayOften)
	c.whole(time.Now(), members)
	var joins []time.Duration
	for i := range c.nodes {
		c.nodes[i].kill()
		killed := time.Now()
		var guests []*process
		for h := range c.hubs {
			guests = append(guests, startPart(t, part{Role: "member", URLs: c.from(h), Room: fmt.Sprint("방 ", i), Name: fmt.Sprint("손님 ", h), Loopback: true}))
		}
		for _, g := range guests {
			joins = append(joins, g.awaitEvent("joined").At.Sub(killed))
		}
		for _, g := range guests {
			g.awaitConnected(len(guests) - 1)
			g.kill()
		}
		c.whole(time.Now(), members)
		c.startNode(i)
	}
	silence := c.longestSilence(members)
	messages, chats, missed := c.checkAllHeard(members)
	if missed > 0 {
		t.Errorf("%d chats were missed", missed)
	}
	t.Logf("3 kills: joins waited %s, chats at most %v; %d messages and %d chats, none lost, none twice", quantiles(joins), silence, messages, chats)
}

// longestSilence is the longest that somebody heard nothing of somebody else.
func (c *cluster) longestSilence(members []*process) (longest time.Duration) {
	c.t.Helper()
	for _, m := range members {
		for _, h := range c.reportOf(m).Chat.Heard {
			longest = max(longest, h.Silence)
		}
	}
	return longest
}

// TestNATSGone kills all servers of NATS: each hub goes on alone, and when they are back the hubs are one, with all that was
// said meanwhile.
func TestNATSGone(t *testing.T) {
	longtest.Only(t)
	t.Parallel() // it waits more than it works
	c := newCluster(t)
	members := c.four(sayRarely)
	for i := range c.nodes {
		c.nodes[i].kill()
	}
	c.awaitHubs(1)
	for i, n := range []int{2, 1, 1} {
		if got := len(c.ask(i).Members); got != n {
			t.Errorf("hub %d, alone, has %d members, want %d", i, got, n)
		}
	}
	c.hearing(time.Now(), []*process{members[0], members[3]}) // who are at one hub
	back := time.Now()
	for i := range c.nodes {
		c.startNode(i)
	}
	c.agreed(len(members))
	whole := time.Since(back)
	c.whole(back, members)
	messages, chats, missed := c.checkAllHeard(members)
	if missed > 0 {
		t.Errorf("%d chats were missed", missed)
	}
	t.Logf("the room was whole %v after NATS was started again; %d messages and %d chats, none lost, none twice", whole, messages, chats)
}

// TestHubStopped stops the process of a hub for five seconds, as a machine that swaps does: the hub that has the room,
// and another. The others do not wait for it, and it takes its part again by itself.
func TestHubStopped(t *testing.T) {
	longtest.Only(t)
	for _, owner := range []bool{true, false} {
		t.Run(map[bool]string{true: "the owner", false: "another"}[owner], func(t *testing.T) {
			t.Parallel() // it waits more than it works
			c := newCluster(t)
			members := c.four(sayRarely)
			stopped := slices.IndexFunc([]int{0, 1, 2}, func(i int) bool { return c.ask(i).Owned > 0 == owner })
			h := c.hubs[stopped]
			h.signal("STOP")
			began := time.Now()
			c.hubs[stopped] = nil
			others := slices.Clone(members)
			for i := range slices.Backward(members) {
				if i%3 == stopped {
					others = slices.Delete(others, i, i+1)
				}
			}
			c.hearing(began, others)
			without := time.Since(began)
			<-time.After(time.Until(began.Add(5 * time.Second)))
			h.signal("CONT")
			c.hubs[stopped] = h
			back := time.Now()
			c.agreed(len(members))
			whole := time.Since(back)
			c.whole(back, members)
			messages, chats, missed := c.checkAllHeard(members)
			t.Logf("the others heard each other after %v; the room was whole %v after the hub went on; "+
				"%d messages and %d chats, none lost, none twice; %d times somebody without a hub missed one", without, whole, messages, chats, missed)
		})
	}
}

// TestHubsReplaced restarts each of three hubs in order, while four members talk.
func TestHubsReplaced(t *testing.T) {
	longtest.Only(t)
	t.Parallel() // it waits more than it works
	c := newCluster(t)
	members := c.four(sayOften)
	var downs, wholes []time.Duration
	for i := range c.hubs {
		h := c.hubs[i]
		began := time.Now()
		h.finish()
		downs = append(downs, time.Since(began))
		c.hubs[i] = nil
		wholes = append(wholes, c.whole(began, members))
		c.startHub(i)
		c.awaitHubs(3)
	}
	silence := c.longestSilence(members)
	messages, chats, missed := c.checkAllHeard(members)
	t.Logf("3 restarts: a hub was down after %s, the room whole after %s; nobody heard nothing of another for more than %v; "+
		"%d messages and %d chats, none lost, none twice; %d times somebody without a hub missed one",
		quantiles(downs), quantiles(wholes), silence, messages, chats, missed)
}
