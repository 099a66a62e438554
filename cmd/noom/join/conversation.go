package join

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"noom"
	"noom/cmd/noom/call"
)

// goodbye bounds how long leaving may take.
const goodbye = 3 * time.Second

// conversation is the program while it is in the room. The goroutine in run
// owns every field.
type conversation struct {
	room    noom.Room
	out     *output // guards itself
	echo    bool
	sources origins

	peers   map[string]string // how each peer is connected, as printed last
	readers map[noom.RemoteTrack]*reader
	reading sync.WaitGroup
	ticked  time.Time
}

// run handles events until ctx or the room ends, then leaves.
func (c *conversation) run(ctx context.Context) error {
	c.out.joined(c.room)
	pump, stop := context.WithCancel(context.Background())
	events := make(chan noom.Event)
	go func() {
		defer close(events)
		for event := range c.room.Events(pump) {
			select {
			case events <- event:
			case <-pump.Done():
				return
			}
		}
	}()
	err := c.listen(ctx, events)
	leaving, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	_ = c.room.Leave(leaving) // a hub that misses the goodbye will notice
	stop()
	for range events { // until the pump is gone
	}
	c.reading.Wait()
	return err
}

func (c *conversation) listen(ctx context.Context, events <-chan noom.Event) error {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	c.ticked = time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-second.C:
			c.tick(now)
		case event, ok := <-events:
			if !ok {
				return nil
			}
			c.out.event(event)
			c.handle(event)
			if e, over := event.(noom.Closed); over {
				return roomError(e.Err)
			}
		}
	}
}

// roomError says what ended the room; nil if nothing but goodbye did.
func roomError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the room is over: %w", err)
}

func (c *conversation) handle(event noom.Event) {
	switch e := event.(type) {
	case noom.PeerLeft:
		delete(c.peers, e.Member.ID)
	case noom.TrackAdded:
		c.read(e.Peer, e.Track)
	case noom.TrackRemoved:
		delete(c.readers, e.Track)
	}
}

// read takes a track's packets for as long as there are any, and counts them.
func (c *conversation) read(peer noom.Peer, track noom.RemoteTrack) {
	r := &reader{}
	c.readers[track] = r
	c.reading.Go(func() {
		if c.echo {
			if back, err := c.sendBack(peer, track); err == nil {
				defer func() { _ = back.Close() }() // the peer may be gone already
			} else if !errors.Is(err, noom.ErrClosed) {
				c.out.problem("-echo: %s of %s: %v", track.Name(), call.Display(peer.Name(), peer.ID()), err)
			}
		}
		for packet := range track.Packets() {
			r.count(packet)
		}
	})
}

// publishing bounds how long publishing may take.
const publishing = 5 * time.Second

// sendBack sends a track of a peer back to that peer only.
func (c *conversation) sendBack(peer noom.Peer, track noom.RemoteTrack) (noom.Sender, error) {
	ctx, cancel := context.WithTimeout(context.Background(), publishing)
	defer cancel()
	return peer.Publish(ctx, noom.Forward(track), nil)
}

// tick prints the statistics of the time since the last one, and what changed
// unnoticed by events: paths, and sources that turn out to be damaged.
func (c *conversation) tick(now time.Time) {
	elapsed := now.Sub(c.ticked).Seconds()
	c.ticked = now
	stats := []peerStats{}
	for _, peer := range c.room.Peers() {
		p := peerStats{
			member: member{peer.ID(), peer.Name()}, State: peer.State().String(), Quality: peer.Quality().String(),
			Connection: pathOf(peer), Bandwidth: bandwidthOf(peer),
		}
		if p.Connection != nil && p.Connection.String() != c.peers[peer.ID()] {
			c.peers[peer.ID()] = p.Connection.String()
			c.out.connected(p)
		}
		for _, track := range peer.Tracks() {
			if r, ok := c.readers[track]; ok {
				p.Tracks = append(p.Tracks, r.stats(track, elapsed))
			}
		}
		stats = append(stats, p)
	}
	c.out.statistics(stats)
	for _, o := range c.sources {
		if err := o.Err(); err != nil && !o.told {
			o.told = true
			c.out.problem("%s: %v", o.flag, err)
		}
	}
}
