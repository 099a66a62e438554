package packet_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"noom/internal/packet"
)

// layerOf reads the layer of the first packet of a source.
func layerOf(mime string, payload []byte) (packet.Layer, bool) {
	reader := packet.NewLayerReader(mime)
	return reader.Read(&rtp.Header{}, payload)
}

func TestLayersInPayloads(t *testing.T) {
	for _, test := range []struct {
		name, mime, payload string
		want                packet.Layer
		ok                  bool
	}{
		{"plain", "video/VP8", "10 10 02", packet.Layer{}, false},
		{"picture id alone", "video/VP8", "90 80 05 10", packet.Layer{}, false},
		{"key index alone", "video/VP8", "90 10 01 10", packet.Layer{}, false},
		{"base", "video/VP8", "90 e0 05 01 00 10", packet.Layer{}, true},
		{"layer 2", "video/VP8", "90 e0 85 11 01 80 11", packet.Layer{ID: 2}, true},
		{"layer 1, sync", "video/VP8", "90 20 60 11", packet.Layer{ID: 1, Sync: true}, true},
		{"truncated", "video/VP8", "90 e0 05 01", packet.Layer{}, false},
		{"only a descriptor", "video/VP8", "90 20 60", packet.Layer{}, false},
		{"empty", "video/VP8", "", packet.Layer{}, false},

		{"plain", "video/VP9", "88 05 a0", packet.Layer{}, false},
		{"base", "video/VP9", "a8 05 00 00 a0", packet.Layer{}, true},
		{"layer 1, 15-bit picture id", "video/VP9", "a8 85 01 20 00 a0", packet.Layer{ID: 1}, true},
		{"no picture id, may switch up", "video/VP9", "28 50 00 a0", packet.Layer{ID: 2, SwitchUp: true}, true},
		{"spatial layer", "video/VP9", "28 02 00 a0", packet.Layer{}, true},
		{"truncated", "video/VP9", "a8 85 01", packet.Layer{}, false},
		{"empty", "video/VP9", "", packet.Layer{}, false},

		{"no descriptor", "video/AV1", "90 20 60 11", packet.Layer{}, false},
		{"any packet", "video/H264", "90 20 60 11", packet.Layer{}, false},
	} {
		payload, err := hex.DecodeString(strings.ReplaceAll(test.payload, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := layerOf(test.mime, payload); got != test.want || ok != test.ok {
			t.Errorf("%s, %s: %+v, %v, want %+v, %v", test.mime, test.name, got, ok, test.want, test.ok)
		}
	}
}

// FuzzLayersInPayloads compares layers with pion's parsers, and checks that VP8 packets whose picture
// id is stripped say nothing of layers, so that no peer misses what was left out.
func FuzzLayersInPayloads(f *testing.F) {
	f.Add([]byte{0x90, 0xe0, 0x85, 0x11, 0x01, 0x60, 0x10})
	f.Add([]byte{0xa8, 0x85, 0x01, 0x70, 0, 0xa0})
	f.Add([]byte{0x28, 0x50, 0, 0xa0})
	f.Fuzz(func(t *testing.T, payload []byte) {
		layer, ok := layerOf("video/VP8", payload)
		var vp8 codecs.VP8Packet
		if body, err := vp8.Unmarshal(bytes.Clone(payload)); err == nil && len(body) > 0 {
			if ok != (vp8.T == 1) || ok && (layer.ID != vp8.TID || layer.Sync != (vp8.Y == 1)) {
				t.Errorf("VP8 %x: %+v, %v; pion: %d, %d, %d", payload, layer, ok, vp8.T, vp8.TID, vp8.Y)
			}
			at, first := packet.StripPictureID("video/VP8")(payload)
			if _, again := layerOf("video/VP8", append([]byte{first}, payload[at+1:]...)); again {
				t.Errorf("VP8 %x still has layers without its picture id", payload)
			}
		}
		layer, ok = layerOf("video/VP9", payload)
		var vp9 codecs.VP9Packet
		if _, err := vp9.Unmarshal(bytes.Clone(payload)); err == nil {
			if ok != vp9.L || ok && (layer.ID != vp9.TID || layer.SwitchUp != vp9.U) {
				t.Errorf("VP9 %x: %+v, %v; pion: %v, %d, %v", payload, layer, ok, vp9.L, vp9.TID, vp9.U)
			}
		}
	})
}

// TestMixedLayers: layers count for nothing once frames of one time are of several, because they leave together.
func TestMixedLayers(t *testing.T) {
	reader := packet.NewLayerReader("video/VP9")
	for i, test := range []struct {
		timestamp uint32
		layers    byte // TID, U, SID, D
		want      bool
	}{
		{1, 0x00, true}, {1, 0x02, true}, {2, 0x20, true}, {2, 0x22, true}, {3, 0x00, true}, {3, 0x22, false}, {4, 0x00, false},
	} {
		if _, ok := reader.Read(&rtp.Header{Timestamp: test.timestamp}, []byte{0x28, test.layers, 0, 0xa0}); ok != test.want {
			t.Errorf("packet %d: %v, want %v", i, ok, test.want)
		}
	}
}
