package voice

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// biggestWAV bounds what ReadWAV reads, in bytes: ten minutes at 24000.
const biggestWAV = 32 << 20

// ErrWAV is the identity of errors about a WAV file that cannot be used.
var ErrWAV = errors.New("voice: WAV")

// ReadWAV reads a WAV file of at most 32 MiB with mono samples of 16 bits, as programs that speak write it (espeak-ng
// -w, piper). Errors wrap [ErrWAV], or are r's.
func ReadWAV(r io.Reader) (pcm []int16, rate int, err error) {
	file, err := io.ReadAll(io.LimitReader(r, biggestWAV+1))
	if err != nil {
		return nil, 0, err
	}
	if len(file) > biggestWAV {
		return nil, 0, fmt.Errorf("%w: more than %d bytes", ErrWAV, biggestWAV)
	}
	raw, rate, err := parseWAV(file)
	if err != nil {
		return nil, 0, err
	}
	pcm = make([]int16, len(raw)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	return pcm, rate, nil
}

// parseWAV finds the rate and the samples. A program that writes into a pipe does not know how long they are, so a
// length beyond the end of the file is the file's.
func parseWAV(file []byte) (raw []byte, rate int, err error) {
	if len(file) < 12 || string(file[:4]) != "RIFF" || string(file[8:12]) != "WAVE" {
		return nil, 0, fmt.Errorf("%w: another kind of file", ErrWAV)
	}
	for rest := file[12:]; len(rest) >= 8; {
		name, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		rest = rest[8:]
		chunk := rest[:min(size, int64(len(rest)))]
		switch {
		case name == "fmt " && len(chunk) >= 16:
			word := func(at int) int { return int(binary.LittleEndian.Uint16(chunk[at:])) }
			if word(0) != 1 || word(2) != 1 || word(14) != 16 {
				return nil, 0, fmt.Errorf("%w: format %d, %d channels of %d bits; want 1, mono, 16 bits", ErrWAV, word(0), word(2), word(14))
			}
			rate = int(binary.LittleEndian.Uint32(chunk[4:]))
		case name == "data" && rate > 0:
			return chunk, rate, nil
		}
		rest = rest[min(size+size&1, int64(len(rest))):]
	}
	return nil, 0, fmt.Errorf("%w: no sound in it", ErrWAV)
}
