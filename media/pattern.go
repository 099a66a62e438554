package media

import (
	"hash/fnv"
	"image"
	"image/color"
	"math"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

// The size of the test pattern in pixels.
const (
	PatternWidth  = patternColumns * 16
	PatternHeight = patternRows * 16
)

const (
	patternColumns = 20
	patternRows    = 15
	counterBits    = 16
	packetOverhead = 64 // bytes around a frame on the wire: RTP, SRTP, UDP and IP
)

// PatternOptions says what the test pattern looks like; nil works.
type PatternOptions struct {
	// Color fills most of the picture. Nil: grey.
	Color color.Color
	// FPS is how many frames a second there are, 1 to 60. 0: 15.
	FPS int
}

// TestPattern returns a moving VP8 picture of [PatternWidth] by
// [PatternHeight] pixels, drawn and encoded in Go: at 15 frames a second some
// 45 kbit/s and a few thousandths of a core.
//
// The picture is of one colour, and its middle always is. The topmost sixteen
// pixels hold the frame's number in black and white blocks, for [PatternFrame].
// A white square with a black core runs to and fro along the bottom.
func TestPattern(o *PatternOptions) *Source {
	fill, fps := color.Color(color.Gray{128}), 15
	if o != nil && o.Color != nil {
		fill = o.Color
	}
	if o != nil && o.FPS != 0 {
		fps = min(max(o.FPS, 1), 60)
	}
	f := format{mime: webrtc.MimeTypeVP8, clock: 90000, payloader: payloadVP8}
	p := &pattern{fill: studio(fill), fps: fps}
	r := newReel("", nil, p, f)
	r.asks = nil // each frame is a key frame
	r.tracks[0].setRate = func(bps int) { p.rate.Store(int64(bps)) }
	return r.tracks[0]
}

// pattern draws frame after frame, without end.
type pattern struct {
	fill   yuv
	fps    int
	rate   atomic.Int64 // bits a second that it may make; 0: no bound
	number int          // of the next frame; runs on when playing begins again
	at     time.Duration
}

func (p *pattern) next() (frame, error) {
	f := frame{at: p.at, key: true, data: encodeVP8(drawPattern(p.fill, p.number), patternColumns, patternRows)}
	p.number++
	p.at += p.pause(len(f.data))
	return f, nil
}

// pause returns the time between two frames of that size, at most a second.
func (p *pattern) pause(size int) time.Duration {
	pause := time.Second / time.Duration(p.fps)
	rate := p.rate.Load()
	if rate <= 0 {
		return pause
	}
	return min(max(pause, time.Duration(size+packetOverhead)*8*time.Second/time.Duration(rate)), time.Second)
}

func (p *pattern) end() time.Duration { return p.at }

func (p *pattern) seek(at time.Duration) error {
	p.at = at
	return nil
}

func (p *pattern) Close() error { return nil }

var black, white = yuv{16, 128, 128}, yuv{235, 128, 128}

// drawPattern draws frame number as blocks, row by row.
func drawPattern(fill yuv, number int) []yuv {
	blocks := make([]yuv, patternColumns*patternRows)
	for i := range blocks {
		blocks[i] = fill
	}
	// The counter is between white, black on the left and black, white on the right, so that no
	// other picture is taken for it.
	blocks[0], blocks[1], blocks[patternColumns-2], blocks[patternColumns-1] = white, black, black, white
	for bit := range counterBits {
		blocks[2+bit] = black
		if number>>(counterBits-1-bit)&1 != 0 {
			blocks[2+bit] = white
		}
	}
	const size, way = 3, patternColumns - 3
	x := number % (2 * way)
	x = min(x, 2*way-x)
	for dy := range size {
		for dx := range size {
			blocks[(patternRows-size+dy)*patternColumns+x+dx] = white
		}
	}
	blocks[(patternRows-2)*patternColumns+x+1] = black
	return blocks
}

// PatternFrame reads the frame number, modulo 65536, out of a picture of the test pattern, which
// may have been scaled or encoded again. It returns false for any other picture.
func PatternFrame(picture image.Image) (number int, ok bool) {
	b := picture.Bounds()
	lit := func(column int) bool {
		x := b.Min.X + (2*column+1)*b.Dx()/(2*patternColumns)
		y := b.Min.Y + b.Dy()/(2*patternRows)
		return color.GrayModel.Convert(picture.At(x, y)).(color.Gray).Y >= 128
	}
	if b.Empty() || !lit(0) || lit(1) || lit(patternColumns-2) || !lit(patternColumns-1) {
		return 0, false
	}
	for bit := range counterBits {
		number <<= 1
		if lit(2 + bit) {
			number |= 1
		}
	}
	return number, true
}

// ColorOf returns a colour for a member's id: always the same one, and one of 48 vivid and
// distinguishable ones (24 hues, bright and dark), of which any two differ by at least 30 of 255 in
// red, green or blue.
//
// It is computed so that a page can do the same: h is the 32-bit FNV-1a hash
// of the id; the hue is (h mod 24) × 15°, saturation 0.9, and the value 1 if
// (h div 24) is even, else 0.6 (HSV).
func ColorOf(id string) color.RGBA {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(id))
	h := hash.Sum32()
	value := 1.0
	if h/24%2 == 1 {
		value = 0.6
	}
	return hsv(float64(h%24)*15, 0.9, value)
}

// hsv converts; hue in degrees, the others 0 to 1.
func hsv(hue, saturation, value float64) color.RGBA {
	part := func(n float64) uint8 {
		k := math.Mod(n+hue/60, 6)
		return uint8(math.Round(255 * (value - value*saturation*max(0, min(k, 4-k, 1)))))
	}
	return color.RGBA{part(5), part(3), part(1), 255}
}

// studio converts to BT.601 in studio range, which is what a browser takes VP8 for.
func studio(c color.Color) yuv {
	r16, g16, b16, _ := c.RGBA()
	r, g, b := float64(r16)/65535, float64(g16)/65535, float64(b16)/65535
	y := 0.299*r + 0.587*g + 0.114*b
	round := func(v float64) uint8 { return uint8(math.Round(v)) }
	return yuv{round(16 + 219*y), round(128 + 224*(b-y)/1.772), round(128 + 224*(r-y)/1.402)}
}
