package packet_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pion/rtp"

	"noom/internal/packet"
)

// bitWriter is the other direction of what is tested, from the syntax in the payload format.
type bitWriter struct {
	bits []byte // 0 or 1 each
}

func (w *bitWriter) put(width, value int) {
	for i := width - 1; i >= 0; i-- {
		w.bits = append(w.bits, byte(value>>i&1))
	}
}

// putBelow is ns(n).
func (w *bitWriter) putBelow(n, value int) {
	width := 0
	for x := n; x != 0; x >>= 1 {
		width++
	}
	if shorter := 1<<width - n; value < shorter {
		w.put(width-1, value)
	} else {
		w.put(width, value+shorter)
	}
}

func (w *bitWriter) bytes() []byte {
	out := make([]byte, (len(w.bits)+7)/8)
	for i, bit := range w.bits {
		out[i/8] |= bit << (7 - i%8)
	}
	return out
}

// structure is what a key frame says of layers.
type structure struct {
	offset, chains int
	sizes          bool
	templates      []layerTemplate
}

type layerTemplate struct {
	spatial, temporal int
	targets           string // an indication for each: - D S R
	references        []int
}

// The structures of libwebrtc.
var (
	threeTemporal = structure{offset: 60, chains: 1, templates: []layerTemplate{ // L1T3
		{0, 0, "SSS", nil}, {0, 0, "SSS", []int{4}}, {0, 1, "-DS", []int{2}}, {0, 2, "--D", []int{1}}, {0, 2, "--D", []int{1}},
	}}
	twoByTwo = structure{offset: 5, chains: 2, sizes: true, templates: []layerTemplate{ // L2T2_KEY
		{0, 0, "SSSS", nil},
		{0, 0, "SS--", []int{4}},
		{0, 1, "-D--", []int{2}},
		{1, 0, "--SS", []int{1}},
		{1, 0, "--SS", []int{4}},
		{1, 1, "---D", []int{2}},
	}}
)

// descriptor returns the descriptor of a packet of a frame of that template. of is not nil for
// that of a key frame, and targets are the frame's own indications.
func descriptor(template int, of *structure, active bool, targets string, known *structure) []byte {
	w := &bitWriter{}
	w.put(2, 3)
	w.put(6, (known.offset+template)%64)
	w.put(16, 4711)
	if of == nil && !active && targets == "" {
		return w.bytes()
	}
	flag := func(set bool) {
		if set {
			w.put(1, 1)
		} else {
			w.put(1, 0)
		}
	}
	flag(of != nil)
	flag(active)
	flag(targets != "")
	w.put(2, 0)
	if of != nil {
		of.put(w)
	}
	if active {
		w.put(len(known.templates[0].targets), 1)
	}
	putIndications(w, targets)
	return w.bytes()
}

func putIndications(w *bitWriter, targets string) {
	for _, r := range targets {
		w.put(2, bytes.IndexRune([]byte("-DSR"), r))
	}
}

func (s *structure) put(w *bitWriter) {
	targets := len(s.templates[0].targets)
	w.put(6, s.offset)
	w.put(5, targets-1)
	for i, t := range s.templates[1:] {
		switch before := s.templates[i]; {
		case t.spatial > before.spatial:
			w.put(2, 2)
		case t.temporal > before.temporal:
			w.put(2, 1)
		default:
			w.put(2, 0)
		}
	}
	w.put(2, 3)
	for _, t := range s.templates {
		putIndications(w, t.targets)
	}
	for _, t := range s.templates {
		for _, back := range t.references {
			w.put(1, 1)
			w.put(4, back-1)
		}
		w.put(1, 0)
	}
	w.putBelow(targets+1, s.chains)
	for i := range targets {
		w.putBelow(s.chains, i%s.chains)
	}
	for range s.templates {
		for i := range s.chains {
			w.put(4, i)
		}
	}
	if !s.sizes {
		w.put(1, 0)
		return
	}
	w.put(1, 1)
	for i := range 1 + s.templates[len(s.templates)-1].spatial {
		w.put(16, 320<<i-1)
		w.put(16, 180<<i-1)
	}
}

