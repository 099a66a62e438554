package voice

import (
	"fmt"
	"math/bits"
	"time"
)

// g711 is the rate of G.711.
const g711Rate = 8000

// g711Encoder encodes µ-law or A-law.
type g711Encoder struct {
	compress func(int16) byte
	payload  [g711Rate / 50]byte
}

func newG711Encoder(c Codec) *g711Encoder {
	if c == PCMA {
		return &g711Encoder{compress: toALaw}
	}
	return &g711Encoder{compress: toMuLaw}
}

func (e *g711Encoder) Rate() int    { return g711Rate }
func (e *g711Encoder) Close() error { return nil }

func (e *g711Encoder) Encode(pcm []int16) ([]byte, error) {
	if len(pcm) != len(e.payload) {
		return nil, fmt.Errorf("%w: G.711: %d samples, want %d", ErrCodec, len(pcm), len(e.payload))
	}
	for i, v := range pcm {
		e.payload[i] = e.compress(v)
	}
	return e.payload[:], nil
}

// g711Decoder decodes µ-law or A-law.
type g711Decoder struct {
	expand func(byte) int16
	pcm    []int16
	fade   fade
}

func newG711Decoder(c Codec) *g711Decoder {
	d := &g711Decoder{expand: fromMuLaw, fade: fade{rate: g711Rate}}
	if c == PCMA {
		d.expand = fromALaw
	}
	return d
}

func (d *g711Decoder) Rate() int { return g711Rate }

func (d *g711Decoder) Decode(payload []byte) ([]int16, error) {
	if most := samplesOf(longestPacket, g711Rate); len(payload) == 0 || len(payload) > most {
		return nil, fmt.Errorf("%w: G.711: a payload of %d bytes, want 1 to %d", ErrCodec, len(payload), most)
	}
	d.pcm = d.pcm[:0]
	for _, b := range payload {
		d.pcm = append(d.pcm, d.expand(b))
	}
	d.fade.heard(d.pcm)
	return d.pcm, nil
}

func (d *g711Decoder) Conceal(lasts time.Duration, _ []byte) []int16 { return d.fade.conceal(lasts) }

// The µ-law has a segment for each power of two, of 16 steps each, above a bias of 33 in 14 bits (G.711 table 2a).
const (
	muBias = 33 << 2
	muMost = 32635
)

func toMuLaw(v int16) byte {
	sign, size := byte(0), int(v)
	if size < 0 {
		sign, size = 0x80, -size
	}
	size = min(size, muMost) + muBias
	segment := bits.Len(uint(size)) - 8
	return ^(sign | byte(segment)<<4 | byte(size>>(segment+3))&15)
}

func fromMuLaw(b byte) int16 {
	b = ^b
	size := (int(b&15)<<3+muBias)<<(b>>4&7) - muBias
	if b&0x80 != 0 {
		return int16(-size)
	}
	return int16(size)
}

// The A-law has no bias, and every other bit is inverted on the wire (G.711 table 1a).
func toALaw(v int16) byte {
	sign, size := byte(0x80), int(v)>>3
	if size < 0 {
		sign, size = 0, ^size
	}
	code := byte(size >> 1)
	if size > 31 {
		segment := bits.Len(uint(size)) - 5
		code = byte(segment)<<4 | byte(size>>segment)&15
	}
	return (sign | code) ^ 0x55
}

func fromALaw(b byte) int16 {
	b ^= 0x55
	segment, size := int(b>>4&7), int(b&15)<<4+8
	if segment > 0 {
		size = (size + 256) << (segment - 1)
	}
	if b&0x80 == 0 {
		return int16(-size)
	}
	return int16(size)
}
