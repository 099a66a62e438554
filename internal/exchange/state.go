package exchange

import (
	"maps"
	"slices"
)

// State is everything that an [Exchange] knows, as plain data. Searches over
// states need it, and so do the tables of transitions that other
// implementations are tested against.
type State struct {
	Self  string
	Epoch Epoch
	Acked int64      // messages that the other end has acknowledged
	Sent  int        // how many of Queue are in flight
	Queue []Outgoing // given to Send and not acknowledged
	Got   int64      // messages that were delivered here
	Early []Early    // came ahead of Got+1; sorted by Seq
	Owed  int        // frames that wait for an acknowledgement; 8: it goes with the next Flush
}

// Outgoing is a message that waits for its acknowledgement.
type Outgoing struct {
	Message
	Due   bool // the next Flush sends it
	Tries int
	Wait  int // ticks until it is due again
}

// Early is a message that came ahead of its turn.
type Early struct {
	Message
	Seq int64
}

// State returns what x knows. It shares nothing with x except the bytes of bodies.
func (x *Exchange) State() State {
	s := State{
		Self: x.self, Epoch: x.epoch, Acked: x.acked, Sent: x.sent, Got: x.got, Owed: x.owed,
		Queue: slices.Clone(x.queue),
	}
	for _, seq := range slices.Sorted(maps.Keys(x.early)) {
		s.Early = append(s.Early, Early{x.early[seq], seq})
	}
	return s
}

// Restore returns an Exchange in state s. It takes over what s refers to.
func Restore(s State) *Exchange {
	x := &Exchange{
		self: s.Self, epoch: s.Epoch, acked: s.Acked, sent: s.Sent, got: s.Got, owed: s.Owed, queue: s.Queue,
	}
	for _, e := range s.Early {
		if x.early == nil {
			x.early = make(map[int64]Message)
		}
		x.early[e.Seq] = e.Message
	}
	return x
}
