package fanout

import (
	"encoding/hex"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/mediatest"
	"noom/internal/packet"
)

// layerPattern is that of libvpx with three temporal layers: their ids, and which frames depend
// on the base alone.
var layerPattern = []packet.Layer{{}, {ID: 2, Sync: true}, {ID: 1, Sync: true}, {ID: 2}}

// layeredFrames returns frames of two packets each, with layers in that pattern. The first is
// a key frame.
func layeredFrames(n int, pattern []packet.Layer) (frames [][]outgoingPacket) {
	run := &passage{seq: 65530, timestamp: 4_294_960_000} // both are about to wrap
	seq, timestamp := run.seq, run.timestamp
	for i := range n {
		var frame []outgoingPacket
		for j := range 2 {
			frame = append(frame, outgoingPacket{
				header: rtp.Header{SequenceNumber: seq, Timestamp: timestamp}, passage: run, keyframe: i+j == 0,
				layered: true, layer: pattern[i%len(pattern)], at: time.Unix(1e9, 0).Add(time.Duration(i) * mediatest.FrameTime),
			})
			seq++
		}
		timestamp += uint32(mediatest.FrameTime.Milliseconds() * 90)
		frames = append(frames, frame)
	}
	return frames
}

// gateRun is a gate with what left it.
type gateRun struct {
	gate
	left []int // the numbers of the frames
	seq  []uint16
	lost int
}

func newGateRun() *gateRun {
	return &gateRun{gate: gate{video: true, stitch: stitch{clockRate: 90000}}}
}

func (g *gateRun) frame(t *testing.T, number int, frame []outgoingPacket, age time.Duration, limit uint8) {
	t.Helper()
	left := 0
	for _, p := range frame {
		leaves, lost := g.admit(&p, age, limit)
		if lost {
			g.lost++
		}
		if !leaves {
			continue
		}
		seq, _, ok := g.stitch.next(p.header.SequenceNumber, p.header.Timestamp, p.at)
		if n := len(g.seq); !ok || n > 0 && seq != g.seq[n-1]+1 {
			t.Errorf("frame %d: number %d, %v, after %v", number, seq, ok, g.seq)
		}
		g.seq = append(g.seq, seq)
		left++
	}
	if left != 0 && left != len(frame) {
		t.Errorf("frame %d: %d of %d packets left", number, left, len(frame))
	}
	if left > 0 {
		g.left = append(g.left, number)
	}
}

