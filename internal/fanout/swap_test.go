package fanout

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"
	xvp8 "golang.org/x/image/vp8"

	"noom/internal/mediatest"
	ourmedia "noom/media"
)

// maxFreeze is how long a picture may stand still during a swap.
const maxFreeze = 500 * time.Millisecond

// picture is a frame that arrived: which source it came from and which of that
// source's frames it is.
type picture struct {
	at       time.Time
	source   string
	number   int
	keyframe bool
	width    int // of key frames
}

// follows reports whether a decoder that has shown before can show p.
func (p picture) follows(before picture) bool {
	return p.keyframe || p.source == before.source && p.number == before.number+1
}

// spoolCamera is a camera that writes by itself. Each frame has the camera's name and its number. A
// key frame comes every so many frames, or on request.
type spoolCamera struct {
	mediatest.Camera
	name   string
	every  int
	wishes atomic.Int32
}

func (s *spoolCamera) run(ctx context.Context, t *testing.T) {
	t.Helper()
	for n := 0; ctx.Err() == nil; n++ {
		keyframe := n%s.every == 0 || s.wishes.Swap(0) > 0
		switch c := s.Camera.(type) {
		case mediatest.SampleCamera:
			must(t, c.WriteSample(media.Sample{Data: s.picture(n, keyframe), Duration: mediatest.FrameTime}))
		case mediatest.RTPCamera:
			for _, p := range c.Packetizer.Packetize(s.picture(n, keyframe), uint32(mediatest.FrameTime.Milliseconds()*90)) {
				must(t, c.WriteRTP(p))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(mediatest.FrameTime):
		}
	}
}

const spoolMark = "spool "

func (s *spoolCamera) picture(n int, keyframe bool) []byte {
	b := append(mediatest.VP8Frame(uint32(n), keyframe)[:5], spoolMark...)
	b = append(b, s.name...)
	return append(b, make([]byte, 2000)...)
}

// Bind also counts requests for key frames.
func (s *spoolCamera) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec, err := s.Camera.Bind(ctx)
	if err == nil && s.every > 100 {
		go func() {
			b := make([]byte, 1500)
			for {
				if _, _, readErr := ctx.RTCPReader().Read(b, nil); readErr != nil {
					return
				}
				s.wishes.Add(1)
			}
		}()
	}
	return codec, err
}

// screening recognises the sources of frames.
type screening struct {
	files map[string]picture // of an IVF file, by its frames
}

func (s *screening) file(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	r, header, err := ivfreader.NewWith(bytes.NewReader(b))
	must(t, err)
	for n := 0; ; n++ {
		frame, _, err := r.ParseNextFrame()
		if err != nil {
			return
		}
		s.files[string(frame)] = picture{source: path, number: n, keyframe: frame[0]&1 == 0, width: int(header.Width)}
	}
}

func (s *screening) identify(t *testing.T, frame []byte) picture {
	t.Helper()
	if p, ok := s.files[string(frame)]; ok {
		return p
	}
	keyframe := frame[0]&1 == 0
	if rest, ok := bytes.CutPrefix(frame[5:], []byte(spoolMark)); ok {
		number := int(binary.BigEndian.Uint32(frame[1:]))
		return picture{source: string(rest[:1]), number: number, keyframe: keyframe, width: 16}
	}
	d := xvp8.NewDecoder()
	d.Init(bytes.NewReader(frame), len(frame))
	header, err := d.DecodeFrameHeader()
	must(t, err)
	image, err := d.DecodeFrame()
	must(t, err)
	number, ok := ourmedia.PatternFrame(image)
	if !ok {
		t.Fatal("a frame from no known source")
	}
	return picture{source: "pattern", number: number, keyframe: true, width: header.Width}
}

