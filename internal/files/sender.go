package files

import (
	"encoding/binary"
	"slices"
)

// Sender is the end that has the file.
type Sender struct {
	offer    Offer
	total    uint32 // chunks
	phase    phase
	have     uint32 // chunks that the receiver has written
	next     uint32 // the chunk to send next
	chain    []hash // after have chunks, and after each one that was read since: at most Window + 1
	silences int    // channels that have ended without an answer
	end      End
}

// NewSender returns the sender of a file. size is at most MaxSize, and name what CleanName returns.
func NewSender(id ID, name string, size int64) *Sender {
	s := &Sender{offer: Offer{ID: id, Size: size, Name: name}, total: chunksIn(size)}
	s.chain = []hash{beginning(s.offer.frame())}
	return s
}

// Open is called when there is a channel, and returns its first frame.
func (s *Sender) Open() []byte {
	if s.phase == over {
		return nil
	}
	s.phase = offered
	return s.offer.frame()
}

// Lose is called when the channel is over.
func (s *Sender) Lose() {
	if s.phase == over {
		return
	}
	if s.phase == offered {
		s.silences++
	}
	s.phase = unconnected
	if s.silences >= MaxSilences {
		s.finish(End{Code: Unsupported})
	}
}

// Receive takes a frame of the receiver.
func (s *Sender) Receive(frame []byte) []byte {
	if s.phase == over || s.phase == unconnected || len(frame) == 0 {
		return nil
	}
	ok := true
	switch frame[0] {
	case kindNoted:
		if ok = len(frame) == 1 && s.phase == offered; ok {
			s.phase, s.silences = noted, 0
		}
	case kindAccept:
		ok = s.accepted(frame)
	case kindHave:
		ok = s.written(frame)
	case kindDone:
		ok = len(frame) == 1+len(hash{}) && s.hashed() == s.total && s.chain[len(s.chain)-1].is(frame[1:])
		if ok {
			s.finish(End{Remote: true})
		}
	case kindCancel:
		var c Code
		if c, ok = cancelled(frame); ok {
			s.finish(End{Code: c, Remote: true})
		}
	}
	if !ok {
		return s.Fail(Broken)
	}
	return nil
}

// accepted takes where the receiver wants the file to go on.
func (s *Sender) accepted(frame []byte) bool {
	if len(frame) != chunkHead || s.phase != offered && s.phase != noted {
		return false
	}
	n, h := proof(frame)
	if n < s.have || n > s.hashed() || !s.chain[n-s.have].is(h) {
		return false
	}
	s.advance(n)
	s.next, s.phase, s.silences = n, running, 0
	return true
}

func (s *Sender) written(frame []byte) bool {
	if len(frame) != 5 || s.phase != running {
		return false
	}
	n := binary.BigEndian.Uint32(frame[1:])
	if n <= s.have || n > s.next {
		return false
	}
	s.advance(n)
	return true
}

// advance notes that the receiver has written n chunks.
func (s *Sender) advance(n uint32) {
	s.chain = slices.Delete(s.chain, 0, int(n-s.have))
	s.have = n
}

// hashed returns after how many chunks the last hash is.
func (s *Sender) hashed() uint32 { return s.have + uint32(len(s.chain)) - 1 } //nolint:gosec // G115: Window + 1 at most

// Wants returns what to read for Chunk, and whether a chunk may be sent now.
func (s *Sender) Wants() (offset int64, length int, ok bool) {
	if s.phase != running || s.next >= s.total || s.next-s.have >= Window {
		return 0, 0, false
	}
	offset, length = chunkAt(s.next, s.offer.Size)
	return offset, length, true
}

// Chunk returns the frame for what was read as Wants says.
func (s *Sender) Chunk(data []byte) []byte {
	h := s.chain[s.next-s.have].next(data)
	if s.next == s.hashed() {
		s.chain = append(s.chain, h)
	} else if s.chain[s.next-s.have+1] != h {
		return s.Fail(Changed)
	}
	s.next++
	return chunkFrame(s.next-1, h, data)
}

// Fail ends it, for a reason of this end's. It returns what tells the receiver, if there is a channel.
func (s *Sender) Fail(c Code) []byte {
	if s.phase == over {
		return nil
	}
	connected := s.phase != unconnected
	s.finish(End{Code: c})
	if !connected {
		return nil
	}
	if c == Unsupported { // or slow, in which case its user must not be asked any longer
		c = Cancelled
	}
	return Cancel(c)
}

// Unanswered reports whether the offer has no answer yet, which is bounded by NoteTimeout.
func (s *Sender) Unanswered() bool { return s.phase == offered }

// Running reports whether the file is on its way over the current channel, which StallTimeout is for.
func (s *Sender) Running() bool { return s.phase == running }

// Progress returns how many bytes the receiver has written.
func (s *Sender) Progress() int64 { return min(int64(s.have)*ChunkSize, s.offer.Size) }

// End returns how it ended, and whether it has.
func (s *Sender) End() (End, bool) { return s.end, s.phase == over }

func (s *Sender) finish(e End) {
	s.phase, s.end = over, e
	if e.Code == None {
		s.have = s.total
	}
}
