package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"noom"
	"noom/bot"
	"noom/media"
)

// crowd is everyone this program has brought into the room. The first who is gone ends it.
type crowd struct {
	end     context.CancelCauseFunc // of all, with an error or nil
	members sync.WaitGroup

	packets, bytes atomic.Int64
	reported       time.Time

	mu    sync.Mutex
	rooms map[int]noom.Room // of those that are in the room, by number
}

// add adds a member, which sends and receives.
func (c *crowd) add(ctx context.Context, config bot.Config, number int) {
	config.Join.Name = fmt.Sprintf("%s %d", config.Join.Name, number)
	config.KeyFile = "" // one for each
	pattern, tone := media.TestPattern(nil), media.Tone()
	config.Join.Tracks = []noom.LocalTrack{{Track: pattern}, {Track: tone}}
	c.members.Go(func() {
		err := bot.Run(ctx, config, bot.Handlers{
			Entered: func(ctx context.Context, room noom.Room) { c.stay(ctx, number, room) },
			Track:   c.count,
		})
		c.end(err)
		_, _ = pattern.Close(), tone.Close() // nothing was written, so nothing is lost
	})
}

// stay notes that a member is in the room, until it is not.
func (c *crowd) stay(ctx context.Context, number int, room noom.Room) {
	c.mu.Lock()
	c.rooms[number] = room
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.rooms, number)
}

func (c *crowd) count(ctx context.Context, _ noom.Room, e noom.TrackAdded) {
	for {
		packet, err := e.Track.ReadRTPContext(ctx)
		if err != nil {
			return
		}
		c.packets.Add(1)
		c.bytes.Add(int64(len(packet.Payload)))
	}
}

// statistics says what has arrived since it was asked last, and how many
// connections there are, of those that there should be.
func (c *crowd) statistics() string {
	c.mu.Lock()
	rooms := slices.Collect(maps.Values(c.rooms))
	c.mu.Unlock()
	connected, all := 0, 0
	for _, room := range rooms {
		for _, peer := range room.Peers() {
			all++
			if peer.State() == noom.PeerConnected {
				connected++
			}
		}
	}
	now := time.Now()
	elapsed := now.Sub(c.reported).Seconds()
	if c.reported.IsZero() {
		elapsed = 1
	}
	c.reported = now
	return fmt.Sprintf("%d peers, %d of %d connections up, %.0f packets/s, %.2f Mbit/s", len(rooms), connected, all,
		float64(c.packets.Swap(0))/elapsed, float64(c.bytes.Swap(0))*8/1e6/elapsed)
}
