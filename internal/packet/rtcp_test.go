package packet

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// TestRTCPIsReadAsPionReadsIt: compound packets of all kinds, compared with pion's parser.
func TestRTCPIsReadAsPionReadsIt(t *testing.T) {
	now := time.Unix(1_800_000_000, 123456789)
	block := func(ssrc uint32) rtcp.ReceptionReport {
		return rtcp.ReceptionReport{SSRC: ssrc, LastSenderReport: NTP(now.Add(-time.Duration(ssrc) * 100 * time.Millisecond)), Delay: 1 << 14}
	}
	list := []rtcp.Packet{
		&rtcp.SenderReport{SSRC: 7, NTPTime: 0x0123456789abcdef, Reports: []rtcp.ReceptionReport{block(1), block(9)}},
		&rtcp.ReceiverReport{SSRC: 8, Reports: []rtcp.ReceptionReport{block(4), block(3), block(5)}},
		&rtcp.PictureLossIndication{MediaSSRC: 3},
		&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: 11, Nacks: []rtcp.NackPair{{PacketID: 65535, LostPackets: 5}, {PacketID: 3}}},
		&rtcp.ReceiverReport{SSRC: 8},
	}
	raw, err := rtcp.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range list {
		var p []byte
		p, raw = CutRTCP(raw)
		whole, err := want.Marshal()
		if err != nil || !bytes.Equal(p, whole) {
			t.Fatalf("packet %d is %x, want %x", i, p, whole)
		}
		source, ntp, isReport := SenderReport(p)
		asked, pairs, asks := IsNACK(p)
		for ssrc := range uint32(12) {
			d, ok := ReportedTrip(p, ssrc, now)
			has := i == 0 && (ssrc == 1 || ssrc == 9) || i == 1 && ssrc >= 3 && ssrc <= 5
			if has != ok && ssrc >= 3 || ok && (d-(time.Duration(ssrc)*100*time.Millisecond-250*time.Millisecond)).Abs() > time.Millisecond {
				t.Errorf("packet %d, source %d: a round trip of %v, %v", i, ssrc, d, ok)
			}
		}
		if isReport != (i == 0) || isReport && (source != 7 || ntp != 0x0123456789abcdef) {
			t.Errorf("packet %d: a sender report: %v, %d, %x", i, isReport, source, ntp)
		}
		if asks != (i == 3) || asks && (asked != 11 || !bytes.Equal(pairs, []byte{255, 255, 0, 5, 0, 3, 0, 0})) {
			t.Errorf("packet %d: asks: %v, %d, %x", i, asks, asked, pairs)
		}
	}
	if p, _ := CutRTCP(raw); p != nil {
		t.Errorf("%x follows", p)
	}
}

// TestRTCPOfAnyBytes: nothing that comes makes a reader go beyond it.
func TestRTCPOfAnyBytes(*testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	kinds := []byte{200, 201, 205, 206}
	for range 100_000 {
		raw := make([]byte, rng.IntN(80))
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		if len(raw) >= 4 {
			raw[0], raw[1], raw[2], raw[3] = 0x80|raw[0]&0x1f, kinds[rng.IntN(len(kinds))], 0, raw[3]%20
		}
		for p, rest := CutRTCP(raw); p != nil; p, rest = CutRTCP(rest) {
			IsNACK(p)
			SenderReport(p)
			ReportedTrip(p, 0, time.Now())
		}
	}
}
