package endurance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// process is a program that a test has started.
type process struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	input io.WriteCloser
	news  chan news
	ended chan struct{}
}

// startPart runs this binary in a part until the test ends. before is the command that runs
// it, such as "ip netns exec …".
func startPart(t *testing.T, p part, before ...string) *process {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(before, self)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), partVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	name := p.Name
	if name == "" {
		name = p.Role
	}
	return startProgram(t, name, cmd)
}

// startProgram starts a program that writes news.
func startProgram(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &process{t: t, name: name, cmd: cmd, input: input, news: make(chan news, 4096), ended: make(chan struct{})}
	go c.read(output)
	t.Cleanup(c.kill)
	return c
}

func (c *process) read(output io.Reader) {
	defer close(c.ended)
	defer close(c.news)
	for lines := bufio.NewScanner(output); lines.Scan(); {
		var n news
		if err := json.Unmarshal(lines.Bytes(), &n); err != nil {
			c.t.Errorf("%s printed %q", c.name, lines.Text())
			continue
		}
		if n.Event == "broken" {
			c.t.Errorf("%s: %s", c.name, n.Text)
		}
		c.news <- n
	}
}

// kill ends the process with signal 9, and waits.
func (c *process) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	c.drain()
	_ = c.cmd.Wait() // the error says that it was killed
}

// signal sends the process a signal, such as STOP.
func (c *process) signal(name string) {
	c.t.Helper()
	if out, err := exec.Command("kill", "-"+name, strconv.Itoa(c.cmd.Process.Pid)).CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v: %s", c.name, err, out)
	}
}

// finish lets the process end in order, and waits.
func (c *process) finish() {
	c.t.Helper()
	_ = c.input.Close() // it ends for that
	c.drain()
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("%s: %v", c.name, err)
	}
}

// drain takes all news, so that the reader ends.
func (c *process) drain() {
	for {
		select {
		case <-c.news:
		case <-c.ended:
			return
		}
	}
}

func (c *process) order(what string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.input, what); err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
}

// patience is how long a process may take for something that takes it a moment.
const patience = 30 * time.Second

// await takes news until one is wanted, and returns all that it took.
func (c *process) await(what string, wanted func(news) bool) []news {
	c.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	var taken []news
	for {
		select {
		case n, more := <-c.news:
			if !more {
				c.t.Fatalf("%s ended before: %s", c.name, what)
			}
			taken = append(taken, n)
			if wanted(n) {
				return taken
			}
		case <-timeout.C:
			c.t.Fatalf("%s: not within %v: %s; news:\n%s", c.name, patience, what, listNews(taken))
		}
	}
}

func (c *process) awaitEvent(event string) news {
	c.t.Helper()
	taken := c.await(event, func(n news) bool { return n.Event == event })
	return taken[len(taken)-1]
}

// awaitConnected takes news until n peers are connected.
func (c *process) awaitConnected(n int) {
	c.t.Helper()
	up := map[string]bool{}
	c.await(fmt.Sprint(n, " peers connected"), func(x news) bool {
		switch x.Event {
		case "connected":
			up[x.Text] = true
		case "interrupted", "failed", "closed":
			delete(up, x.Text)
		}
		return len(up) == n
	})
}

// report asks for the tallies.
func (c *process) report() (pairs map[string]tally, before []news) {
	c.t.Helper()
	c.order("report")
	taken := c.await("report", func(n news) bool { return n.Event == "report" })
	return taken[len(taken)-1].Pairs, taken[:len(taken)-1]
}

func listNews(all []news) string {
	var b strings.Builder
	for _, n := range all {
		fmt.Fprintf(&b, "  %s %s %s\n", n.At.Format("15:04:05.000"), n.Event, n.Text)
	}
	return b.String()
}
