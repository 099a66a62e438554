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
	// One identity, so that there is never more than one of them in a room.
	config := bot.Config{Dialer: mem.Dialer(h), Join: noom.Config{
		Name: "host", Identity: noom.NewIdentity(),
		Settings: func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) }, // for guests on this machine
	}}
	var hosts sync.WaitGroup
	defer hosts.Wait()
	for event := range events {
		if opened, ok := event.(hub.RoomOpened); ok && opened.By.ID != config.Join.Identity.ID() {
			config.Room = opened.Room
			own := config
			hosts.Go(func() { attend(ctx, h, own) })
		}
	}
}

// attend is a host in one room, and again if a guest came just when it left.
func attend(ctx context.Context, h *hub.Hub, config bot.Config) {
	for ctx.Err() == nil && len(h.Members(config.Room)) > 0 {
		if err := bot.Run(ctx, config, host); err != nil {
			if !errors.Is(err, noom.ErrReplaced) && !errors.Is(err, noom.ErrRoomClosed) {
				log.Println(config.Room, err)
			}
			return
		}
	}
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
