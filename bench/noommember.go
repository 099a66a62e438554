package main

import (
	"context"
	"errors"
	"fmt"

	"noom"
	transport "noom/transport/ws"
)

// joinNoom is a member that uses noom.
func joinNoom(m *mesh, number int) error {
	ctx, cancel := context.WithTimeout(context.Background(), meshTimeout)
	defer cancel()
	s := m.sources[number]
	room, err := noom.Join(ctx, transport.Dialer{URL: "ws://" + m.task.Hub}, "mesh", &noom.Config{
		Name:   fmt.Sprint(number),
		Tracks: []noom.LocalTrack{{Track: s.audio}, {Track: s.video}},
	})
	if err != nil {
		return err
	}
	m.enter(timelineOf(room))
	for event := range room.Events(context.Background()) {
		switch e := event.(type) {
		case noom.TrackAdded:
			go m.read(e.Track.ReadRTP)
		case noom.SenderPaused:
			if e.Paused {
				m.paused.Add(1)
			}
		default:
		}
	}
	return errors.Join(errors.New("the room is over"), room.Err())
}
