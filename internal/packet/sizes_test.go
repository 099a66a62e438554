package packet_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"noom/internal/packet"
)

// TestSizes: heights of the pictures and layers of the packets, of one source each.
func TestSizes(t *testing.T) {
	type step struct {
		name, payload string
		want          packet.Spatial
		ok            bool
		heights       []int
	}
	for _, test := range []struct {
		mime  string
		steps []step
	}{
		{"video/VP8", []step{
			{"not a key frame", "10 11 00 00", packet.Spatial{}, false, nil},
			{"a key frame", "90 80 05 10 00 00 9d 01 2a 40 01 b4 00", packet.Spatial{}, false, []int{180}},
			{"upscaled, cut", "10 10 00 00 9d 01 2a 40 01 d0", packet.Spatial{}, false, []int{180}},
			{"a larger one, upscaled", "10 10 00 00 9d 01 2a 40 01 d0 42", packet.Spatial{}, false, []int{720}},
			{"its rest", "00 10 00 00 9d 01 2a 40 01 b4 00", packet.Spatial{}, false, []int{720}},
			{"no start code", "10 10 00 00 9d 01 2b 40 01 b4 00", packet.Spatial{}, false, []int{720}},
			{"nothing", "", packet.Spatial{}, false, []int{720}},
		}},
		{"video/VP9", []step{
			{"one layer", "8a 05 08 00 00", packet.Spatial{Key: true}, false, nil},
			{"one layer, its size", "8a 05 10 05 00 02 d0 00", packet.Spatial{Key: true}, false, []int{720}},
			{"three layers", "aa 85 01 00 00 50 01 40 00 b4 02 80 01 68 05 00 02 d0 00", packet.Spatial{Key: true}, true, []int{180, 360, 720}},
			{"the end of the lowest", "a4 85 01 00 00 00", packet.Spatial{Ends: true}, true, []int{180, 360, 720}},
			{"the second", "ac 85 01 03 00 00", packet.Spatial{ID: 1, Ends: true}, true, []int{180, 360, 720}},
			{"a later picture", "ec 85 02 00 01 00", packet.Spatial{Ends: true}, true, []int{180, 360, 720}},
			{"flexible", "fc 05 04 03 02 00", packet.Spatial{ID: 2, Ends: true}, true, []int{180, 360, 720}},
			{"flexible, a key frame", "ba 05 00 30 01 40 00 b4 02 80 01 68", packet.Spatial{Key: true}, true, []int{180, 360}},
			{"cut", "aa 85 01 00 00 50 01 40 00", packet.Spatial{Key: true}, true, []int{180, 360}},
			{"cut", "a8 85 01", packet.Spatial{}, false, []int{180, 360}},
			{"cut", "fc 05 04 03", packet.Spatial{}, false, []int{180, 360}},
			{"nothing", "", packet.Spatial{}, false, []int{180, 360}},
		}},
		{"video/H264", []step{
			{"1280×720, with its other set", "78 00 09 67 42 c0 1f da 01 40 16 e4 00 04 68 ce 3c 80", packet.Spatial{}, false, []int{720}},
			{"a picture", "65 88 84", packet.Spatial{}, false, []int{720}},
			{"1920×1080, cropped, interlaced", "67 4d 00 28 da 01 e0 11 1f 68", packet.Spatial{}, false, []int{1080}},
			{"720 again", "67 42 c0 1f da 01 40 16 e4", packet.Spatial{}, false, []int{720}},
			{"1920×1080, cropped, high", "67 64 00 28 ac da 01 e0 08 9f 95", packet.Spatial{}, false, []int{1080}},
			{"cut", "67 42 c0 1f 8c", packet.Spatial{}, false, []int{1080}},
		}},
		{"audio/opus", []step{{"anything", "78 00 0d", packet.Spatial{}, false, nil}}},
	} {
		reader := packet.NewSizeReader(test.mime)
		for _, s := range test.steps {
			payload, err := hex.DecodeString(strings.ReplaceAll(s.payload, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			got, ok := reader.Read(&rtp.Header{}, payload)
			if ok != s.ok || ok && got != s.want || !slices.Equal(reader.Heights(), s.heights) {
				t.Errorf("%s, %s: %+v, %v, %v, want %+v, %v, %v", test.mime, s.name, got, ok, reader.Heights(), s.want, s.ok, s.heights)
			}
		}
	}
}

// TestSizesInDescriptors: AV1 says the layers and their heights in the dependency descriptor.
func TestSizesInDescriptors(t *testing.T) {
	one, two := &threeTemporal, &twoByTwo
	reader := packet.NewSizeReader("video/AV1")
	for _, s := range []struct {
		name       string
		descriptor []byte
		want       packet.Spatial
		ok         bool
		heights    []int
	}{
		{"before a key frame", descriptor(1, nil, false, "", two), packet.Spatial{}, false, nil},
		{"a key frame", descriptor(0, two, false, "", two), packet.Spatial{Ends: true, Key: true}, true, []int{180, 360}},
		{"the higher picture", descriptor(3, nil, false, "", two), packet.Spatial{ID: 1, Ends: true}, true, []int{180, 360}},
		{"the lower one", descriptor(1, nil, false, "", two), packet.Spatial{Ends: true}, true, []int{180, 360}},
		{"a key frame without sizes", descriptor(0, one, false, "", one), packet.Spatial{Ends: true, Key: true}, true, nil},
	} {
		header := &rtp.Header{}
		if err := header.SetExtension(packet.DependencyID, s.descriptor); err != nil {
			t.Fatal(err)
		}
		if got, ok := reader.Read(header, nil); ok != s.ok || got != s.want || !slices.Equal(reader.Heights(), s.heights) {
			t.Errorf("%s: %+v, %v, %v, want %+v, %v, %v", s.name, got, ok, reader.Heights(), s.want, s.ok, s.heights)
		}
	}
	if _, ok := reader.Read(&rtp.Header{}, []byte{1, 2}); ok {
		t.Error("a packet without a descriptor has a layer")
	}
}

// FuzzSizes compares layers and heights with pion's parser of VP9, and reads anything as each codec.
func FuzzSizes(f *testing.F) {
	f.Add([]byte{0xaa, 0x85, 0x01, 0, 0, 0x50, 1, 0x40, 0, 0xb4, 2, 0x80, 1, 0x68, 5, 0, 2, 0xd0, 0})
	f.Add([]byte{0xfc, 5, 4, 3, 2, 0})
	f.Add([]byte{0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x1e, 0xd0})
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, mime := range []string{"video/VP8", "video/H264", "video/AV1"} {
			reader := packet.NewSizeReader(mime)
			header := &rtp.Header{}
			if len(payload) < 255 {
				if err := header.SetExtensionWithProfile(packet.DependencyID, payload, rtp.ExtensionProfileTwoByte); err != nil {
					t.Fatal(err)
				}
			}
			reader.Read(header, payload)
		}
		reader := packet.NewSizeReader("video/VP9")
		layer, ok := reader.Read(&rtp.Header{}, payload)
		var vp9 codecs.VP9Packet
		if _, err := vp9.Unmarshal(bytes.Clone(payload)); err != nil {
			return
		}
		key := vp9.B && !vp9.P && vp9.SID == 0
		if ok != vp9.L || ok && (layer.ID != vp9.SID || layer.Ends != vp9.E || layer.Key != key) {
			t.Errorf("%x: %+v, %v; pion: %v, %d, %v, %v", payload, layer, ok, vp9.L, vp9.SID, vp9.E, key)
		}
		if vp9.V && vp9.Y && !slices.EqualFunc(reader.Heights(), vp9.Height, func(h int, pions uint16) bool { return h == int(pions) }) {
			t.Errorf("%x: %v; pion: %v", payload, reader.Heights(), vp9.Height)
		}
	})
}
