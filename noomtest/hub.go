package noomtest

import (
	"context"
	"errors"
	"sync"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// Hub is a hub of a [World] that can die and come back. It remembers nothing
// when it does.
type Hub struct {
	world *World
	index int

	mu      sync.Mutex
	running *hub.Hub // nil: down
	lines   []*line
}

var errHubDown = errors.New("noomtest: the hub is down")

// Running returns the hub that is there now, nil while there is none. It is
// for what the hub's owner can do, such as Kick.
func (h *Hub) Running() *hub.Hub {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running
}

// Kill ends the hub as the end of its process would: connections break without a goodbye, and no
// member can connect until Start.
func (h *Hub) Kill() {
	h.world.alive("Kill")
	h.world.note("%s is killed", h.name())
	h.kill()
}

func (h *Hub) kill() {
	h.mu.Lock()
	dying, lines := h.running, h.lines
	h.running, h.lines = nil, nil
	h.mu.Unlock()
	for _, l := range lines {
		l.breakOff(errHubDown)
	}
	if dying != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = dying.Shutdown(ctx) // cuts at once, and says so
	}
}

// Start starts the hub, empty, unless it is running.
func (h *Hub) Start() {
	h.world.alive("Start")
	if h.Running() == nil {
		h.world.note("%s starts", h.name())
		h.start()
	}
}

func (h *Hub) start() {
	var config hub.Config
	if c := h.world.options.hubConfig(h.index); c != nil {
		config = *c
	}
	if config.ICEServers == nil {
		config.ICEServers, config.ICELifetime = h.world.iceServers(), h.world.options.turnLifetime
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = hub.New(&config)
}

// Restart is Kill and Start.
func (h *Hub) Restart() {
	h.Kill()
	h.Start()
}

// Shutdown ends the hub in order: it asks everyone to come back a second later.
func (h *Hub) Shutdown() {
	h.world.alive("Shutdown")
	h.mu.Lock()
	ending := h.running
	h.running = nil
	h.mu.Unlock()
	if ending != nil {
		h.world.note("%s shuts down", h.name())
		_ = ending.Shutdown(context.Background())
	}
}

func (h *Hub) name() string {
	if len(h.world.hubs) == 1 {
		return "the hub"
	}
	return "hub " + string(rune('0'+h.index))
}

// dial connects l's host.
func (h *Hub) dial(ctx context.Context, l *line) (signal.Signaler, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running == nil {
		return nil, errHubDown
	}
	s, err := mem.Dialer(h.running).Dial(ctx)
	if err == nil {
		h.lines = append(h.lines, l)
	}
	return s, err
}
