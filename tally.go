package noom

import (
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

// pion counts the packets of RTP streams in an interceptor alone, which costs
// more per packet than all else that noom does with it. So noom counts itself,
// where it handles each packet anyway.

// tally counts one RTP stream. One goroutine writes, any may read.
type tally struct {
	packets  atomic.Uint64
	bytes    atomic.Uint64 // of payload
	expected atomic.Int64  // by the sequence numbers; of a stream that is received

	// Owned by the one that writes.
	highest uint16
}

func (c *tally) add(payload int) {
	c.packets.Add(1)
	c.bytes.Add(uint64(payload))
}

// received is add for a stream that others send: what the sequence numbers
// skip is expected too (RFC 3550 appendix A.3).
func (c *tally) received(seq uint16, payload int) {
	switch ahead := int16(seq - c.highest); {
	case c.packets.Load() == 0:
		c.highest = seq
		c.expected.Store(1)
	case ahead > 0:
		c.highest = seq
		c.expected.Add(int64(ahead))
	}
	c.add(payload)
}

// lost may be below zero, if packets came twice.
func (c *tally) lost() int32 { return int32(c.expected.Load() - int64(c.packets.Load())) }

// stream makes an entry of a StatsReport.
type stream func(now webrtc.StatsTimestamp) (id string, entry webrtc.Stats)

func (in *inbound) stats(now webrtc.StatsTimestamp, mid string) (string, webrtc.Stats) {
	id := "inbound-rtp-" + mid
	return id, webrtc.InboundRTPStreamStats{
		Timestamp: now, Type: webrtc.StatsTypeInboundRTP, ID: id, Mid: mid,
		SSRC: in.tr.SSRC(), Kind: in.tr.Kind().String(),
		PacketsReceived: uint32(in.count.packets.Load()), BytesReceived: in.count.bytes.Load(), PacketsLost: in.count.lost(),
	}
}

func (s *section) stats(now webrtc.StatsTimestamp) (string, webrtc.Stats) {
	id := "outbound-rtp-" + s.mid()
	s.leg.mu.Lock()
	ssrc := s.leg.ssrc
	s.leg.mu.Unlock()
	return id, webrtc.OutboundRTPStreamStats{
		Timestamp: now, Type: webrtc.StatsTypeOutboundRTP, ID: id, Mid: s.mid(),
		SSRC: webrtc.SSRC(ssrc), Kind: s.leg.Kind().String(),
		PacketsSent: uint32(s.leg.count.packets.Load()), BytesSent: s.leg.count.bytes.Load(),
	}
}

// counts makes Stats tell of a stream of the current connection.
func (l *link) counts(s stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams = append(l.streams, s)
}

// Stats is explained at [Peer].
func (l *link) Stats() webrtc.StatsReport {
	l.mu.Lock()
	pc, streams := l.pc, l.streams
	l.mu.Unlock()
	if pc == nil {
		return webrtc.StatsReport{}
	}
	report := pc.GetStats()
	now := webrtc.StatsTimestamp(time.Now().UnixMilli())
	for _, s := range streams {
		id, entry := s(now)
		report[id] = entry
	}
	return report
}
