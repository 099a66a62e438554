package main

import (
	"context"
	"errors"
	"iter"
	"log"
	"sync"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/bot"
	"noom/signal/hub"
	"noom/transport/mem"
)

// dispatch starts a host in each room that a guest opens, until ctx ends and all hosts have left. events are those of h, from
// before there are guests.
func dispatch(ctx context.Context, h *hub.Hub, events iter.Seq[hub.Event]) {
	config := bot.Config{Dialer: mem.Dialer(h), Join: noom.Config{
		Name: "host", Identity: noom.NewIdentity(), // by which it knows rooms that it has opened itself
		Settings: func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) }, // for guests on this machine
	}}
	hosts := &hosts{in: make(map[string]bool)}
	defer hosts.Wait()
	for event := range events {
		if opened, ok := event.(hub.RoomOpened); ok && opened.By.ID != config.Join.Identity.ID() && hosts.begin(opened.Room) {
			config.Room = opened.Room
			own := config
			hosts.Go(func() {
				for hosts.goOn(ctx, h, own.Room) {
					if err := bot.Run(ctx, own, host); err != nil && !errors.Is(err, noom.ErrRoomClosed) {
						log.Println(own.Room, err)
					}
				}
			})
		}
	}
}

// hosts are the rooms that have one.
type hosts struct {
	sync.WaitGroup

	mu sync.Mutex
	in map[string]bool
}

// begin reports whether a room needs a host, and has one from now on.
func (r *hosts) begin(room string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	needs := !r.in[room]
	r.in[room] = true
	return needs
}

// goOn reports whether there are guests, perhaps one that came just when the host left. Without, the room has no host from
// now on.
func (r *hosts) goOn(ctx context.Context, h *hub.Hub, room string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil || len(h.Members(room)) == 0 {
		delete(r.in, room)
	}
	return r.in[room]
}

// host is what a host does.
var host = bot.Handlers{
	Entered: leaveAlone,
	Joined: func(_ context.Context, room noom.Room, e noom.PeerJoined) {
		_ = room.TryChat("welcome, " + e.Peer.Name()) // without a hub nobody hears it
	},
	Left: func(ctx context.Context, room noom.Room, _ noom.PeerLeft) { leaveAlone(ctx, room) },
}

// leaveAlone leaves a room without guests.
func leaveAlone(ctx context.Context, room noom.Room) {
	if len(room.Peers()) == 0 {
		_ = room.Leave(ctx) // there is nobody to deliver anything to
	}
}
