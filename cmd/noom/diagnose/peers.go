package diagnose

import (
	"context"
	"time"

	"noom"
	"noom/cmd/noom/call"
)

// maxPeers bounds how many members there is a line for.
const maxPeers = 16

// tryPeers waits for a connection to each member, and says how it is or why there is none.
func (o *options) tryPeers(ctx context.Context, r *report, room noom.Room) {
	peers := room.Peers()
	if len(peers) == 0 {
		r.note("members", "nobody else is in the room, so no connection was tried; diagnose again while somebody is")
		return
	}
	if len(peers) > maxPeers {
		r.note("members", "only the first %d of %d are shown", maxPeers, len(peers))
		peers = peers[:maxPeers]
	}
	ctx, cancel := context.WithTimeout(ctx, 2*o.wait)
	defer cancel()
	o.awaitPeers(ctx, r, peers)
	for _, p := range peers {
		name := call.Display(p.Name(), p.ID())
		diagnosis, err := p.Diagnose(context.WithoutCancel(ctx))
		switch {
		case err != nil:
			r.note(name, "is gone")
		case diagnosis.Verdict == noom.VerdictConnected:
			r.good(name, "%v", diagnosis)
		default:
			r.bad(name, "%v", diagnosis)
		}
	}
}

// awaitPeers waits until of all it is known how they are, or until ctx ends.
func (o *options) awaitPeers(ctx context.Context, r *report, peers []noom.Peer) {
	defer r.waiting("connections to the members")()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		known := 0
		for _, p := range peers {
			if d, err := p.Diagnose(ctx); err != nil || d.Verdict != noom.VerdictConnecting {
				known++
			}
		}
		if known == len(peers) {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}
