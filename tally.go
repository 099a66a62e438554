package noom

import (
	"time"

	"github.com/pion/webrtc/v4"
)

// pion counts the packets of RTP streams in an interceptor alone, which costs
// more per packet than all else that noom does with it. So noom counts itself,
// where it handles each packet anyway.

// stream makes an entry of a StatsReport.
type stream func(now webrtc.StatsTimestamp) (id string, entry webrtc.Stats)

func (s *section) stats(now webrtc.StatsTimestamp) (string, webrtc.Stats) {
	id := "outbound-rtp-" + s.mid()
	s.leg.mu.Lock()
	ssrc := s.leg.ssrc
	s.leg.mu.Unlock()
	return id, webrtc.OutboundRTPStreamStats{
		Timestamp: now, Type: webrtc.StatsTypeOutboundRTP, ID: id, Mid: s.mid(),
		SSRC: webrtc.SSRC(ssrc), Kind: s.leg.Kind().String(),
		PacketsSent: uint32(s.leg.count.Packets()), BytesSent: s.leg.count.Bytes(),
	}
}

// counts adds an entry to what stats returns.
func (c *conn) counts(s stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams = append(c.streams, s)
}

// stats returns what pion counts, and what noom does. Called from anywhere.
func (c *conn) stats() webrtc.StatsReport {
	c.mu.Lock()
	streams := c.streams
	c.mu.Unlock()
	report := c.pc.GetStats()
	now := webrtc.StatsTimestamp(time.Now().UnixMilli())
	for _, s := range streams {
		id, entry := s(now)
		report[id] = entry
	}
	return report
}
