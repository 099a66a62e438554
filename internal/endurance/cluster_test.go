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

const clusterRoom = "데모"

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, hubs: make([]*process, 3), at: make([]string, 3)}
	c.startNodes(3)
	for i := range c.hubs {
		c.at[i] = "127.0.0.1:0"
		c.startHub(i)
	}
	c.awaitHubs(3)
	return c
}

// startNodes starts servers of NATS that know each other.
func (c *cluster) startNodes(n int) {
	c.t.Helper()
	program := filepath.Join(c.t.TempDir(), "nats-server")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	ports := freePorts(c.t, 2*n)
	var routes []string
	for _, port := range ports[n:] {
		routes = append(routes, "nats://127.0.0.1:"+port)
	}
	for i, port := range ports[:n] {
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

// freePorts returns ports on which nobody listens.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	ports := make([]string, n)
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

// join lets a member in whose hub is that one, and the next ones if that is lost.
func (c *cluster) join(i int, name string) *process {
	c.t.Helper()
	var urls []string
	for n := range c.at {
		urls = append(urls, "ws://"+c.at[(i+n)%len(c.at)])
	}
	return startPart(c.t, part{Role: "member", URLs: urls, Room: clusterRoom, Name: name, Loopback: true, Chats: true})
}

// four are four members that are connected, of which two are at the first hub.
func (c *cluster) four() []*process {
	c.t.Helper()
	var members []*process
	for i, name := range []string{"지우", "민준", "alice", "bob"} {
		members = append(members, c.join(i%3, name))
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
	c.until("all hubs have the same members", func() string {
		for i, h := range c.hubs {
			if h == nil {
				continue
			}
			if got := c.ask(i).Members; len(got) != len(members) {
				return fmt.Sprintf("hub %d has %d", i, len(got))
			}
		}
		return ""
	})
	return time.Since(since)
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
	members := c.four()
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
