package connection

import (
	"time"

	"github.com/pion/webrtc/v4"
)

// pion counts the packets of RTP streams only in an interceptor, which costs more per packet than everything else that
// noom does with it. So noom counts them itself, where it handles each packet anyway.

// stream makes an entry of a StatsReport; nil: there is nothing to say yet.
type stream func(now webrtc.StatsTimestamp) (id string, entry webrtc.Stats)

func (s *section) stats(now webrtc.StatsTimestamp) (string, webrtc.Stats) {
	return s.leg.Stats(now, s.mid())
}

func (s *section) remoteStats(now webrtc.StatsTimestamp) (string, webrtc.Stats) {
	return s.leg.RemoteStats(now, s.mid())
}

// countStream adds an entry to what Stats returns.
func (c *Conn) countStream(s stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams = append(c.streams, s)
}

// Stats returns what pion counts, and what noom counts and estimates. Called from anywhere.
func (c *Conn) Stats() webrtc.StatsReport {
	c.mu.Lock()
	streams := c.streams
	c.mu.Unlock()
	report := c.PC.GetStats()
	now := webrtc.StatsTimestamp(time.Now().UnixMilli())
	for _, s := range streams {
		if id, entry := s(now); entry != nil {
			report[id] = entry
		}
	}
	for id, entry := range report {
		if pair, ok := entry.(webrtc.ICECandidatePairStats); ok && pair.Nominated {
			pair.AvailableOutgoingBitrate = float64(c.Traffic.State().Estimate)
			report[id] = pair
		}
	}
	return report
}
