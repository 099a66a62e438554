package hub

import (
	"context"
	"time"
)

// This file is how a hub leaves its cluster in order.

// drainBeats is how long a hub that goes down waits for what it has to be elsewhere, each time.
const drainBeats = 4

// drain lets other hubs take over what this one owns.
func (h *Hub) drain(ctx context.Context) {
	if ctx.Err() != nil {
		h.fleet.end()
		return
	}
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	h.fleet.drain(ctx)
}

// drain says that this hub will own nothing, and waits until it does.
func (f *fleet) drain(ctx context.Context) {
	f.mu.Lock()
	if !f.over && f.machine.Drain() {
		f.viewed()
		_ = f.beat(nil)
	}
	f.mu.Unlock()
	f.await(ctx, f.moved)
}

// await waits until something is so, or four beats.
func (f *fleet) await(ctx context.Context, so func() bool) {
	pause := time.NewTicker(f.config.Beat / 10)
	defer pause.Stop()
	for until := time.Now().Add(drainBeats * f.config.Beat); !so() && time.Now().Before(until); {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

// moved reports whether all rooms are at other hubs, or there is none to take them.
func (f *fleet) moved() bool {
	v := f.current()
	for _, p := range f.places() {
		if v.Owner(p.name) == f.self {
			continue // there is nobody better
		}
		if p.isMoving() {
			return false
		}
	}
	return true
}

func (p *shared) isMoving() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.step != nil || !p.gone && !p.machine.Ready()
}

// forgotten reports whether no other hub needs anything of this one.
func (f *fleet) forgotten() bool {
	v := f.current()
	for _, p := range f.places() {
		if v.Owner(p.name) != f.self {
			return false
		}
	}
	return true
}
