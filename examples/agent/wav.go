package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"noom/media/voice"
)

// longestFile bounds a WAV file, in bytes.
const longestFile = 32 << 20

// readWAV reads a file of mono sound, 16 bits, and brings it to our rate.
func readWAV(path string) ([]int16, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > longestFile {
		return nil, fmt.Errorf("%s: %d bytes, want %d at most", path, info.Size(), longestFile)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	from, raw, err := parseWAV(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	pcm := make([]int16, len(raw)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	r, err := voice.NewResampler(from, rate)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r.Process(pcm), nil
}

// parseWAV finds the rate and the samples. A program that writes into a pipe does not know how long they are, so a
// length beyond the end of the file is the file's.
func parseWAV(file []byte) (rate int, raw []byte, err error) {
	if len(file) < 12 || string(file[:4]) != "RIFF" || string(file[8:12]) != "WAVE" {
		return 0, nil, errors.New("not a WAV file")
	}
	for rest := file[12:]; len(rest) >= 8; {
		name, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		rest = rest[8:]
		chunk := rest[:min(size, int64(len(rest)))]
		switch {
		case name == "fmt " && len(chunk) >= 16:
			format, channels, bits := binary.LittleEndian.Uint16(chunk), binary.LittleEndian.Uint16(chunk[2:]), binary.LittleEndian.Uint16(chunk[14:])
			if format != 1 || channels != 1 || bits != 16 {
				return 0, nil, fmt.Errorf("format %d, %d channels of %d bits; want 1, mono, 16 bits", format, channels, bits)
			}
			rate = int(binary.LittleEndian.Uint32(chunk[4:]))
		case name == "data" && rate > 0:
			return rate, chunk, nil
		}
		rest = rest[min(size+size&1, int64(len(rest))):]
	}
	return 0, nil, errors.New("a WAV file without sound")
}
