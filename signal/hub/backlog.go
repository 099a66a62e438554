package hub

import (
	"slices"

	"noom/signal"
)

// A backlog holds what waits to be written to one member, and says what goes next.
// It is a pure machine, which that member's outbox steps behind its lock.
//
// The hub's own frames go first, and in order; they are never many. Then come pair frames, because
// calls wait for them; then chat, of which one goes behind so many bytes of pair frames, because
// endless pair frames must not keep chat back for ever. In both, every sender has its turn by bytes
// (deficit round robin), so that one that sends a lot delays only itself. The frames of one sender
// stay in order, and nothing overtakes what must come first: a welcome comes before the newcomer's
// pair frames, because the hub's own frames go first, and a member's last chat before its bye.
//
// Nothing is allocated as long as little waits.
type backlog struct {
	owner string // the member's id, whose own chat comes back to it in order with its errors

	slots        []slot // all that waits, in chains; those that are free are one too
	pairs, chats turns
	said         chain // by the hub
	free         int32
	frames       int32
	passed       int32 // bytes of pair frames that have gone while chat waited
	bytes        int
}

// A slot holds a frame in a chain. Slots are named by numbers from 1 on; 0 is none.
type slot struct {
	message *signal.Message
	size    int32
	next    int32
}

type chain struct{ first, last int32 }

// turns are the senders with waiting frames, in the order of their turns.
type turns struct {
	flows []flow
	next  int // index of the sender that has its turn
}

// A flow is what waits of one sender, and how many bytes it may still say in its turn.
type flow struct {
	from   string
	chain  chain
	credit int
	bytes  int
}

const (
	// maxOfOne bounds what waits of one sender's pair frames, in bytes. The rest is dropped,
	// because otherwise one member could have another cut for being slow; its sender sends it again
	// (PROTOCOL.md section 4.1).
	maxOfOne = 1 << 20
	// turnBytes is how much a sender may say in each of its turns: the longest chat.
	turnBytes = 4096
	// maxPassed is behind how many bytes of pair frames a chat has its turn.
	maxPassed = 64 << 10
	// keptFrames and keptFlows are for how many an empty backlog keeps its memory.
	keptFrames, keptFlows = 64, 4
)

// push adds a frame.
func (b *backlog) push(m *signal.Message, size int) {
	switch {
	case m.Pair():
		f := b.pairs.of(m.From)
		if f.bytes+size > maxOfOne {
			return
		}
		f.bytes += size
		b.link(&f.chain, b.put(m, size))
	case m.Type == signal.TypeChat:
		if m.From == b.owner {
			b.link(&b.said, b.put(m, size))
		} else {
			b.link(&b.chats.of(m.From).chain, b.put(m, size))
		}
	case m.Type == signal.TypeBye:
		b.promote(m.From)
		b.link(&b.said, b.put(m, size))
	default:
		b.link(&b.said, b.put(m, size))
	}
}

// promote puts what waits of a sender's chat behind what the hub has said.
func (b *backlog) promote(from string) {
	at := slices.IndexFunc(b.chats.flows, func(f flow) bool { return f.from == from })
	if at < 0 {
		return
	}
	chats := b.chats.flows[at].chain
	if b.said.first == 0 {
		b.said.first = chats.first
	} else {
		b.slots[b.said.last-1].next = chats.first
	}
	b.said.last = chats.last
	b.chats.remove(at)
}

// pop takes the next frame out; nil: none waits.
func (b *backlog) pop() (m *signal.Message, size int) {
	switch {
	case b.said.first != 0:
		m, size = b.unlink(&b.said)
	case len(b.pairs.flows) > 0 && (len(b.chats.flows) == 0 || b.passed < maxPassed):
		m, size = b.turn(&b.pairs)
		if len(b.chats.flows) > 0 {
			b.passed += int32(size)
		}
	case len(b.chats.flows) > 0:
		m, size = b.turn(&b.chats)
		b.passed = 0
	}
	if b.frames == 0 {
		b.reset()
	}
	return m, size
}

// turn takes the next frame of some senders'. There must be one.
func (b *backlog) turn(t *turns) (*signal.Message, int) {
	for len(t.flows) > 1 {
		f := &t.flows[t.next]
		if size := int(b.slots[f.chain.first-1].size); size <= f.credit {
			f.credit -= size
			break
		}
		f.credit += turnBytes
		t.next = (t.next + 1) % len(t.flows)
	}
	f := &t.flows[t.next]
	m, size := b.unlink(&f.chain)
	f.bytes -= size
	if f.chain.first == 0 {
		t.remove(t.next)
	}
	return m, size
}

// of is the flow of a sender that is about to send a frame.
func (t *turns) of(from string) *flow {
	for i := range t.flows {
		if t.flows[i].from == from {
			return &t.flows[i]
		}
	}
	t.flows = append(t.flows, flow{from: from, credit: turnBytes})
	return &t.flows[len(t.flows)-1]
}

func (t *turns) remove(at int) {
	t.flows = slices.Delete(t.flows, at, at+1)
	if t.next > at {
		t.next--
	}
	if t.next == len(t.flows) {
		t.next = 0
	}
}

// put fills a slot and returns its number.
func (b *backlog) put(m *signal.Message, size int) int32 {
	b.frames++
	b.bytes += size
	filled := slot{message: m, size: int32(size)}
	if n := b.free; n != 0 {
		b.free = b.slots[n-1].next
		b.slots[n-1] = filled
		return n
	}
	b.slots = append(b.slots, filled)
	return int32(len(b.slots))
}

func (b *backlog) link(c *chain, n int32) {
	if c.first == 0 {
		c.first = n
	} else {
		b.slots[c.last-1].next = n
	}
	c.last = n
}

// unlink takes the first slot out of a chain that has one.
func (b *backlog) unlink(c *chain) (*signal.Message, int) {
	n := c.first
	taken := b.slots[n-1]
	c.first = taken.next
	b.slots[n-1] = slot{next: b.free}
	b.free = n
	b.frames--
	b.bytes -= int(taken.size)
	return taken.message, int(taken.size)
}

// reset is for when nothing waits, or what does is to be dropped.
func (b *backlog) reset() {
	clear(b.slots)
	slots, pairs, chats := b.slots[:0], b.pairs.flows[:0], b.chats.flows[:0]
	if cap(slots) > keptFrames {
		slots = nil
	}
	if cap(pairs) > keptFlows {
		pairs = nil
	}
	if cap(chats) > keptFlows {
		chats = nil
	}
	*b = backlog{owner: b.owner, slots: slots, pairs: turns{flows: pairs}, chats: turns{flows: chats}}
}
