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

func (in *inbound) stats(now webrtc.StatsTimestamp, mid string) (string, webrtc.Stats) {
	id := "inbound-rtp-" + mid
	return id, webrtc.InboundRTPStreamStats{
		Timestamp: now, Type: webrtc.StatsTypeInboundRTP, ID: id, Mid: mid,
		SSRC: in.tr.SSRC(), Kind: in.tr.Kind().String(),
		PacketsReceived: uint32(in.count.Packets()), BytesReceived: in.count.Bytes(), PacketsLost: in.count.Lost(),
	}
}

func (s *section) stats(now webrtc.StatsTimestamp) (string, webrtc.Stats) {
	return s.leg.Stats(now, s.mid())
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
