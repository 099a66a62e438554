package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

const (
	liveKitSingle  = "livekit-single" // the contestant whose joiner saves round trips
	liveKitServer  = "github.com/livekit/livekit-server/cmd/server@v1.11.0"
	liveKitTimeout = 30 * time.Minute // for two slow cores that have nothing cached
)

// A livekit is LiveKit's server, and members with its SDK (the module in the folder livekit), in a folder that is removed
// in the end. What Go's build cache keeps is not built again.
type livekit struct {
	dir    string
	secret string
}

func anyUsesLiveKit(list []contestant) bool {
	return slices.ContainsFunc(list, func(c contestant) bool { return c.livekit })
}

// buildLiveKit fetches and builds both.
func buildLiveKit(ctx context.Context) (*livekit, error) {
	_, file, _, ok := runtime.Caller(0)
	source := filepath.Join(filepath.Dir(file), "livekit")
	if _, err := os.Stat(source); !ok || err != nil {
		return nil, errors.New("run it from its source, with go run, so that it finds bench/livekit")
	}
	dir, err := os.MkdirTemp("", "noom-bench-livekit-")
	if err != nil {
		return nil, err
	}
	l := &livekit{dir: dir, secret: rand.Text() + rand.Text()} // 32 characters at least
	ctx, cancel := context.WithTimeout(ctx, liveKitTimeout)
	defer cancel()
	for _, command := range [][]string{
		{"go", "install", liveKitServer},
		{"go", "build", "-C", source, "-o", filepath.Join(dir, "members"), "."},
	} {
		fmt.Fprintln(os.Stderr, "join: building LiveKit, which takes minutes the first time:", command[1:])
		build := onBothCores(ctx, command...)
		build.Env = append(build.Env, "GOBIN="+dir)
		if err := build.Run(); err != nil {
			l.remove()
			return nil, fmt.Errorf("%v: %w", command, err)
		}
	}
	return l, nil
}

func (l *livekit) remove() {
	if err := os.RemoveAll(l.dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// commands are those for a server at addr, which is as it comes but that it logs errors alone.
func (l *livekit) commands(c contestant, addr netip.Addr) joinCommands {
	config := fmt.Sprintf("bind_addresses: [%[1]s]\nkeys: {bench: %s}\nrtc: {node_ip: %[1]s}\nlogging: {level: error}\n", addr, l.secret)
	members, server := filepath.Join(l.dir, "members"), netip.AddrPortFrom(addr, 7880).String() // LiveKit's own port
	joiner := []string{members}
	if c.name == liveKitSingle {
		joiner = append(joiner, "-single")
	}
	return joinCommands{
		server:   []string{filepath.Join(l.dir, "server"), "--config-body", config},
		resident: []string{members, "resident", server, l.secret},
		joiner:   append(joiner, "joiner", server, l.secret),
	}
}
