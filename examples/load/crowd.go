package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"noom"
	"noom/examples/bot"
	"noom/media"
)

// crowd is everyone this program has brought into the room.
type crowd struct {
	rooms   []noom.Room
	sources []*media.Source
	reading sync.WaitGroup

	packets, bytes atomic.Int64
	reported       time.Time
}

// join joins one more member, which sends and receives.
func (c *crowd) join(ctx context.Context, call bot.Call, number int) error {
	call.Name = fmt.Sprintf("%s %d", call.Name, number)
	pattern, tone := media.TestPattern(nil), media.Tone()
	c.sources = append(c.sources, pattern, tone)
	room, err := call.Join(ctx, noom.LocalTrack{Track: pattern}, noom.LocalTrack{Track: tone})
	if err != nil {
		return err
	}
	c.rooms = append(c.rooms, room)
	c.reading.Go(func() {
		for event := range room.Events(context.Background()) {
			if e, ok := event.(noom.TrackAdded); ok {
				c.reading.Go(func() { c.count(e.Track) })
			}
		}
	})
	return nil
}

func (c *crowd) count(track noom.RemoteTrack) {
	for packet := range track.Packets() {
		c.packets.Add(1)
		c.bytes.Add(int64(len(packet.Payload)))
	}
}

// statistics says what has arrived since it was asked last, and how many
// connections there are, of those that there should be.
func (c *crowd) statistics() string {
	connected, all := 0, 0
	for _, room := range c.rooms {
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
	return fmt.Sprintf("%d peers, %d of %d connections up, %.0f packets/s, %.2f Mbit/s", len(c.rooms), connected, all,
		float64(c.packets.Swap(0))/elapsed, float64(c.bytes.Swap(0))*8/1e6/elapsed)
}

func (c *crowd) leave() {
	for _, room := range c.rooms {
		room.Leave(context.Background())
	}
	c.reading.Wait()
	for _, s := range c.sources {
		_ = s.Close() // nothing was written, so nothing is lost
	}
}
