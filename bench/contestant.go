package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A contestant is a server that is measured, or whose members are.
type contestant struct {
	name    string
	what    string // for the table's legend; empty: it is there for its members
	members string // the same of its members; empty: it has none of its own
	joins   string // the same of a newcomer; empty: joins are not measured
	hubs    string // the same of hubs that are one; empty: it is none
	livekit bool   // its server and members are LiveKit's
	node    string // its script; empty: this program with -serve
	dialect dialect
}

var contestants = []contestant{
	{name: "noom", what: "noom's hub over transport/ws", members: "noom's members", joins: "noom over transport/ws", hubs: "one hub alone", dialect: noomDialect{}},
	{name: "noom-http", what: "noom's hub over transport/http", dialect: httpDialect{}},
	{name: "socket.io", what: "socket.io with the seed's protocol", node: "seed.js", dialect: socketDialect{}},
	{name: "peerjs", what: "the PeerJS server", node: "peer.js", dialect: peerDialect{}},
	{name: "coder", what: "a bare relay on coder/websocket", dialect: bareDialect{}},
	{name: "gobwas", what: "a bare relay on gobwas/ws", dialect: bareDialect{}},
	{name: "pion", members: "pion/webrtc, the seed's way", joins: "pion/webrtc, the seed's way"},
	{name: "pion-data", members: "the same with a data channel"},
	{name: "livekit", joins: "LiveKit and its Go SDK", livekit: true},
	{name: "noom-1", hubs: "one hub with a server of NATS", dialect: hubsDialect{hubs: 1}},
	{name: "noom-2", hubs: "two hubs that are one over NATS, in one process with it", dialect: hubsDialect{hubs: 2}},
	{name: "noom-3", hubs: "three of these", dialect: hubsDialect{hubs: 3}},
	{name: liveKitSingle, joins: "the same with one connection, tracks in the join", livekit: true},
}

func names() (list []string) {
	for _, c := range contestants {
		list = append(list, c.name)
	}
	return list
}

func choose(list string) ([]contestant, error) {
	if list == "" {
		return contestants, nil
	}
	var chosen []contestant
	for name := range strings.SplitSeq(list, ",") {
		at := slices.IndexFunc(contestants, func(c contestant) bool { return c.name == name })
		if at < 0 {
			return nil, fmt.Errorf("no server %q; there are %s", name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, contestants[at])
	}
	return chosen, nil
}

// A server is a contestant that runs, in a process of its own, on one core.
type server struct {
	contestant

	addr    string
	process *exec.Cmd
	stdin   io.Closer // the server ends when it is closed
	profile string    // where its members write theirs; empty: nowhere
}

// startTimeout is how long a server may take to listen.
const startTimeout = 20 * time.Second

// start runs a contestant on the servers' core.
func start(c contestant, env ...string) (*server, error) {
	command := []string{"-c", serverCore}
	if c.node != "" {
		dir, err := nodeDir()
		if err != nil {
			return nil, err
		}
		command = append(command, "node", "--expose-gc", filepath.Join(dir, c.node))
	} else {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		command = append(command, self, "-serve", c.name)
	}
	process := exec.Command("taskset", command...)
	process.Env = append(append(os.Environ(), "GOMAXPROCS=1"), env...)
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err = process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	late := time.AfterFunc(startTimeout, func() { _ = process.Process.Kill() })
	defer late.Stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = stdin.Close()
		_ = process.Wait()
		return nil, fmt.Errorf("%s did not come up: %w", c.name, err)
	}
	return &server{contestant: c, addr: strings.TrimSpace(line), process: process, stdin: stdin}, nil
}

// stop ends the server, gently first.
func (s *server) stop() {
	_ = s.stdin.Close()
	hard := time.AfterFunc(3*time.Second, func() { _ = s.process.Process.Kill() })
	_ = s.process.Wait() // how it ended does not matter
	hard.Stop()
}

// collect has the server collect its garbage and give memory back.
func (s *server) collect() {
	_ = s.process.Process.Signal(syscall.SIGUSR2)
}

// nodeDir is where the servers in Node are.
func nodeDir() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(file), "node")
	if _, err := os.Stat(dir); !ok || err != nil {
		return "", errors.New("run it from its source, with go run, so that it finds bench/node")
	}
	return dir, nil
}

// installNode fetches what the servers in Node need, as package-lock.json pins it.
func installNode() error {
	dir, err := nodeDir()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--silent")
	npm.Dir, npm.Stderr = dir, os.Stderr
	if err := npm.Run(); err != nil {
		return fmt.Errorf("npm ci in %s (Debian packages nodejs and npm): %w", dir, err)
	}
	return nil
}
