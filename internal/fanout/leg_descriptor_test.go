package fanout

import (
	"encoding/hex"
	"testing"
	"testing/synctest"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// TestLegSendsDescriptors: what a source of AV1 says of its layers is sent under the id that was negotiated for the
// leg, and the numbers of its frames go on behind a swap. Of other codecs it is not sent.
func TestLegSendsDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := func(mime string) *webrtc.TrackLocalStaticRTP {
			track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000}, "video", "웹캠")
			must(t, err)
			return track
		}
		var number uint16
		send := func(track *webrtc.TrackLocalStaticRTP, descriptor string, payload ...byte) {
			number++
			header := rtp.Header{Version: 2, SequenceNumber: number, Timestamp: 3000 * uint32(number)}
			raw, err := hex.DecodeString(descriptor)
			must(t, err)
			must(t, header.SetExtensionWithProfile(packet.DependencyID, raw, rtp.ExtensionProfileTwoByte))
			must(t, track.WriteRTP(&rtp.Packet{Header: header, Payload: payload}))
		}
		one, two := source(webrtc.MimeTypeAV1), source(webrtc.MimeTypeAV1)
		s := publishTrack(t, one)
		_, wire := boundLeg(t, s)
		send(one, "c1000a800102030405060708090a0b0c0d0e0f101112", 0x08, 1)
		send(one, "c3000c", 0x00, 1)
		must(t, s.ReplaceTrack(two))
		send(two, "c2ffff80", 0x08, 1)
		send(two, "c30000", 0x00, 1)
		want := []string{"c1000a800102030405060708090a0b0c0d0e0f101112", "c3000c", "c2000d80", "c3000e"}
		headers := wire.headers()
		if len(headers) != len(want) {
			t.Fatalf("%d packets, want %d", len(headers), len(want))
		}
		for i, h := range headers {
			if got := hex.EncodeToString(h.GetExtension(12)); got != want[i] || len(h.GetExtensionIDs()) != 1 {
				t.Errorf("packet %d has %s, of %v, want %s", i, got, h.GetExtensionIDs(), want[i])
			}
		}

		vp8 := source(webrtc.MimeTypeVP8)
		_, wire = boundLeg(t, publishTrack(t, vp8))
		send(vp8, "c1000a", 0x10, 0)
		if headers := wire.headers(); len(headers) != 1 || len(headers[0].GetExtensionIDs()) != 0 {
			t.Errorf("of VP8 there is %v", headers)
		}
	})
}
