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

func TestKeyframeStart(t *testing.T) {
	for _, test := range []struct {
		name, mime, payload string
		want                bool
	}{
		{"plain descriptor, key frame", "video/VP8", "10 10 02 00", true},
		{"plain descriptor, other frame", "video/VP8", "10 11 02 00", false},
		{"not the first packet", "video/VP8", "00 10 02 00", false},
		{"not the first partition", "video/VP8", "11 10 02 00", false},
		{"7-bit picture id", "video/VP8", "90 80 05 10", true},
		{"15-bit picture id", "video/VP8", "90 80 85 11 10", true},
		{"15-bit picture id, other frame", "video/VP8", "90 80 85 10 11", false},
		{"all fields", "video/VP8", "90 f0 85 11 01 60 10", true},
		{"all fields, other frame", "video/VP8", "90 f0 85 11 01 60 11", false},
		{"key index without layers", "video/VP8", "90 10 01 10", true},
		{"only a descriptor", "video/VP8", "90 f0 85 11 01 60", false},
		{"truncated in the descriptor", "video/VP8", "90 80", false},
		{"empty", "video/VP8", "", false},

		{"key frame", "video/VP9", "88 05 a0", true},
		{"flexible mode", "video/VP9", "98 85 01 a0", true},
		{"no picture id", "video/VP9", "08 a0", true},
		{"predicted", "video/VP9", "c8 05 a0", false},
		{"not the first packet", "video/VP9", "80 05 a0", false},
		{"lowest layer", "video/VP9", "a8 05 00 00 a0", true},
		{"higher layer", "video/VP9", "a8 05 02 00 a0", false},
		{"higher layer, 15-bit picture id", "video/VP9", "a8 85 00 02 00 a0", false},
		{"truncated in the descriptor", "video/VP9", "a8 85 01", false},
		{"empty", "video/VP9", "", false},

		{"parameter set", "video/H264", "67 42 e0 1f", true},
		{"picture parameter set", "video/H264", "68 ce", false},
		{"first IDR slice", "video/H264", "65 88 84", true},
		{"second IDR slice", "video/H264", "65 40 84", false},
		{"other slice", "video/H264", "61 88 84", false},
		{"STAP-A with a parameter set", "video/H264", "78 00 02 67 42 00 02 68 ce", true},
		{"STAP-A, parameter set second", "video/H264", "78 00 02 09 10 00 02 67 42", true},
		{"STAP-A without a parameter set", "video/H264", "78 00 02 09 10 00 02 61 88", false},
		{"STAP-A with a wrong size", "video/H264", "78 00 ff 09 10 00 02 67 42", false},
		{"STAP-A with an empty unit", "video/H264", "78 00 00 67 42", false},
		{"FU-A, start of IDR", "video/H264", "7c 85 88", true},
		{"FU-A, middle of IDR", "video/H264", "7c 05 88", false},
		{"FU-A, start of another slice", "video/H264", "7c 81 88", false},
		{"FU-A, truncated", "video/H264", "7c 85", false},
		{"empty", "video/H264", "", false},

		{"new sequence", "video/AV1", "18 0a 0b", true},
		{"same sequence", "video/AV1", "10 32 0b", false},
		{"fragment", "video/AV1", "98 32 0b", false},
		{"only a header", "video/AV1", "18", false},
		{"empty", "video/AV1", "", false},

		{"any packet", "audio/opus", "f8 ff fe", true},
		{"any packet", "video/unknown", "", true},
	} {
		payload, err := hex.DecodeString(strings.ReplaceAll(test.payload, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := packet.KeyframeStart(test.mime)(payload); got != test.want {
			t.Errorf("%s, %s: %v, want %v", test.mime, test.name, got, test.want)
		}
	}
}

// TestKeyframeStartOfPackets: key frames from pion's packetizers are recognised.
func TestKeyframeStartOfPackets(t *testing.T) {
	slice := func(first byte) []byte { return append([]byte{0, 0, 0, 1, first, 0x88}, make([]byte, 3000)...) }
	sequence := []byte{0x0a, 0x0a, 0, 0, 0, 0x42, 0xab, 0xbf, 0xc3, 0x70, 0x0b, 0xe0}
	frame := append([]byte{0x32, 0xb8, 0x17}, make([]byte, 3000)...)
	h264 := append([]byte{0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0, 0, 0, 1, 0x68, 0xce, 0x3c}, slice(0x65)...)
	for _, test := range []struct {
		mime      string
		payloader rtp.Payloader
		key, not  []byte
	}{
		{webrtc.MimeTypeVP8, &codecs.VP8Payloader{EnablePictureID: true}, vp8Frame(true), vp8Frame(false)},
		{webrtc.MimeTypeH264, &codecs.H264Payloader{}, h264, slice(0x61)},
		{webrtc.MimeTypeAV1, &codecs.AV1Payloader{}, append(sequence, frame...), frame},
	} {
		starts := packet.KeyframeStart(test.mime)
		for i, payload := range test.payloader.Payload(1200, test.key) {
			picture := i == 1 && test.mime == webrtc.MimeTypeH264 // follows its parameter sets
			if got := starts(payload); got != (i == 0 || picture) {
				t.Errorf("%s: packet %d of a key frame: %v (%x…)", test.mime, i, got, payload[:4])
			}
		}
		for i, payload := range test.payloader.Payload(1200, test.not) {
			if starts(payload) {
				t.Errorf("%s: packet %d of another frame", test.mime, i)
			}
		}
	}
}

func FuzzKeyframeStart(f *testing.F) {
	f.Add([]byte{0x90, 0xf0, 0x85, 0x11, 0x01, 0x60, 0x10})
	f.Add([]byte{0x78, 0, 2, 0x67, 0x42})
	f.Add([]byte{0xa8, 0x85, 0, 0})
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, mime := range []string{"video/VP8", "video/VP9", "video/H264", "video/AV1"} {
			if packet.KeyframeStart(mime)(payload) && len(payload) < 2 {
				t.Errorf("%s: %x counts as a key frame", mime, payload)
			}
			at, first := packet.StripPictureID(mime)(payload)
			sent := bytes.Clone(payload[at:])
			if len(sent) > 0 {
				sent[0] = first
			}
			if packet.KeyframeStart(mime)(sent) != packet.KeyframeStart(mime)(payload) {
				t.Errorf("%s: %x is sent as %x", mime, payload, sent)
			}
		}
	})
}

// vp8Frame returns a frame that takes several packets. All but its first byte is filler.
func vp8Frame(keyframe bool) []byte {
	b := bytes.Repeat([]byte{0xab}, 3000)
	b[0] = 1
	if keyframe {
		b[0] = 0
	}
	return b
}
