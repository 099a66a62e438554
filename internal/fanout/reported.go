package fanout

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// Reported is what the peer has reported of what it got over a leg (RFC 3550 section 6.4.1). It is the peer's word.
type Reported struct {
	At           time.Time     // when the latest report came; zero: none has come
	FractionLost float64       // share of the packets since the report before, from 0 to 1
	Lost         int32         // packets in all; less than 0 if some came twice
	Jitter       time.Duration // of their arrival (RFC 3550 section 6.4.1)
	RoundTrip    time.Duration // 0: none of the reports says

	trips int           // reports that told a round trip
	total time.Duration // of those
}

// Reported returns what the peer has reported last.
func (l *Leg) Reported() Reported {
	if r := l.reported.Load(); r != nil {
		return *r
	}
	return Reported{}
}

// Sent returns how many packets were sent, and the bytes of their payload.
func (l *Leg) Sent() (packets, bytes uint64) { return l.count.Packets(), l.count.Bytes() }

// takeReports takes the peer's reports about this leg. Only ReadRTCP calls it.
func (l *Leg) takeReports(list []rtcp.ReceptionReport, now time.Time) {
	l.mu.Lock()
	ssrc := l.ssrc
	l.mu.Unlock()
	for i := range list {
		r := &list[i]
		if r.SSRC != ssrc {
			continue
		}
		next := l.Reported()
		next.At = now
		next.FractionLost = float64(r.FractionLost) / 256
		next.Lost = int32(r.TotalLost<<8) >> 8 // 24 bits, signed
		next.Jitter = time.Duration(r.Jitter) * time.Second / time.Duration(l.codec.ClockRate)
		if d, ok := packet.RoundTrip(r.LastSenderReport, r.Delay, now); ok {
			next.RoundTrip = d
			next.trips++
			next.total += d
		}
		l.reported.Store(&next)
	}
}

// statsIDs returns the ids that the entries of a leg have in a StatsReport.
func statsIDs(mid string) (ours, remote string) {
	return "outbound-rtp-" + mid, "remote-inbound-rtp-" + mid
}

// RemoteStats returns what the peer has reported, as an entry of a StatsReport; nil if it has reported nothing.
func (l *Leg) RemoteStats(now webrtc.StatsTimestamp, mid string) (id string, entry webrtc.Stats) {
	r := l.Reported()
	if r.At.IsZero() {
		return "", nil
	}
	l.mu.Lock()
	ssrc := l.ssrc
	l.mu.Unlock()
	ours, id := statsIDs(mid)
	return id, webrtc.RemoteInboundRTPStreamStats{
		Timestamp: now, Type: webrtc.StatsTypeRemoteInboundRTP, ID: id, LocalID: ours,
		SSRC: webrtc.SSRC(ssrc), Kind: l.Kind().String(),
		FractionLost: r.FractionLost, PacketsLost: r.Lost, Jitter: r.Jitter.Seconds(), RoundTripTime: r.RoundTrip.Seconds(),
		TotalRoundTripTime: r.total.Seconds(), RoundTripTimeMeasurements: uint64(r.trips),
	}
}
