package chat

import "noom/signal"

// digests is a set of bounded size, which forgets what was added first.
type digests struct {
	set  map[signal.Digest]bool
	ring []signal.Digest // in the order in which they were added, from next on
	next int
	most int
}

func newDigests(most int) digests { return digests{set: make(map[signal.Digest]bool), most: most} }

func (s *digests) has(d signal.Digest) bool { return s.set[d] }

func (s *digests) add(d signal.Digest) {
	if s.set[d] {
		return
	}
	s.set[d] = true
	if len(s.ring) < s.most {
		s.ring = append(s.ring, d)
		return
	}
	delete(s.set, s.ring[s.next])
	s.ring[s.next] = d
	s.next = (s.next + 1) % s.most
}
