package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"noom/internal/longtest"
	"noom/signal/hub"
	"noom/transport/nats"
	"noom/transport/nats/embed"
)

const natsPassword = "clients"

// listening starts a NATS server for clients, and returns where.
func listening(t *testing.T, address string) (*embed.Server, string) {
	t.Helper()
	s, err := embed.Start(embed.Options{Listen: address, Password: natsPassword})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	u, err := url.Parse(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	return s, u.Host
}

// busTo is a bus to the server at an address, whether that is there or not.
func busTo(t *testing.T, address string) *nats.Bus {
	t.Helper()
	bus, err := nats.Dial(nats.Options{URLs: []string{"nats://noom:" + natsPassword + "@" + address}, Optional: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	return bus
}

// A narrow link carries so many bytes a second in each direction, and holds little that it does not carry yet.
type narrow struct {
	net.Listener

	to      string
	rate    atomic.Int64
	running sync.WaitGroup
}

const (
	narrowPiece = 256 // bytes that go at once
	unlimited   = 0
)

func newNarrow(t *testing.T, to string, rate int64) *narrow {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &narrow{Listener: l, to: to}
	n.rate.Store(rate)
	n.running.Go(n.accept)
	t.Cleanup(func() {
		_ = l.Close()
		n.rate.Store(unlimited)
		n.running.Wait() // the buses are closed
	})
	return n
}

func (n *narrow) accept() {
	for {
		in, err := n.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", n.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		for _, c := range []net.Conn{in, out} {
			_ = c.(*net.TCPConn).SetReadBuffer(4096)
			_ = c.(*net.TCPConn).SetWriteBuffer(4096)
		}
		n.running.Go(func() { n.carry(in, out) })
		n.running.Go(func() { n.carry(out, in) })
	}
}

func (n *narrow) carry(from, to net.Conn) {
	defer func() { _ = from.Close(); _ = to.Close() }()
	for {
		m, err := io.CopyN(to, from, narrowPiece)
		if err != nil {
			return
		}
		for left := time.Duration(m) * time.Second; left > 0; { // it may get wider meanwhile
			rate := time.Duration(n.rate.Load())
			if rate == unlimited {
				break
			}
			wait := min(left/rate, 10*time.Millisecond)
			time.Sleep(wait)
			left -= wait*rate + 1
		}
	}
}

// fourWalkers are in one room, two at each hub.
func fourWalkers(t *testing.T, g *fleet) []*walker {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var all []*walker
	for i := range 4 {
		all = append(all, g.walk(ctx, i%2, "데모", fmt.Sprint("손님 ", i)))
	}
	return all
}

// sayUntilHeard lets each of them say something else, with an id that begins with a word, until each has been heard by the others.
func sayUntilHeard(t *testing.T, what string, all ...*walker) {
	t.Helper()
	n := 0
	waitFor(t, what+": all hear all", func() bool {
		n++
		id := fmt.Sprint(what, n)
		for _, w := range all {
			w.say(id)
		}
		time.Sleep(500 * time.Millisecond) // a loop asks again
		return !slices.ContainsFunc(all, func(w *walker) bool {
			return slices.ContainsFunc(all, func(from *walker) bool { return w.heard(from, id) == 0 })
		})
	})
}

// checkOnce checks that nobody has heard a chat twice.
func checkOnce(t *testing.T, all []*walker) {
	t.Helper()
	for _, w := range all {
		w.mu.Lock()
		for chat, times := range w.chats {
			if times > 1 {
				t.Errorf("%s has heard %s %d times", w.name, chat, times)
			}
		}
		w.mu.Unlock()
	}
}

// TestSlowLinkOverNATS: over a link that is slow two hubs are one. If it is so slow that what they say does not come in time, each
// goes on with its own members and counts what it could not send, and they are one again when it is faster, with what was said
// meanwhile.
func TestSlowLinkOverNATS(t *testing.T) {
	longtest.Only(t)
	server, address := listening(t, "127.0.0.1:0")
	near, err := server.Dial(nats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(near.Close)
	link := newNarrow(t, address, 50_000)
	far := busTo(t, link.Addr().String())
	waitFor(t, "the far bus is connected", far.Connected)
	g := &fleet{t: t}
	g.open(near, false)
	g.open(far, false)
	g.awaitHubs(2)
	all := fourWalkers(t, g)
	sayUntilHeard(t, "slow", all...)

	link.rate.Store(100)
	g.awaitHubs(1)
	sayUntilHeard(t, "near", all[0], all[2])
	sayUntilHeard(t, "far", all[1], all[3])
	waitFor(t, "what was not sent is counted", func() bool {
		return far.Dropped()+g.hubs[1].Stats().Cluster.Lost > 0
	})

	link.rate.Store(unlimited)
	g.awaitHubs(2)
	sayUntilHeard(t, "together", all...)
	checkOnce(t, all)
	for _, w := range all {
		for _, apart := range []string{"near1", "far1"} {
			for _, from := range all {
				if from.heard(from, apart) == 1 && w.heard(from, apart) == 0 {
					t.Errorf("%s has not heard %q of %s", w.name, apart, from.name)
				}
			}
		}
	}
}

// TestNATSComesAndGoes: without NATS a hub does not begin, unless it may; then it is alone until NATS is there, and again while
// NATS is gone. Its members stay.
func TestNATSComesAndGoes(t *testing.T) {
	t.Parallel() // it waits more than it works
	gone, address := listening(t, "127.0.0.1:0")
	gone.Close()
	if h, err := hub.Open(&hub.Config{Cluster: &hub.Cluster{Backplane: busTo(t, address)}}); !errors.Is(err, hub.ErrBackplane) || !errors.Is(err, nats.ErrCutOff) {
		t.Fatalf("%v, %v", h, err)
	}
	g := &fleet{t: t}
	for range 2 {
		g.open(busTo(t, address), true)
	}
	all := fourWalkers(t, g)
	alone := func(what string) {
		t.Helper()
		g.awaitHubs(1)
		for i := range g.hubs {
			sayUntilHeard(t, fmt.Sprint(what, "-", i, "-"), all[i], all[i+2])
		}
	}
	alone("before")
	server, _ := listening(t, address)
	g.awaitHubs(2)
	sayUntilHeard(t, "with", all...)
	server.Close()
	alone("without")
	listening(t, address)
	g.awaitHubs(2)
	sayUntilHeard(t, "back", all...)
	checkOnce(t, all)
	for _, w := range all {
		w.mu.Lock()
		if len(w.ends) > 0 {
			t.Errorf("%s lost its connections: %q", w.name, w.ends)
		}
		w.mu.Unlock()
	}
}
