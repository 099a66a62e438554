package media

import "encoding/binary"

// yuv is the colour of a macroblock as VP8 sends it: BT.601, studio range.
type yuv struct{ y, u, v uint8 }

// encodeVP8 encodes a picture of flat 16×16 macroblocks, row by row, as a VP8
// key frame (RFC 6386). A decoder shows exactly these values.
//
// The quantizer is the finest and the loop filter off. A block like the one on
// its left or above is predicted from it and skipped; any other is predicted
// from the mean of the two, and the difference is sent as DC alone.
func encodeVP8(blocks []yuv, columns, rows int) []byte {
	w := &boolWriter{span: 255, room: 24}
	skipped := 0
	for i := range blocks {
		if m, _ := predict(blocks, columns, i); m != predictMean {
			skipped++
		}
	}
	skipProb := uint8(min(max(256*(len(blocks)-skipped)/len(blocks), 1), 255))
	w.frameHeader(skipProb)
	for i := range blocks {
		mode, _ := predict(blocks, columns, i)
		w.bit(mode != predictMean, skipProb)
		w.modes(mode)
	}
	// Modes and coefficients lie in partitions of their own.
	coefficients := &boolWriter{span: 255, room: 24}
	above, left := make([]dcContext, columns), dcContext{}
	for i := range blocks {
		column := i % columns
		if column == 0 {
			left = dcContext{}
		}
		if mode, mean := predict(blocks, columns, i); mode == predictMean {
			coefficients.block(blocks[i], mean, &above[column], &left)
		} else {
			above[column], left = dcContext{}, dcContext{}
		}
	}
	first := w.finish()
	out := make([]byte, 10, 10+len(first)+len(coefficients.out)+4)
	tag := uint32(len(first))<<5 | 1<<4 // shown, version 0, key frame (section 9.1)
	out[0], out[1], out[2] = byte(tag), byte(tag>>8), byte(tag>>16)
	copy(out[3:], "\x9d\x01\x2a")
	binary.LittleEndian.PutUint16(out[6:], uint16(columns*16))
	binary.LittleEndian.PutUint16(out[8:], uint16(rows*16))
	return append(append(out, first...), coefficients.finish()...)
}

type prediction int

const (
	predictMean prediction = iota // DC_PRED, with a residue
	predictLeft                   // H_PRED, skipped
	predictUp                     // V_PRED, skipped
)

// predict chooses how block i is predicted, and from what mean.
func predict(blocks []yuv, columns, i int) (prediction, yuv) {
	inRow, below := i%columns > 0, i >= columns
	switch {
	case inRow && blocks[i] == blocks[i-1]:
		return predictLeft, yuv{}
	case below && blocks[i] == blocks[i-columns]:
		return predictUp, yuv{}
	case inRow && below:
		a, b := blocks[i-1], blocks[i-columns]
		mean := func(a, b uint8) uint8 { return uint8((int(a) + int(b) + 1) / 2) }
		return predictMean, yuv{mean(a.y, b.y), mean(a.u, b.u), mean(a.v, b.v)}
	case inRow:
		return predictMean, blocks[i-1]
	case below:
		return predictMean, blocks[i-columns]
	}
	return predictMean, yuv{128, 128, 128}
}

// frameHeader writes sections 9.2 to 9.11: everything off or at its default.
func (w *boolWriter) frameHeader(skipProb uint8) {
	w.literal(0, 1+1+1) // colour space, clamping, no segments
	w.literal(0, 1+6+3) // loop filter: type, level 0, sharpness
	w.literal(0, 1+2)   // no filter deltas, one coefficient partition
	w.literal(0, 7+5)   // quantizer index 0, no deltas
	w.literal(0, 1)     // probabilities are not kept
	for _, plane := range tokenUpdateProbs {
		for _, band := range plane {
			for _, context := range band {
				for _, prob := range context {
					w.bit(false, prob)
				}
			}
		}
	}
	w.literal(1, 1) // blocks may be skipped
	w.literal(uint32(skipProb), 8)
}

// modes writes the luma and the chroma prediction (section 11.2).
func (w *boolWriter) modes(p prediction) {
	w.bit(true, 145) // not by subblocks
	switch p {
	case predictMean:
		w.bit(false, 156)
		w.bit(false, 163)
		w.bit(false, 142)
	case predictUp:
		w.bit(false, 156)
		w.bit(true, 163)
		w.bit(true, 142)
		w.bit(false, 114)
	case predictLeft:
		w.bit(true, 156)
		w.bit(false, 128)
		w.bit(true, 142)
		w.bit(true, 114)
		w.bit(false, 183)
	}
}

// dcContext says whether the neighbour's DC blocks hold anything (section 13.3).
type dcContext struct{ y, u, v int }

const (
	planeY  = 0 // luma, the DC values being elsewhere
	planeY2 = 1 // the luma DC values
	planeUV = 2
)

