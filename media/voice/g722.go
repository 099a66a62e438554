package voice

import (
	"fmt"
	"time"
)

// G.722 at 64 kbit/s (mode 1): 16 kHz are split into two bands by a quadrature mirror filter, the lower of which has 6
// bits for each pair of samples and the upper one 2, each an adaptive difference. The numbers of the blocks, such as
// LOGSCL, are those of the recommendation's sections 3 to 6.

const g722Rate = 16000

// g722Mirror are the taps of the quadrature mirror filter, one half of 24 that are symmetric (table 11).
var g722Mirror = [12]int{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}

// g722Decide are the decision levels of the lower band (table 14).
var g722Decide = [...]int{
	0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458,
	1612, 1765, 1980, 2195, 2557, 2919,
}

// g722Steps4, 6 and 2 are what a code means, in parts of the scale: of the lower band by its upper 4 bits, which
// predict, and by all 6, which are heard; of the upper band (tables 15, 17 and 18).
var (
	g722Steps4 = [16]int{
		0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
	}
	g722Steps6 = [64]int{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	g722Steps2 = [4]int{-7408, -1616, 7408, 1616}
)

// How a code moves the logarithm of the scale (tables 16 and 19).
var (
	g722Moves4 = [16]int{-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60}
	g722Moves2 = [4]int{798, -214, 798, -214}
)

// g722Scale is 2 to the power of 0 to 31/32, in parts of 2048 (table 20).
var g722Scale = [32]int{
	2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091,
	3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
}

// g722Band is what both ends know of a band: the predictor and the scale.
type g722Band struct {
	predicted int    // the next sample
	zeros     int    // the part of it that the zeros predict
	scale     int    // of the steps
	logarithm int    // of the scale
	most      int    // bound of the logarithm
	shift     int    // of the scale
	heard     [3]int // reconstructed samples, latest first
	partial   [3]int // differences and what the zeros predict
	pole      [3]int // coefficients; the first one is not used
	diff      [7]int // differences, latest first
	zero      [7]int // coefficients; the first one is not used
}

func newG722Bands() (lower, upper g722Band) {
	return g722Band{scale: 32, most: 18432, shift: 8}, g722Band{scale: 8, most: 22528, shift: 10}
}

func clip16(v int) int { return min(max(v, -32768), 32767) }

func alike(a, b, step int) int {
	if a>>15 == b>>15 {
		return step
	}
	return -step
}

// adapt moves the scale (LOGSCL, SCALEL, LOGSCH, SCALEH) and the predictor (block 4) after a difference.
func (b *g722Band) adapt(diff, move int) {
	b.logarithm = min(max(b.logarithm*127>>7+move, 0), b.most)
	scale := g722Scale[b.logarithm>>6&31]
	if down := b.shift - b.logarithm>>11; down >= 0 {
		scale >>= down
	} else {
		scale <<= -down
	}
	b.scale = scale << 2

	b.diff[0], b.heard[0], b.partial[0] = diff, clip16(b.predicted+diff), clip16(b.zeros+diff)

	second := alike(b.partial[0], b.partial[1], -clip16(b.pole[1]<<2)) // UPPOL2
	second = min(second, 32767)>>7 + alike(b.partial[0], b.partial[2], 128) + b.pole[2]*32512>>15
	second = min(max(second, -12288), 12288)
	first := clip16(alike(b.partial[0], b.partial[1], 192) + b.pole[1]*32640>>15) // UPPOL1
	bound := clip16(15360 - second)
	b.pole[1], b.pole[2] = min(max(first, -bound), bound), second

	step := 0 // UPZERO
	if diff != 0 {
		step = 128
	}
	for i := 1; i < len(b.zero); i++ {
		b.zero[i] = clip16(alike(b.diff[i], diff, step) + b.zero[i]*32640>>15)
	}

	copy(b.diff[1:], b.diff[:6]) // DELAYA
	copy(b.heard[1:], b.heard[:2])
	copy(b.partial[1:], b.partial[:2])

	poles := b.pole[1]*clip16(2*b.heard[1])>>15 + b.pole[2]*clip16(2*b.heard[2])>>15 // FILTEP
	b.zeros = 0                                                                      // FILTEZ
	for i := 1; i < len(b.zero); i++ {
		b.zeros += b.zero[i] * clip16(2*b.diff[i]) >> 15
	}
	b.zeros = clip16(b.zeros)
	b.predicted = clip16(clip16(poles) + b.zeros)
}

// g722Delay is the line of the mirror filter.
type g722Delay [24]int

// push takes two values and returns the sums of both halves.
func (x *g722Delay) push(first, second int) (odd, even int) {
	copy(x[:], x[2:])
	x[22], x[23] = first, second
	for i, tap := range g722Mirror {
		odd += x[2*i] * tap
		even += x[2*i+1] * g722Mirror[11-i]
	}
	return odd, even
}

type g722Encoder struct {
	line         g722Delay
	lower, upper g722Band
	payload      [g722Rate / 100]byte
}

func newG722Encoder() *g722Encoder {
	e := &g722Encoder{}
	e.lower, e.upper = newG722Bands()
	return e
}

func (e *g722Encoder) Rate() int    { return g722Rate }
func (e *g722Encoder) Close() error { return nil }

func (e *g722Encoder) Encode(pcm []int16) ([]byte, error) {
	if len(pcm) != 2*len(e.payload) {
		return nil, fmt.Errorf("%w: G.722: %d samples, want %d", ErrCodec, len(pcm), 2*len(e.payload))
	}
	for i := range e.payload {
		odd, even := e.line.push(int(pcm[2*i]), int(pcm[2*i+1]))
		e.payload[i] = e.encodeLower((even+odd)>>14) | e.encodeUpper((even-odd)>>14)<<6
	}
	return e.payload[:], nil
}

// sizeOf is how large a difference is, of which the negative ones begin at -1.
func sizeOf(v int) int {
	if v < 0 {
		return -(v + 1)
	}
	return v
}

// encodeLower quantizes a sample of the lower band (QUANTL).
func (e *g722Encoder) encodeLower(sample int) byte {
	b := &e.lower
	diff := clip16(sample - b.predicted)
	level := 1
	for level < len(g722Decide) && sizeOf(diff) >= g722Decide[level]*b.scale>>12 {
		level++
	}
	code := 62 - level // the smallest first, as those below; the codes 0 to 3 are not used
	switch {
	case diff >= 0:
	case level <= 2:
		code = 64 - level
	default:
		code = 34 - level
	}
	b.adapt(b.scale*g722Steps4[code>>2]>>15, g722Moves4[code>>2])
	return byte(code)
}

// encodeUpper quantizes a sample of the upper band (QUANTH).
func (e *g722Encoder) encodeUpper(sample int) byte {
	b := &e.upper
	diff := clip16(sample - b.predicted)
	code := 1
	if sizeOf(diff) >= 564*b.scale>>12 {
		code = 0
	}
	if diff >= 0 {
		code += 2
	}
	b.adapt(b.scale*g722Steps2[code]>>15, g722Moves2[code])
	return byte(code)
}

type g722Decoder struct {
	line         g722Delay
	lower, upper g722Band
	pcm          []int16
	fade         fade
}

func newG722Decoder() *g722Decoder {
	d := &g722Decoder{fade: fade{rate: g722Rate}}
	d.lower, d.upper = newG722Bands()
	return d
}

func (d *g722Decoder) Rate() int { return g722Rate }

func (d *g722Decoder) Decode(payload []byte) ([]int16, error) {
	if most := samplesOf(longestPacket, g722Rate) / 2; len(payload) == 0 || len(payload) > most {
		return nil, fmt.Errorf("%w: G.722: a payload of %d bytes, want 1 to %d", ErrCodec, len(payload), most)
	}
	d.pcm = d.pcm[:0]
	for _, code := range payload {
		low, high := int(code&63), int(code>>6)
		lower := min(max(d.lower.predicted+d.lower.scale*g722Steps6[low]>>15, -16384), 16383)
		d.lower.adapt(d.lower.scale*g722Steps4[low>>2]>>15, g722Moves4[low>>2])
		diff := d.upper.scale * g722Steps2[high] >> 15
		upper := min(max(d.upper.predicted+diff, -16384), 16383)
		d.upper.adapt(diff, g722Moves2[high])
		odd, even := d.line.push(lower+upper, lower-upper)
		d.pcm = append(d.pcm, int16(clip16(even>>11)), int16(clip16(odd>>11)))
	}
	d.fade.heard(d.pcm)
	return d.pcm, nil
}

func (d *g722Decoder) Conceal(lasts time.Duration, _ []byte) []int16 { return d.fade.conceal(lasts) }
