package media

import (
	"context"
	"io"
	"slices"
	"time"
)

// Peer is a member whose tracks come and go; every noom.Peer is one.
type Peer[T Track] interface {
	Origin
	Tracks() []T
}

// Room is where peers come and go; every noom.Room is one.
type Room[P Peer[T], T Track] interface {
	Peers() []P
	Done() <-chan struct{}
}

// lookInterval is how often a room or peer is asked what there is. What a new track
// has sent until then waits in its ring, so nothing is lost by it, and none of
// the room's events are taken from its owner.
const lookInterval = 100 * time.Millisecond

// RecordRoom is [Record] and [AddRoom].
//
//	recording := media.RecordRoom(ctx, file, room)
//	defer recording.Close()
func RecordRoom[P Peer[T], T Track](ctx context.Context, w io.Writer, room Room[P, T], ids ...string) *Recording {
	r := Record(ctx, w)
	AddRoom(r, room, ids...)
	return r
}

// RecordPeer is [Record] and [AddPeer].
func RecordPeer[T Track](ctx context.Context, w io.Writer, peer Peer[T]) *Recording {
	r := Record(ctx, w)
	AddPeer(r, peer)
	return r
}

// AddRoom adds the tracks of everyone in a room, now and later; the recording ends when the room is over. If ids are
// given only those members are recorded; they may leave and come back.
//
//	recording := media.RecordMP4(ctx, file)
//	defer recording.Close()
//	media.AddRoom(recording, room)
//
// Further tracks may be added. Other readers, recorders and listeners of a track miss nothing.
func AddRoom[P Peer[T], T Track](r *Recording, room Room[P, T], ids ...string) {
	go r.follow(room.Done(), func() {
		for _, p := range room.Peers() {
			if len(ids) == 0 || slices.Contains(ids, p.ID()) {
				addAll(r, p)
			}
		}
	})
}

// AddPeer adds what one peer sends, now and later. Once the peer has left, nothing more comes.
func AddPeer[T Track](r *Recording, peer Peer[T]) {
	go r.follow(nil, func() { addAll(r, peer) })
}

func addAll[T Track](r *Recording, p Peer[T]) {
	for _, t := range p.Tracks() {
		r.Add(p, t)
	}
}

// follow looks again and again, to the end of the recording or of what is
// looked at.
func (r *Recording) follow(over <-chan struct{}, see func()) {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		see()
		select {
		case <-over:
			r.stop()
			return
		case <-r.quit:
			return
		case <-tick.C:
		}
	}
}
