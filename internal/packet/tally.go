package packet

import (
	"sync/atomic"
)

// Tally counts the packets of one RTP stream. One goroutine writes, any may read.
type Tally struct {
	packets  atomic.Uint64
	bytes    atomic.Uint64 // of payload
	expected atomic.Int64  // packets, by their sequence numbers; only for a received stream

	// Owned by the goroutine that writes.
	highest uint16
}

// Add counts a packet with that many bytes of payload.
func (c *Tally) Add(payload int) {
	c.packets.Add(1)
	c.bytes.Add(uint64(payload))
}

// Received is Add for a received stream. Packets whose sequence numbers are skipped
// count as expected too (RFC 3550 appendix A.3).
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

// Packets returns the number of packets.
func (c *Tally) Packets() uint64 { return c.packets.Load() }

// Bytes returns the size of their payloads.
func (c *Tally) Bytes() uint64 { return c.bytes.Load() }

// Lost returns the number of missing packets. It may be negative if there were duplicates.
func (c *Tally) Lost() int32 { return int32(c.expected.Load() - int64(c.packets.Load())) }
