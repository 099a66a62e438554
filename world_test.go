package noom

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/transport/v5/vnet"
	"github.com/pion/webrtc/v4"

	"noom/internal/connection"
	"noom/signal/hub"
	"noom/transport/mem"
)

// world is a virtual network with a hub: every member gets a host of its own,
// and time is the synctest bubble's.
type world struct {
	t      *testing.T
	router *vnet.Router
	mu     sync.Mutex
	hub    *hub.Hub
	dialer Dialer
	hosts  int
	rooms  []Room
}

// inWorld runs f in a bubble and then leaves the rooms that f has joined.
func inWorld(t *testing.T, delay time.Duration, f func(t *testing.T, w *world)) {
	t.Helper()
	// No event of a test may fall on the instant at which a packet arrives:
	// pion's SCTPTransport.Stop holds a mutex over a timer of 200 ms if the
	// other end's ABORT comes at that very instant, and a goroutine that waits for a
	// mutex stops virtual time for good.
	delay += 137 * time.Microsecond
	synctest.Test(t, func(t *testing.T) {
		router, err := vnet.NewRouter(&vnet.RouterConfig{
			CIDR: "10.0.0.0/16", MinDelay: delay, QueueSize: 4096, LoggerFactory: logging.NewDefaultLoggerFactory(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := router.Start(); err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, router: router, hub: hub.New(nil)}
		w.dialer = mem.Dialer(w.hub)
		defer func() { // also when f fails: nothing may outlive the bubble
			for _, r := range w.rooms {
				_ = r.Leave(context.Background())
			}
			_ = w.hub.Shutdown(context.Background())
			if err := router.Stop(); err != nil {
				t.Error(err)
			}
		}()
		f(t, w)
	})
}

// Random pauses keep two ends from closing at the same instant.
func init() { connection.BeforeClose = func() { time.Sleep(rand.N(time.Millisecond)) } }

// host returns settings that put a member on a virtual host of its own.
func (w *world) host() func(*webrtc.SettingEngine) {
	w.hosts++
	n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{hostIP(w.hosts)}})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.router.AddNet(n); err != nil {
		w.t.Fatal(err)
	}
	return func(s *webrtc.SettingEngine) {
		s.SetNet(n)
		s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	}
}

// hostIP is the address of the n-th host, counted from 1.
func hostIP(n int) string { return fmt.Sprintf("10.0.%d.%d", n/200, n%200+1) }

// join enters a room as name from a host of its own; cfg may be nil.
func (w *world) join(room, name string, cfg *Config) Room {
	w.t.Helper()
	c := Config{}
	if cfg != nil {
		c = *cfg
	}
	c.Name, c.Settings = name, w.host()
	r, err := Join(w.t.Context(), w.dialer, room, &c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.rooms = append(w.rooms, r)
	return r
}

// until takes events of r until f accepts one, for at most a virtual minute.
func until[E Event](t *testing.T, r Room, f func(E) bool) E {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var zero E
	for {
		e, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("%s waits for %T: %v", r.Self().Name, zero, err)
		}
		if e, ok := e.(E); ok && (f == nil || f(e)) {
			return e
		}
	}
}

func connected(e PeerStateChanged) bool { return e.State == PeerConnected }
