package packet

import (
	"sync/atomic"
)

// Tally counts one RTP stream. One goroutine writes, any may read.
type Tally struct {
	packets  atomic.Uint64
	bytes    atomic.Uint64 // of payload
	expected atomic.Int64  // by the sequence numbers; of a stream that is received

	// Owned by the one that writes.
	highest uint16
}

// Add counts a packet with so many bytes of payload.
func (c *Tally) Add(payload int) {
	c.packets.Add(1)
	c.bytes.Add(uint64(payload))
}

// Received is Add for a stream that others send: what the sequence numbers
// skip is expected too (RFC 3550 appendix A.3).
func (c *Tally) Received(seq uint16, payload int) {
	switch ahead := int16(seq - c.highest); {
	case c.packets.Load() == 0:
		c.highest = seq
		c.expected.Store(1)
	case ahead > 0:
		c.highest = seq
		c.expected.Add(int64(ahead))
	}
	c.Add(payload)
}

// Packets is how many were counted.
func (c *Tally) Packets() uint64 { return c.packets.Load() }

// Bytes is how much payload they had.
func (c *Tally) Bytes() uint64 { return c.bytes.Load() }

// Lost is how many are missing. It may be below zero, if packets came twice.
func (c *Tally) Lost() int32 { return int32(c.expected.Load() - int64(c.packets.Load())) }