// block writes what is to be added to mean to get want. With the finest
// quantizer a luma step is 1/8 and a chroma step 1/2 of a level.
func (w *boolWriter) block(want, mean yuv, above, left *dcContext) {
	y := 8 * (int(want.y) - int(mean.y))
	u := 2 * (int(want.u) - int(mean.u))
	v := 2 * (int(want.v) - int(mean.v))
	w.dc(planeY2, above.y+left.y, y)
	for range 16 {
		w.bit(false, tokenProbs[planeY][1][0][0])
	}
	for _, plane := range [...]struct{ value, above, left int }{{u, above.u, left.u}, {v, above.v, left.v}} {
		some := nonZero(plane.value)
		w.dc(planeUV, plane.above+plane.left, plane.value)
		w.dc(planeUV, plane.above+some, plane.value)
		w.dc(planeUV, some+plane.left, plane.value)
		w.dc(planeUV, some+some, plane.value)
	}
	*above = dcContext{nonZero(y), nonZero(u), nonZero(v)}
	*left = *above
}

func nonZero(v int) int {
	if v == 0 {
		return 0
	}
	return 1
}

// dctExtra are the token categories for large values (section 13.2): the least
// value, the path to them in the token tree, from node 3 on, and the
// probabilities of their extra bits.
var dctExtra = [...]struct {
	least int
	path  []tokenBranch
	extra []uint8
}{
	{67, []tokenBranch{{3, true}, {6, true}, {8, true}, {10, true}}, []uint8{254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129}},
	{35, []tokenBranch{{3, true}, {6, true}, {8, true}, {10, false}}, []uint8{180, 157, 141, 134, 130}},
	{19, []tokenBranch{{3, true}, {6, true}, {8, false}, {9, true}}, []uint8{176, 155, 140, 135}},
	{11, []tokenBranch{{3, true}, {6, true}, {8, false}, {9, false}}, []uint8{173, 148, 140}},
	{7, []tokenBranch{{3, true}, {6, false}, {7, true}}, []uint8{165, 145}},
	{5, []tokenBranch{{3, true}, {6, false}, {7, false}}, []uint8{159}},
	{4, []tokenBranch{{3, false}, {4, true}, {5, true}}, nil},
	{3, []tokenBranch{{3, false}, {4, true}, {5, false}}, nil},
	{2, []tokenBranch{{3, false}, {4, false}}, nil},
}

type tokenBranch struct {
	node int
	bit  bool
}

// dc writes a block that holds value as its first coefficient and nothing else.
func (w *boolWriter) dc(plane, context, value int) {
	probs := &tokenProbs[plane][0][context]
	if value == 0 {
		w.bit(false, probs[0]) // end of block
		return
	}
	w.bit(true, probs[0])
	w.bit(true, probs[1])
	size, next := max(value, -value), 1
	w.bit(size > 1, probs[2])
	if size > 1 {
		next = 2
		w.large(size, probs)
	}
	w.bit(value < 0, 128)
	w.bit(false, tokenProbs[plane][1][next][0]) // end of block
}

// large writes a size above 1.
func (w *boolWriter) large(size int, probs *[11]uint8) {
	for _, category := range dctExtra {
		if size < category.least {
			continue
		}
		for _, branch := range category.path {
			w.bit(branch.bit, probs[branch.node])
		}
		for i, prob := range category.extra {
			w.bit((size-category.least)>>(len(category.extra)-1-i)&1 != 0, prob)
		}
		return
	}
}

// boolWriter is the boolean entropy encoder of section 7.3.
type boolWriter struct {
	out  []byte
	span uint32 // 128 to 255
	low  uint32
	room int // shifts until a byte is complete
}

// bit writes b, of which false has probability prob/256.
func (w *boolWriter) bit(b bool, prob uint8) {
	split := 1 + (w.span-1)*uint32(prob)>>8
	if b {
		w.low += split
		w.span -= split
	} else {
		w.span = split
	}
	for w.span < 128 {
		w.span <<= 1
		w.shift()
	}
}

// shift moves low up by a bit and puts out each byte that is complete.
func (w *boolWriter) shift() {
	if w.low&(1<<31) != 0 {
		for i := len(w.out) - 1; ; i-- { // carry
			w.out[i]++
			if w.out[i] != 0 {
				break
			}
		}
	}
	w.low <<= 1
	if w.room--; w.room == 0 {
		w.out = append(w.out, byte(w.low>>24))
		w.low &= 1<<24 - 1
		w.room = 8
	}
}

// literal writes the lowest bits of v, at even odds, highest first.
func (w *boolWriter) literal(v uint32, bits int) {
	for i := bits - 1; i >= 0; i-- {
		w.bit(v>>i&1 != 0, 128)
	}
}

func (w *boolWriter) finish() []byte {
	for range 32 {
		w.shift()
	}
	return w.out
}
