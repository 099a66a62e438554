// Package bottest runs example bots against a hub on the loopback interface.
package bottest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/signal/hub"
	"noom/transport/mem"
	"noom/transport/ws"
)

// Room is the room of all tests.
const Room = "데모"

// Stage is a hub with bots and people.
type Stage struct {
	t   *testing.T
	url string
}

// New opens a hub, which goes with the test.
func New(t *testing.T) *Stage {
	t.Helper()
	server := httptest.NewServer(ws.Handler(hub.New(nil), nil))
	t.Cleanup(server.Close)
	return &Stage{t, "ws" + strings.TrimPrefix(server.URL, "http")}
}

// Output is what a bot has printed.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes what the bot prints.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String returns what it has printed so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Program is what a bot's main calls.
type Program func(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error

// Start runs a bot. Stop interrupts it, waits for its end and checks that it
// was a good one; the end of the test does so too.
func (s *Stage) Start(run Program, args ...string) (out *Output, stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out = &Output{}
	done := make(chan error, 1)
	go func() { done <- run(ctx, Flags(), s.args(args), out) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) { // that of a program
			s.t.Errorf("the bot ended with %v\n%s", err, out)
		}
	})
	s.t.Cleanup(stop)
	return out, stop
}

// Run runs a bot that ends by itself and returns its error.
func (s *Stage) Run(run Program, args ...string) error {
	return run(s.t.Context(), Flags(), s.args(args), io.Discard)
}

// Flags returns the empty set of flags of a bot.
func Flags() *flag.FlagSet {
	flags := flag.NewFlagSet("bot", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

func (s *Stage) args(more []string) []string {
	return append([]string{"-url", s.url, "-room", Room}, more...)
}

// Join joins a member, which leaves when the test ends.
func (s *Stage) Join(name string, tracks ...noom.LocalTrack) noom.Room {
	s.t.Helper()
	return join(s.t, ws.Dialer{URL: s.url}, Room, name, tracks...)
}

// JoinHub joins a member to a room of a hub in this process. It leaves when the test ends.
func JoinHub(t *testing.T, h *hub.Hub, room, name string) noom.Room {
	t.Helper()
	return join(t, mem.Dialer(h), room, name)
}

func join(t *testing.T, d noom.Dialer, name, member string, tracks ...noom.LocalTrack) noom.Room {
	t.Helper()
	room, err := noom.Join(t.Context(), d, name, &noom.Config{
		Name: member, Tracks: tracks, Settings: func(e *webrtc.SettingEngine) { e.SetIncludeLoopbackCandidate(true) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { room.Leave(context.Background()) })
	return room
}

// patience is how long anything may take that should come at once.
const patience = 2 * time.Minute

// Await takes a room's events until one is an E that ok accepts.
func Await[E noom.Event](t *testing.T, room noom.Room, ok func(E) bool) E {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for event := range room.Events(ctx) {
		if e, is := event.(E); is && ok(e) {
			return e
		}
	}
	var e E
	t.Fatalf("%T did not come within %v", e, patience)
	return e
}

// Until waits until something outside the rooms is so.
func Until(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to that within %v", patience)
		}
	}
}
