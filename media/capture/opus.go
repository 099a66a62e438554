package capture

// OpusEncoder encodes PCM for media.NewPCM. It belongs to one goroutine.
type OpusEncoder struct {
	rate   int
	encode func(pcm []int16) ([]byte, error)
	close  func() error
}

// NewOpusEncoder makes an encoder of mono sound with so many samples a second:
// 8000, 12000, 16000, 24000 or 48000. Without cgo and the tag capture it gives
// [ErrNotBuilt].
func NewOpusEncoder(rate int) (*OpusEncoder, error) { return newOpusEncoder(rate) }

// Rate returns how many samples a second it takes.
func (e *OpusEncoder) Rate() int { return e.rate }

// Encode encodes 20 ms of sound.
func (e *OpusEncoder) Encode(pcm []int16) ([]byte, error) { return e.encode(pcm) }

// Close lets go of the encoder. It may be called more than once.
func (e *OpusEncoder) Close() error { return e.close() }
