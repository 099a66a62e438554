package fanout

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// A peer may report anything: what cannot be is not believed.
func TestReportsThatLie(t *testing.T) {
	now := time.Date(2026, 11, 29, 9, 0, 0, 250_000_000, time.UTC)
	ago := func(d time.Duration) uint32 { return packet.NTP(now.Add(-d)) }
	const second = 1 << 16
	for name, c := range map[string]struct {
		report rtcp.ReceptionReport
		want   Reported // without At
	}{
		"as it should be": {
			rtcp.ReceptionReport{SSRC: 1, FractionLost: 64, TotalLost: 10, Jitter: 480, LastSenderReport: ago(1100 * time.Millisecond), Delay: second},
			Reported{FractionLost: 0.25, Lost: 10, Jitter: 10 * time.Millisecond, RoundTrip: 100 * time.Millisecond},
		},
		"no sender report yet":          {rtcp.ReceptionReport{SSRC: 1, Delay: second}, Reported{}},
		"some came twice":               {rtcp.ReceptionReport{SSRC: 1, TotalLost: 0xff_ff_fe}, Reported{Lost: -2}},
		"all is lost":                   {rtcp.ReceptionReport{SSRC: 1, FractionLost: 255, TotalLost: 0x7f_ff_ff}, Reported{FractionLost: 255.0 / 256, Lost: 0x7f_ff_ff}},
		"a sender report of tomorrow":   {rtcp.ReceptionReport{SSRC: 1, LastSenderReport: ago(-time.Hour)}, Reported{}},
		"kept for longer than there is": {rtcp.ReceptionReport{SSRC: 1, LastSenderReport: ago(time.Second), Delay: 2 * second}, Reported{}},
		"a round trip of an hour":       {rtcp.ReceptionReport{SSRC: 1, LastSenderReport: ago(time.Hour)}, Reported{}},
		"jitter without end":            {rtcp.ReceptionReport{SSRC: 1, Jitter: 1<<32 - 1}, Reported{Jitter: (1<<32 - 1) * time.Second / 48000}},
	} {
		leg := NewLeg(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000}, "방", nil)
		leg.ssrc = 1
		foreign := c.report
		foreign.SSRC, foreign.FractionLost = 2, 200
		leg.takeReports([]rtcp.ReceptionReport{foreign}, now)
		if got := leg.Reported(); got != (Reported{}) {
			t.Errorf("%s, but of another stream: %+v", name, got)
		}
		leg.takeReports([]rtcp.ReceptionReport{foreign, c.report}, now)
		got := leg.Reported()
		if d := got.RoundTrip - c.want.RoundTrip; d > -time.Millisecond && d < time.Millisecond {
			got.RoundTrip = c.want.RoundTrip
		}
		if !got.At.Equal(now) || (got.trips == 1) != (c.want.RoundTrip > 0) {
			t.Errorf("%s: at %v, %d round trips", name, got.At, got.trips)
		}
		got.At, got.trips, got.total = time.Time{}, 0, 0
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
