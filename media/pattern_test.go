package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/image/vp8"
)

func decode(t *testing.T, b []byte) *image.YCbCr {
	t.Helper()
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(b), len(b))
	h, err := d.DecodeFrameHeader()
	if err != nil {
		t.Fatal(err)
	}
	if !h.KeyFrame || h.Width != PatternWidth || h.Height != PatternHeight {
		t.Fatalf("header %+v", h)
	}
	picture, err := d.DecodeFrame()
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// Every block of every frame comes out exactly as it was drawn.
func TestPatternDecodesExactly(t *testing.T) {
	for i := range 48 {
		fill := studio(ColorOf(fmt.Sprint("회원", i)))
		number := i * 1367
		blocks := drawPattern(fill, number)
		picture := decode(t, encodeVP8(blocks, patternColumns, patternRows))
		checkBlocks(t, picture, blocks)
		if n, ok := PatternFrame(picture); !ok || n != number%65536 {
			t.Errorf("frame number %d, %v; want %d", n, ok, number)
		}
	}
}

// Any picture of flat blocks does, not only the pattern.
func TestEncodeVP8AnyBlocks(t *testing.T) {
	blocks := make([]yuv, patternColumns*patternRows)
	state := uint32(1)
	for i := range blocks {
		state = state*1664525 + 1013904223
		blocks[i] = yuv{byte(state >> 8), byte(state >> 16), byte(state >> 24)}
	}
	checkBlocks(t, decode(t, encodeVP8(blocks, patternColumns, patternRows)), blocks)
}

func checkBlocks(t *testing.T, picture *image.YCbCr, blocks []yuv) {
	t.Helper()
	for y := range PatternHeight {
		for x := range PatternWidth {
			c := picture.YCbCrAt(x, y)
			want := blocks[y/16*patternColumns+x/16]
			if got := (yuv{c.Y, c.Cb, c.Cr}); got != want {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, got, want)
			}
		}
	}
}

// FFmpeg, which reads VP8 as browsers do, shows the colour that was asked for.
func TestPatternColourInFFmpeg(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg here")
	}
	p := &pattern{fps: 15, fill: studio(ColorOf("지우"))}
	const n = 20
	var file bytes.Buffer
	file.WriteString("DKIF\x00\x00\x20\x00VP80")
	for _, v := range []any{uint16(PatternWidth), uint16(PatternHeight), uint32(15), uint32(1), uint32(n), uint32(0)} {
		_ = binary.Write(&file, binary.LittleEndian, v)
	}
	for i := range n {
		f, _ := p.next()
		_ = binary.Write(&file, binary.LittleEndian, uint32(len(f.data)))
		_ = binary.Write(&file, binary.LittleEndian, uint64(i))
		file.Write(f.data)
	}
	cmd := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
	cmd.Stdin = &file
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("%v: %s", err, &complaints)
	}
	const size = PatternWidth * PatternHeight * 3
	if len(out) != n*size {
		t.Fatalf("%d frames, want %d", len(out)/size, n)
	}
	want := ColorOf("지우")
	for i := range n {
		middle := out[i*size+(PatternHeight/2*PatternWidth+PatternWidth/2)*3:]
		got := color.RGBA{middle[0], middle[1], middle[2], 255}
		if distance(got, want) > 4 {
			t.Fatalf("frame %d is %v in the middle, want %v", i, got, want)
		}
		if i > 0 && bytes.Equal(out[i*size:][:size], out[(i-1)*size:][:size]) {
			t.Errorf("frame %d is like the one before it", i)
		}
	}
}

func TestPatternFrameRefusesOtherPictures(t *testing.T) {
	for _, picture := range []image.Image{
		image.NewRGBA(image.Rectangle{}), image.NewRGBA(image.Rect(0, 0, 320, 240)), image.NewUniform(color.White),
	} {
		if n, ok := PatternFrame(picture); ok {
			t.Errorf("a frame number %d in %T", n, picture)
		}
	}
}

// distance is the largest difference in one of red, green and blue.
func distance(a, b color.RGBA) int {
	d := 0
	for _, v := range [...][2]uint8{{a.R, b.R}, {a.G, b.G}, {a.B, b.B}} {
		d = max(d, int(v[0])-int(v[1]), int(v[1])-int(v[0]))
	}
	return d
}

func TestColorOf(t *testing.T) {
	colors := map[color.RGBA]bool{}
	for i := range 2000 {
		c := ColorOf(fmt.Sprint(i))
		if c != ColorOf(fmt.Sprint(i)) {
			t.Fatal("not the same colour twice")
		}
		colors[c] = true
	}
	if len(colors) != 48 {
		t.Errorf("%d colours, want 48", len(colors))
	}
	for a := range colors {
		if lo := min(a.R, a.G, a.B); int(max(a.R, a.G, a.B))-int(lo) < 130 {
			t.Errorf("%v is pale", a)
		}
		for b := range colors {
			if a != b && distance(a, b) < 30 {
				t.Errorf("%v and %v are alike", a, b)
			}
		}
	}
	// Worked out by hand from the rule in the documentation: FNV-1a of "a" is 0xe40c292c.
	if got, want := ColorOf("a"), hsv(float64(0xe40c292c%24)*15, 0.9, 1-0.4*float64(0xe40c292c/24%2)); got != want {
		t.Errorf("colour of a is %v, want %v", got, want)
	}
	if got, want := hsv(120, 1, 1), (color.RGBA{0, 255, 0, 255}); got != want {
		t.Errorf("green is %v", got)
	}
}

func BenchmarkPattern(b *testing.B) {
	p := &pattern{fps: 15, fill: studio(ColorOf("bench"))}
	size := 0
	for b.Loop() {
		f, _ := p.next()
		size = len(f.data)
	}
	b.ReportMetric(float64(size), "bytes/frame")
}

// The pattern shows as many frames a second as its rate allows, and never less than one.
func TestPatternRate(t *testing.T) {
	s := TestPattern(&PatternOptions{FPS: 30})
	p := s.reel.frames.(*pattern)
	for _, c := range []struct{ bps, least, most int }{ // bits in ten seconds
		{0, 600_000, 1_500_000}, {1_000_000, 600_000, 1_500_000}, {40_000, 300_000, 400_000}, {1, 20_000, 60_000},
	} {
		s.SetTargetBitrate(c.bps)
		bits := 0
		for end := p.end() + 10*time.Second; p.end() < end; {
			f, err := p.next()
			if err != nil {
				t.Fatal(err)
			}
			bits += 8 * len(f.data)
		}
		if bits < c.least || bits > c.most || !s.FollowsTarget() || Tone().FollowsTarget() {
			t.Errorf("%d bits in 10 s at %d bit/s, want %d to %d", bits, c.bps, c.least, c.most)
		}
	}
}
