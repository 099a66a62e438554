package files

import (
	"bytes"
	"crypto/sha256"
)

// Receiver is the end that gets the file.
type Receiver struct {
	offer    Offer
	frame    []byte // of the offer, which no later one may differ from
	total    uint32 // chunks
	phase    phase
	accepted bool
	next     uint32 // chunks written
	told     uint32 // of which the sender knows
	chain    hash   // after next chunks
	coming   *hash  // after the chunk that Receive has returned; nil: none has to be written
	end      End
}

// beginning returns H(0).
func beginning(offer []byte) hash { return sha256.Sum256(offer) }

// NewReceiver returns the receiver of the file that the first frame of a channel offers. Open comes next, with the same
// frame.
func NewReceiver(frame []byte) (*Receiver, error) {
	offer, err := ParseOffer(frame)
	if err != nil {
		return nil, err
	}
	return &Receiver{offer: offer, frame: bytes.Clone(frame), total: chunksIn(offer.Size), chain: beginning(frame)}, nil
}

// Offer returns what the sender says of the file.
func (r *Receiver) Offer() Offer { return r.offer }

// Open is called when there is a channel that begins with an offer of this id, and returns the answer.
func (r *Receiver) Open(frame []byte) []byte {
	switch {
	case !bytes.Equal(frame, r.frame):
		if r.phase == over {
			return Cancel(Broken)
		}
		r.phase = offered
		return r.Fail(Broken)
	case r.phase == over && r.end.Code == None:
		return doneFrame(r.chain)
	case r.phase == over:
		return Cancel(r.end.Code)
	case r.accepted:
		return r.goOn()
	}
	r.phase = noted
	return []byte{kindNoted}
}

// Lose is called when the channel is over.
func (r *Receiver) Lose() {
	if r.phase != over {
		r.phase = unconnected
	}
}

// Accept says that the user wants the file.
func (r *Receiver) Accept() []byte {
	if r.phase == over || r.accepted {
		return nil
	}
	r.accepted = true
	if r.phase == unconnected {
		return nil
	}
	return r.goOn()
}

func (r *Receiver) goOn() []byte {
	r.phase, r.told = running, r.next
	return acceptFrame(r.next, r.chain)
}

// Receive takes a frame of the sender. If chunk is not nil it has to be written at offset, and Written comes before the
// next Receive.
func (r *Receiver) Receive(frame []byte) (chunk []byte, offset int64, reply []byte) {
	if r.phase == over || r.phase == unconnected || len(frame) == 0 {
		return nil, 0, nil
	}
	switch frame[0] {
	case kindCancel:
		c, ok := cancelled(frame)
		if !ok {
			return nil, 0, r.Fail(Broken)
		}
		r.finish(End{Code: c, Remote: true})
	case kindChunk:
		return r.chunk(frame)
	case kindOffer:
		return nil, 0, r.Fail(Broken)
	}
	return nil, 0, nil
}

func (r *Receiver) chunk(frame []byte) (chunk []byte, offset int64, reply []byte) {
	if r.phase != running || r.next >= r.total || len(frame) < chunkHead {
		return nil, 0, r.Fail(Broken)
	}
	n, h := proof(frame)
	chunk = frame[chunkHead:]
	offset, length := chunkAt(r.next, r.offer.Size)
	if n != r.next || len(chunk) != length {
		return nil, 0, r.Fail(Broken)
	}
	coming := r.chain.next(chunk)
	if !coming.is(h) {
		return nil, 0, r.Fail(Broken)
	}
	r.coming = &coming
	return chunk, offset, nil
}

// Written notes that the chunk of the last Receive is written.
func (r *Receiver) Written() []byte {
	if r.coming == nil || r.phase == over {
		return nil
	}
	r.chain, r.coming = *r.coming, nil
	r.next++
	if r.phase != running || r.next-r.told < haveEvery && r.next != r.total {
		return nil
	}
	r.told = r.next
	return numberFrame(kindHave, r.next)
}

// Complete reports whether all chunks are written: then Finish comes next.
func (r *Receiver) Complete() bool { return r.accepted && r.phase != over && r.next == r.total }

// Finish says that the file is there as a whole.
func (r *Receiver) Finish() []byte {
	if !r.Complete() {
		return nil
	}
	connected := r.phase != unconnected
	r.finish(End{})
	if !connected {
		return nil
	}
	return doneFrame(r.chain)
}

// Fail ends it, for a reason of this end's. It returns what tells the sender, if there is a channel.
func (r *Receiver) Fail(c Code) []byte {
	if r.phase == over {
		return nil
	}
	connected := r.phase != unconnected
	r.finish(End{Code: c})
	if !connected {
		return nil
	}
	return Cancel(c)
}

// Progress returns how many bytes are written.
func (r *Receiver) Progress() int64 { return min(int64(r.next)*ChunkSize, r.offer.Size) }

// End returns how it ended, and whether it has.
func (r *Receiver) End() (End, bool) { return r.end, r.phase == over }

func (r *Receiver) finish(e End) { r.phase, r.end, r.coming = over, e, nil }
