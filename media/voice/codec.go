package voice

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
)

// Codec is a codec of speech.
type Codec string

// The codecs, all of which a noom member takes. Opus sounds best and takes the least of a network; the others need no
// code but what is here.
const (
	Opus Codec = "opus" // RFC 6716; 8 to 24 kHz, 8 to 64 kbit/s
	G722 Codec = "G722" // ITU-T G.722; 16 kHz, 64 kbit/s
	PCMU Codec = "PCMU" // ITU-T G.711, µ-law; 8 kHz, 64 kbit/s
	PCMA Codec = "PCMA" // ITU-T G.711, A-law; 8 kHz, 64 kbit/s
)

// frameTime is what a packet holds that an Encoder makes.
const frameTime = 20 * time.Millisecond

// ErrCodec is the identity of errors about a codec, a rate or a payload that cannot be used.
var ErrCodec = errors.New("voice: codec")

// Encoder makes packets of mono sound. It belongs to one goroutine. Each of this package can be given to
// media.NewPCM if it is one of Opus.
type Encoder interface {
	// Rate is how many samples a second it takes.
	Rate() int
	// Encode encodes 20 ms. The payload is good until the next call. Errors wrap [ErrCodec].
	Encode(pcm []int16) ([]byte, error)
	// Close lets go of what the encoder holds. It may be called more than once.
	Close() error
}

// Decoder makes mono sound of packets. It belongs to one goroutine. What it returns is good until the next call.
type Decoder interface {
	// Rate is how many samples a second it makes.
	Rate() int
	// Decode decodes a payload of up to 120 ms. Errors wrap [ErrCodec]; the decoder can be used after them.
	Decode(payload []byte) ([]int16, error)
	// Conceal makes up sound of that length, up to 120 ms, in place of what was lost. next is the payload that comes
	// right after it, which may say something about it, or nil.
	Conceal(lasts time.Duration, next []byte) []int16
}

// format is what RTP says of a codec.
type format struct {
	mime  string
	clock uint32 // of RTP timestamps
	rates []int  // that an encoder and a decoder can have; the first is the best
	stops bool   // its encoder has one bitrate
}

// formats has, for G.722, the clock that RFC 3551 section 4.5.2 gives it by mistake: 8000.
var formats = map[Codec]format{
	Opus: {webrtc.MimeTypeOpus, 48000, []int{24000, 16000, 12000, 8000, 48000}, false},
	G722: {webrtc.MimeTypeG722, 8000, []int{16000}, true},
	PCMU: {webrtc.MimeTypePCMU, 8000, []int{8000}, true},
	PCMA: {webrtc.MimeTypePCMA, 8000, []int{8000}, true},
}

// codecOf returns the codec with a MIME type, which may be in any case.
func codecOf(mime string) (Codec, bool) {
	for codec, f := range formats {
		if strings.EqualFold(f.mime, mime) {
			return codec, true
		}
	}
	return "", false
}

func (f format) capability() webrtc.RTPCodecCapability {
	c := webrtc.RTPCodecCapability{MimeType: f.mime, ClockRate: f.clock}
	if f.mime == webrtc.MimeTypeOpus {
		c.Channels = 2 // RFC 7587 section 7, whatever is sent
	}
	return c
}

// NewEncoder returns an encoder of a codec: Opus takes 8000, 12000, 16000, 24000 or 48000 samples a second, G722
// 16000, PCMU and PCMA 8000; rate 0 is 24000 for Opus and the only one of the others. bitrate is of Opus alone, in bits
// a second, 8000 to 64000; 0: 32000. Errors wrap [ErrCodec].
func NewEncoder(c Codec, rate, bitrate int) (Encoder, error) {
	rate, err := c.rate(rate)
	if err != nil {
		return nil, err
	}
	switch c {
	case Opus:
		return newOpusEncoder(rate, bitrate)
	case G722:
		return newG722Encoder(), nil
	default:
		return newG711Encoder(c), nil
	}
}

// NewDecoder returns a decoder of a codec, whose rate is as NewEncoder says. Errors wrap [ErrCodec].
func NewDecoder(c Codec, rate int) (Decoder, error) {
	rate, err := c.rate(rate)
	if err != nil {
		return nil, err
	}
	switch c {
	case Opus:
		return newOpusDecoder(rate)
	case G722:
		return newG722Decoder(), nil
	default:
		return newG711Decoder(c), nil
	}
}

// rate checks a rate for the codec.
func (c Codec) rate(rate int) (int, error) {
	f, ok := formats[c]
	switch {
	case !ok:
		return 0, fmt.Errorf("%w: %q, want opus, G722, PCMU or PCMA", ErrCodec, string(c))
	case rate == 0:
		return f.rates[0], nil
	case !slices.Contains(f.rates, rate):
		return 0, fmt.Errorf("%w: %s at %d Hz, want one of %v", ErrCodec, c, rate, f.rates)
	}
	return rate, nil
}

// samplesOf is how many samples last so long.
func samplesOf(d time.Duration, rate int) int { return int(d * time.Duration(rate) / time.Second) }

// timeOf is how long so many samples last.
func timeOf(samples, rate int) time.Duration {
	return time.Duration(samples) * time.Second / time.Duration(rate)
}