func TestDependencies(t *testing.T) {
	type step struct {
		name       string
		descriptor []byte
		want       packet.Layer
		ok         bool
	}
	one, two := &threeTemporal, &twoByTwo
	for _, steps := range [][]step{
		{
			{"before a key frame", descriptor(1, nil, false, "", one), packet.Layer{}, false},
			{"a key frame", descriptor(0, one, false, "", one), packet.Layer{SwitchUp: true}, true},
			{"its next packet", descriptor(0, nil, false, "", one), packet.Layer{SwitchUp: true}, true},
			{"layer 2", descriptor(3, nil, false, "", one), packet.Layer{ID: 2}, true},
			{"layer 1", descriptor(2, nil, false, "", one), packet.Layer{ID: 1, SwitchUp: true}, true},
			{"layer 2, other references", descriptor(4, nil, false, "", one), packet.Layer{ID: 2}, true},
			{"layer 0", descriptor(1, nil, false, "", one), packet.Layer{SwitchUp: true}, true},
			{"layer 0, which others do not begin with", descriptor(1, nil, false, "SSR", one), packet.Layer{}, true},
			{"layer 0, fewer layers made", descriptor(1, nil, true, "SSR", one), packet.Layer{}, true},
			{"no such template", descriptor(5, nil, false, "", one), packet.Layer{}, false},
			{"cut", descriptor(1, nil, true, "SSR", one)[:4], packet.Layer{}, false},
			{"cut", descriptor(1, nil, false, "", one)[:2], packet.Layer{}, false},
			{"a key frame that is cut", descriptor(0, two, false, "", two)[:12], packet.Layer{}, false},
			{"which changes nothing", descriptor(2, nil, false, "", one), packet.Layer{ID: 1, SwitchUp: true}, true},
			{"a key frame of others", descriptor(0, two, true, "SSSS", two), packet.Layer{SwitchUp: true}, true},
			{"late", descriptor(2, nil, false, "", one), packet.Layer{}, false},
			{"the lower picture", descriptor(1, nil, false, "", two), packet.Layer{SwitchUp: true}, true},
			{"the higher picture", descriptor(4, nil, false, "", two), packet.Layer{SwitchUp: true}, true},
			{"layer 1 of the lower", descriptor(2, nil, false, "", two), packet.Layer{ID: 1}, true},
			{"layer 1 of the higher", descriptor(5, nil, false, "", two), packet.Layer{ID: 1}, true},
		},
		{{"nothing", nil, packet.Layer{}, false}, {"nothing", []byte{0xc0, 0, 0}, packet.Layer{}, false}},
		{{"templates without end", append([]byte{0xc0, 0, 0, 0x80}, make([]byte, 200)...), packet.Layer{}, false}},
	} {
		reader := packet.NewLayerReader("video/AV1")
		for i, s := range steps {
			header := &rtp.Header{Timestamp: uint32(i)}
			if err := header.SetExtension(packet.DependencyID, s.descriptor); err != nil {
				t.Fatal(err)
			}
			if got, ok := reader.Read(header, nil); got != s.want || ok != s.ok {
				t.Errorf("%s: %+v, %v, want %+v, %v", s.name, got, ok, s.want, s.ok)
			}
		}
	}
}

// TestMoveDependency: a descriptor that is longer than short headers allow, among others.
func TestMoveDependency(t *testing.T) {
	long := descriptor(0, &twoByTwo, false, "", &twoByTwo)
	for _, test := range []struct {
		descriptor []byte
		profile    uint16
		alone      bool
	}{
		{long, rtp.ExtensionProfileTwoByte, false},
		{long, rtp.ExtensionProfileTwoByte, true},
		{[]byte{1, 2, 3}, rtp.ExtensionProfileOneByte, false},
		{[]byte{1, 2, 3}, rtp.ExtensionProfileOneByte, true},
	} {
		header := &rtp.Header{Version: 2, Extension: true, ExtensionProfile: test.profile}
		var other []byte
		if !test.alone {
			other = []byte{9, 9}
			if err := header.SetExtension(3, other); err != nil {
				t.Fatal(err)
			}
		}
		if err := header.SetExtension(12, test.descriptor); err != nil {
			t.Fatal(err)
		}
		packet.MoveDependency(header, 12)
		raw, err := header.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var got rtp.Header
		if _, err := got.Unmarshal(raw); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.GetExtension(packet.DependencyID), test.descriptor) || got.GetExtension(12) != nil || !bytes.Equal(got.GetExtension(3), other) {
			t.Errorf("%+v", got)
		}
	}
	header := &rtp.Header{Version: 2}
	_ = header.SetExtension(3, []byte{1})
	packet.MoveDependency(header, 0)
	packet.MoveDependency(header, 12)
	if !slices.Equal(header.GetExtensionIDs(), []uint8{3}) {
		t.Errorf("a packet without one: %+v", header)
	}
}

// FuzzDependencies: any bytes are either understood or not, and what is not changes nothing.
func FuzzDependencies(f *testing.F) {
	f.Add(descriptor(0, &threeTemporal, false, "", &threeTemporal), uint64(1))
	f.Add(descriptor(0, &twoByTwo, true, "SSSS", &twoByTwo), uint64(2))
	f.Add(descriptor(1, nil, true, "SSR", &threeTemporal), uint64(3))
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		var d packet.Dependencies
		if layer, ok := d.Read(descriptor(0, &threeTemporal, false, "", &threeTemporal)); !ok || layer != (packet.Layer{SwitchUp: true}) {
			t.Fatalf("%+v, %v", layer, ok)
		}
		layer, ok := d.Read(raw)
		if ok && layer.ID > 63 {
			t.Errorf("layer %d", layer.ID)
		}
		random := rand.New(rand.NewPCG(seed, 0))
		for range 20 { // whatever it has remembered is of use
			if later, known := d.Read([]byte{byte(random.Uint32()), 0, 0}); known && later.ID > 63 {
				t.Errorf("layer %d", later.ID)
			}
		}
		if again, _ := d.Read(descriptor(2, nil, false, "", &threeTemporal)); !ok && again.ID != 1 {
			t.Errorf("%x was not understood, and %+v is forgotten", raw, again)
		}
	})
}
