package voice

import (
	"fmt"
	"time"

	"github.com/thesyncim/gopus"
)

// Bounds of a packet: RFC 6716 section 3.2, and what one UDP datagram carries.
const (
	longestPacket  = 120 * time.Millisecond
	biggestPayload = 1500
)

// Bitrates of Opus, in bits a second.
const (
	leastBitrate   = 8000
	usualBitrate   = 32000
	highestBitrate = 64000
)

// opusComplexity is that of an encoder, 0 to 10: the speech of the tests comes out within 0.2 dB of 10's.
const opusComplexity = 5

// opusEncoder is gopus behind a guard: whatever goes wrong in there is an error here.
type opusEncoder struct {
	encoder *gopus.Encoder
	rate    int
	payload [biggestPayload]byte
}

func newOpusEncoder(rate, bitrate int) (*opusEncoder, error) {
	if bitrate == 0 {
		bitrate = usualBitrate
	}
	if bitrate < leastBitrate || bitrate > highestBitrate {
		return nil, fmt.Errorf("%w: opus at %d bit/s, want %d to %d", ErrCodec, bitrate, leastBitrate, highestBitrate)
	}
	encoder, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: rate, Channels: 1, Application: gopus.ApplicationVoIP})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCodec, err)
	}
	e := &opusEncoder{encoder: encoder, rate: rate}
	encoder.SetFEC(true)
	for _, err := range []error{
		encoder.SetFrameSize(samplesOf(frameTime, rate)),
		encoder.SetComplexity(opusComplexity),
		encoder.SetPacketLoss(5),
		encoder.SetBitrate(bitrate),
	} {
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCodec, err)
		}
	}
	return e, nil
}

func (e *opusEncoder) Rate() int    { return e.rate }
func (e *opusEncoder) Close() error { return nil }

func (e *opusEncoder) Encode(pcm []int16) (payload []byte, err error) {
	if len(pcm) != samplesOf(frameTime, e.rate) {
		return nil, fmt.Errorf("%w: opus: %d samples, want %d", ErrCodec, len(pcm), samplesOf(frameTime, e.rate))
	}
	defer guard("encode opus", &err)
	n, err := e.encoder.EncodeInt16(pcm, e.payload[:])
	if err != nil {
		return nil, fmt.Errorf("%w: encode opus: %w", ErrCodec, err)
	}
	return e.payload[:n], nil
}

// setBitrate changes the bitrate, within the bounds.
func (e *opusEncoder) setBitrate(bps int) (err error) {
	defer guard("opus", &err)
	return e.encoder.SetBitrate(min(max(bps, leastBitrate), highestBitrate))
}

// opusDecoder is gopus behind the same guard. After a panic it is a new one, because the state of the old one may be
// anything.
type opusDecoder struct {
	decoder *gopus.Decoder
	rate    int
	pcm     []int16
	floats  []float32
}

func newOpusDecoder(rate int) (*opusDecoder, error) {
	d := &opusDecoder{rate: rate}
	return d, d.reset()
}

func (d *opusDecoder) reset() error {
	decoder, err := gopus.NewDecoder(gopus.DecoderConfig{SampleRate: d.rate, Channels: 1, MaxPacketBytes: biggestPayload})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCodec, err)
	}
	most := samplesOf(longestPacket, d.rate)
	d.decoder, d.pcm, d.floats = decoder, make([]int16, most), make([]float32, most)
	return nil
}

func (d *opusDecoder) Rate() int { return d.rate }

func (d *opusDecoder) Decode(payload []byte) (pcm []int16, err error) {
	if len(payload) == 0 || len(payload) > biggestPayload {
		return nil, fmt.Errorf("%w: opus: a payload of %d bytes, want 1 to %d", ErrCodec, len(payload), biggestPayload)
	}
	defer d.renew(&err)
	defer guard("decode opus", &err)
	n, err := d.decoder.DecodeInt16(payload, d.pcm)
	if err != nil {
		return nil, fmt.Errorf("%w: decode opus: %w", ErrCodec, err)
	}
	return d.pcm[:min(max(n, 0), len(d.pcm))], nil
}

// Conceal uses what next repeats of the frame before it (RFC 6716 section 2.1.7), and otherwise goes on as the sound
// before was.
func (d *opusDecoder) Conceal(lasts time.Duration, next []byte) []int16 {
	samples := samplesOf(min(lasts, longestPacket), d.rate)
	if samples <= 0 {
		return nil
	}
	if pcm, err := d.conceal(samples, next); err == nil && len(pcm) == samples {
		return pcm
	}
	clear(d.pcm[:samples])
	return d.pcm[:samples]
}

func (d *opusDecoder) conceal(samples int, next []byte) (pcm []int16, err error) {
	defer d.renew(&err)
	defer guard("conceal opus", &err)
	var n int
	if len(next) == 0 || len(next) > biggestPayload {
		n, err = d.decoder.DecodeInt16(nil, d.pcm[:samples])
		return d.pcm[:min(max(n, 0), samples)], err
	}
	n, err = d.decoder.DecodeWithFEC(next, d.floats[:samples], true)
	n = min(max(n, 0), samples)
	for i, v := range d.floats[:n] {
		d.pcm[i] = int16(min(max(v*32768, -32768), 32767))
	}
	return d.pcm[:n], err
}

// panicked is the error that a guard makes.
type panicked struct{ doing, what string }

func (p *panicked) Error() string {
	return fmt.Sprintf("voice: %s: the codec failed: %s", p.doing, p.what)
}

func (p *panicked) Is(target error) bool { return target == ErrCodec }

// guard makes a panic an error: a packet comes from anybody, and a fault in a decoder is not to end a program.
func guard(doing string, err *error) {
	if what := recover(); what != nil {
		*err = &panicked{doing, fmt.Sprint(what)}
	}
}

// renew replaces the decoder if it panicked.
func (d *opusDecoder) renew(err *error) {
	if _, bad := (*err).(*panicked); bad { //nolint:errorlint // made by guard, right before
		if failed := d.reset(); failed != nil {
			*err = failed
		}
	}
}