// pictures assembles the frames on a tape.
func (s *screening) pictures(t *testing.T, r *mediatest.Tape) (pictures []picture) {
	t.Helper()
	packets, times := r.All(t), r.Times()
	var frame []byte
	for i, packet := range packets {
		if i > 0 && packet.SequenceNumber != packets[i-1].SequenceNumber+1 {
			t.Fatalf("packet %d has sequence number %d after %d", i, packet.SequenceNumber, packets[i-1].SequenceNumber)
		}
		var p codecs.VP8Packet
		body, err := p.Unmarshal(packet.Payload)
		must(t, err)
		if p.S == 1 {
			frame = nil // a swap in the middle of a frame cuts it off
		}
		frame = append(frame, body...)
		if packet.Marker {
			shown := s.identify(t, frame)
			shown.at = times[i]
			pictures = append(pictures, shown)
			frame = nil
		}
	}
	return pictures
}

// TestSwapsOfEveryKindOfSource makes five hundred swaps among all kinds of sources of one
// codec, in any order and at any pace, some of them back before the new source has a key
// frame. The sources differ in size. No peer's picture stands still, and every frame that
// arrives can be decoded.
func TestSwapsOfEveryKindOfSource(t *testing.T) {
	const file = "../../media/testdata/vp8.ivf"
	swaps := 500
	if testing.Short() {
		swaps = 60
	}
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		ctx, stop := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		defer writers.Wait()
		defer stop()
		var tracks []webrtc.TrackLocal
		for _, s := range []*spoolCamera{
			{Camera: mediatest.NewSampleCamera(t), name: "A", every: 25},  // an application's, a key frame a second
			{Camera: mediatest.NewSampleCamera(t), name: "B", every: 1e9}, // an encoder's, key frames on request
			{Camera: mediatest.NewRTPCamera(t), name: "C", every: 25},     // forwarded packets
			{Camera: mediatest.NewRTPCamera(t), name: "D", every: 1e9},    // forwarded packets, key frames on request
		} {
			writers.Go(func() { s.run(ctx, t) })
			tracks = append(tracks, s)
		}
		ivf, err := ourmedia.OpenIVF(file, nil)
		must(t, err)
		fast := ourmedia.TestPattern(&ourmedia.PatternOptions{FPS: 30})
		for _, s := range []*ourmedia.Source{ivf, ourmedia.TestPattern(nil), fast} {
			defer func() { _ = s.Close() }() // nothing to lose
			tracks = append(tracks, s)
		}

		s := publishTrack(t, tracks[0])
		var peers []*receiver
		for range 2 {
			peers = append(peers, receiveLegs(t, network, []*Leg{legOf(s)}))
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range swaps {
			must(t, s.ReplaceTrack(tracks[random.IntN(len(tracks))]))
			time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		}
		screen := screening{files: map[string]picture{}}
		screen.file(t, file)
		for i, peer := range peers {
			judgePictures(t, i, screen.pictures(t, peer.tapes[0]), swaps/3)
		}
	})
}

// judgePictures checks that there are enough changes of source, and that none of them shows.
func judgePictures(t *testing.T, peer int, pictures []picture, changes int) {
	t.Helper()
	sources, widths := map[string]int{}, map[int]bool{}
	var longest time.Duration
	changed := 0
	for i, p := range pictures[1:] {
		before := pictures[i]
		if !p.follows(before) {
			t.Fatalf("peer %d: frame %d of %s cannot be decoded after %d of %s",
				peer, p.number, p.source, before.number, before.source)
		}
		if p.source != before.source {
			changed++
		}
		sources[p.source]++
		if p.keyframe {
			widths[p.width] = true
		}
		longest = max(longest, p.at.Sub(before.at))
	}
	if longest > maxFreeze {
		t.Errorf("peer %d: the picture stood still for %v", peer, longest)
	}
	if len(sources) != 6 || len(widths) != 3 || changed < changes {
		t.Errorf("peer %d: %d changes between %v, widths %v", peer, changed, sources, widths)
	}
	t.Logf("peer %d: %d frames, %d changes of source, at most %v between two frames", peer, len(pictures), changed, longest)
}
