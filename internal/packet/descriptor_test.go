package packet_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

func TestStripPictureID(t *testing.T) {
	for _, test := range []struct{ name, mime, payload, want string }{
		{"plain", "video/VP8", "10 10 02", "10 10 02"},
		{"7-bit picture id", "video/VP8", "90 80 05 10 02", "10 10 02"},
		{"15-bit picture id", "video/VP8", "80 80 85 11 11 02", "00 11 02"},
		{"all fields", "video/VP8", "b0 f0 85 11 01 60 11 02", "30 11 02"},
		{"extended without fields", "video/VP8", "90 00 10", "10 10"},
		{"only a descriptor", "video/VP8", "90 80 05", "90 80 05"},
		{"truncated", "video/VP8", "90 80", "90 80"},
		{"empty", "video/VP8", "", ""},

		{"no picture id", "video/VP9", "0c a0", "0c a0"},
		{"7-bit picture id", "video/VP9", "8c 05 a0 01", "0c a0 01"},
		{"15-bit picture id, predicted", "video/VP9", "cc 85 01 a0", "4c a0"},
		{"with a scalability structure", "video/VP9", "8a 05 18 00", "0a 18 00"},
		{"flexible", "video/VP9", "98 05 a0", "08 a0"},
		{"flexible, two references", "video/VP9", "dc 85 01 03 04 a0 01", "4c a0 01"},
		{"unterminated references", "video/VP9", "dc 05 03 03", "dc 05 03 03"},
		{"layers", "video/VP9", "a8 05 00 00 a0", "a8 05 00 00 a0"},
		{"only a descriptor", "video/VP9", "88 05", "88 05"},
		{"empty", "video/VP9", "", ""},

		{"any packet", "video/H264", "90 80 05 10", "90 80 05 10"},
		{"any packet", "audio/opus", "8c 05 a0", "8c 05 a0"},
	} {
		payload, err := hex.DecodeString(strings.ReplaceAll(test.payload, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		at, first := packet.StripPictureID(test.mime)(payload)
		sent := bytes.Clone(payload[at:])
		if len(sent) > 0 {
			sent[0] = first
		}
		if got := hex.EncodeToString(sent); got != strings.ReplaceAll(test.want, " ", "") {
			t.Errorf("%s, %s: %s, want %s", test.mime, test.name, got, test.want)
		}
	}
}

// TestStripPictureIDOfPackets: frames survive pion's packetizers and StripPictureID.
func TestStripPictureIDOfPackets(t *testing.T) {
	frame := vp8Frame(true)
	keyframe := []byte{0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0e, 0xf6} // of 320 by 240
	vp9 := append(keyframe, make([]byte, 3000)...)
	for _, test := range []struct {
		mime         string
		payloader    rtp.Payloader
		depacketizer func() (p rtp.Depacketizer, numbered func() bool)
		frame        []byte
	}{
		{webrtc.MimeTypeVP8, &codecs.VP8Payloader{EnablePictureID: true}, vp8Packet, frame},
		{webrtc.MimeTypeVP9, &codecs.VP9Payloader{}, vp9Packet, vp9},
		{webrtc.MimeTypeVP9, &codecs.VP9Payloader{FlexibleMode: true}, vp9Packet, vp9},
	} {
		for range 200 { // from 128 on, VP8's numbers have two bytes
			var got []byte
			for _, payload := range test.payloader.Payload(1200, test.frame) {
				at, first := packet.StripPictureID(test.mime)(payload)
				depacketizer, numbered := test.depacketizer()
				part, err := depacketizer.Unmarshal(append([]byte{first}, payload[at+1:]...))
				if err != nil {
					t.Fatal(err)
				}
				if numbered() {
					t.Fatalf("%s: %x… still has a picture id", test.mime, payload[:4])
				}
				got = append(got, part...)
			}
			if !bytes.Equal(got, test.frame) {
				t.Fatalf("%s: the frame has changed", test.mime)
			}
		}
	}
}

func vp8Packet() (rtp.Depacketizer, func() bool) {
	p := new(codecs.VP8Packet)
	return p, func() bool { return p.I != 0 }
}

func vp9Packet() (rtp.Depacketizer, func() bool) {
	p := new(codecs.VP9Packet)
	return p, func() bool { return p.I }
}