// TestUpperLayersAreLeftOut: a limit lets through what depends on lower layers only, and a
// higher one takes effect where the source says that it may.
func TestUpperLayersAreLeftOut(t *testing.T) {
	vp9 := []packet.Layer{{SwitchUp: true}, {ID: 2}, {ID: 1}, {ID: 2}}
	for _, test := range []struct {
		name    string
		pattern []packet.Layer
		limit   func(frame int) uint8
		want    []int
	}{
		{"all", layerPattern, func(int) uint8 { return AllLayers }, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{"the base", layerPattern, func(int) uint8 { return 0 }, []int{0, 4, 8}},
		{"two layers", layerPattern, func(int) uint8 { return 1 }, []int{0, 2, 4, 6, 8, 10}},
		{"lowered", layerPattern, func(i int) uint8 { return uint8(2 - min(2, i/2)) }, []int{0, 1, 2, 4, 8}},
		{"raised", layerPattern, func(i int) uint8 { return uint8(min(2, i)) }, []int{0, 2, 4, 5, 6, 7, 8, 9, 10, 11}},
		{"raised, VP9", vp9, func(i int) uint8 { return uint8(min(2, i/2)) }, []int{0, 4, 5, 6, 7, 8, 9, 10, 11}},
		{"lowered, VP9", vp9, func(i int) uint8 { return uint8(2 - min(2, i/2)) }, []int{0, 1, 2, 4, 8}},
	} {
		g := newGateRun()
		for i, frame := range layeredFrames(12, test.pattern) {
			g.frame(t, i, frame, 0, test.limit(i))
		}
		if !slices.Equal(g.left, test.want) || g.lost != 0 {
			t.Errorf("%s: frames %v, %d lost, want %v", test.name, g.left, g.lost, test.want)
		}
	}
}

// TestLateFramesAreLeftOut: first the upper layers, and then all up to the next key frame.
func TestLateFramesAreLeftOut(t *testing.T) {
	for _, test := range []struct {
		name string
		age  map[int]time.Duration
		want []int
		lost int
	}{
		{"an upper layer", map[int]time.Duration{3: maxWait/2 + 1}, []int{0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11}, 0},
		{"a layer on which others depend", map[int]time.Duration{2: maxWait/2 + 1}, []int{0, 1, 4, 6, 8, 9, 10, 11}, 0},
		{"the base, in time", map[int]time.Duration{4: maxWait}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 0},
		{"the base", map[int]time.Duration{4: maxWait + 1, 5: time.Hour, 6: time.Hour}, []int{0, 1, 2, 3, 9, 10, 11}, 1},
		{"a key frame", map[int]time.Duration{9: maxWait + 1}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, 1},
	} {
		g := newGateRun()
		for i, frame := range layeredFrames(12, layerPattern) {
			if test.lost > 0 && i == 9 {
				frame[0].keyframe = true
			}
			if test.lost > 0 && i >= 9 {
				for j := range frame {
					frame[j].layer = packet.Layer{}
				}
			}
			g.frame(t, i, frame, test.age[i], AllLayers)
		}
		if !slices.Equal(g.left, test.want) || g.lost != test.lost {
			t.Errorf("%s: frames %v, %d lost, want %v, %d lost", test.name, g.left, g.lost, test.want, test.lost)
		}
	}
}

// TestLatePacketsOfLeftOutFrames: packets in disorder never get the number of another.
func TestLatePacketsOfLeftOutFrames(t *testing.T) {
	g := newGateRun()
	frames := layeredFrames(4, layerPattern)
	seen := map[uint16]bool{}
	for _, p := range []outgoingPacket{
		frames[0][0], frames[0][1], frames[1][1], frames[2][0], frames[1][0], frames[3][0], frames[2][1], frames[3][1],
	} {
		leaves, _ := g.admit(&p, 0, 0)
		if !leaves {
			continue
		}
		seq, _, ok := g.stitch.next(p.header.SequenceNumber, p.header.Timestamp, p.at)
		if ok && seen[seq] {
			t.Errorf("number %d was given twice", seq)
		}
		seen[seq] = true
	}
}

// TestSoundDoesNotWait: a sound that waited too long is left out, and the next one needs nothing.
func TestSoundDoesNotWait(t *testing.T) {
	g := gate{stitch: stitch{clockRate: 48000}}
	run := &passage{}
	var left []int
	for i := range 5 {
		p := outgoingPacket{header: rtp.Header{SequenceNumber: uint16(i), Timestamp: uint32(960 * i)}, passage: run, keyframe: true}
		if leaves, _ := g.admit(&p, time.Duration(i%2)*2*maxWait, 0); leaves {
			left = append(left, i)
			if seq, timestamp, _ := g.stitch.next(p.header.SequenceNumber, p.header.Timestamp, p.at); seq != g.stitch.seq || timestamp != g.stitch.timestamp {
				t.Error("not the next number")
			}
		}
	}
	if !slices.Equal(left, []int{0, 2, 4}) {
		t.Errorf("sounds %v", left)
	}
}

// TestSoundGoesOnAfterALoss: sound that was given away before the connection was up is lost, and what follows is not.
func TestSoundGoesOnAfterALoss(t *testing.T) {
	g := gate{stitch: stitch{clockRate: 48000}}
	run := &passage{seq: 7, timestamp: 960}
	for i := range uint16(5) {
		out := outgoingPacket{header: rtp.Header{SequenceNumber: 7 + i, Timestamp: 960 * uint32(1+i)}, passage: run, at: time.Unix(1e9, 0)}
		if leaves, lost := g.admit(&out, 0, 0); !leaves || lost {
			t.Errorf("packet %d leaves: %v, a key frame is wanted: %v", i, leaves, lost)
		}
		if i < 2 && g.lose(run) {
			t.Error("a key frame of sound is wanted")
		}
	}
}

// TestLimitOfALeg: layers that a source marks are left out of the leg that has a limit.
func TestLimitOfALeg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track, err := webrtc.NewTrackLocalStaticRTP(mediatest.VP8, "x", "y")
		must(t, err)
		s := publishTrack(t, track)
		_, all := boundLeg(t, s)
		l, some := boundLeg(t, s)
		l.Limit(0)
		for i := range 8 {
			layer := layerPattern[i%4]
			b := layer.ID << 6
			if layer.Sync {
				b |= 0x20
			}
			must(t, track.WriteRTP(&rtp.Packet{
				Header:  rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i * 3600), Marker: true},
				Payload: []byte{0x90, 0x20, b, min(1, byte(i)), byte(i)},
			}))
		}
		if got := some.took(t); len(got) != 2 || got[1][2] != 4 {
			t.Errorf("the leg with a limit got %x", got)
		}
		if got := all.took(t); len(got) != 8 {
			t.Errorf("the other leg got %x", got)
		}
	})
}

// TestLimitOfAV1: its layers are in an extension, which refers to what the key frame has said. The peer gets that, and
// no layers that are left out. Of a source that says nothing, it gets everything.
func TestLimitOfAV1(t *testing.T) {
	const keyframe = "fc0001878214eaa860414d1410200000"
	synctest.Test(t, func(t *testing.T) {
		for _, marked := range []bool{true, false} {
			track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeAV1, ClockRate: 90000}, "x", "y")
			must(t, err)
			l, wire := boundLeg(t, publishTrack(t, track))
			l.Limit(0)
			left := 0
			show := func(i int) {
				p := &rtp.Packet{
					Header:  rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i * 3600), Marker: true},
					Payload: []byte{0x10, 0x30, byte(i)},
				}
				said := []byte{0xc0 | []byte{61, 63, 62, 0}[i%4], 0, byte(i)}
				if i == 0 {
					p.Payload[0] |= 0x08
					said, err = hex.DecodeString(keyframe)
					must(t, err)
				}
				if marked {
					must(t, p.SetExtensionWithProfile(packet.DependencyID, said, rtp.ExtensionProfileTwoByte))
				}
				must(t, track.WriteRTP(p))
				left = len(wire.headers())
			}
			for i := range 8 {
				show(i)
			}
			if want := map[bool]int{true: 2, false: 8}[marked]; left != want {
				t.Errorf("%d packets left, want %d", left, want)
			}
			l.Limit(1)
			for i := range 8 {
				show(8 + i)
			}
			if want := map[bool]int{true: 6, false: 16}[marked]; left != want {
				t.Errorf("%d packets left, want %d", left, want)
			}
			for i, h := range wire.headers() {
				if h.Extension != marked || i > 0 && h.SequenceNumber != wire.headers()[i-1].SequenceNumber+1 {
					t.Errorf("packet %d: %+v", i, h)
				}
			}
		}
	})
}
