package voice

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os/exec"
	"slices"
	"testing"
)

// wav makes a file as a program does that writes into a pipe and does not know how long it will be.
func wav(from int, channels uint16, pcm []int16) []byte {
	b := []byte("RIFF\xff\xff\xff\x7fWAVEfmt \x10\x00\x00\x00\x01\x00")
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, uint32(from))
	b = binary.LittleEndian.AppendUint32(b, uint32(2*from))
	b = append(b, 2, 0, 16, 0)
	b = append(b, "LIST\x03\x00\x00\x00abc\x00data\xff\xff\xff\x7f"...)
	return append(b, bytesOf(pcm)...)
}

func TestReadWAV(t *testing.T) {
	want := []int16{1, -2, 32767, -32768, 5}
	whole := wav(22050, 1, want)
	if pcm, rate, err := ReadWAV(bytes.NewReader(whole)); err != nil || rate != 22050 || !slices.Equal(pcm, want) {
		t.Errorf("%v at %d, %v", pcm, rate, err)
	}
	for n := range len(whole) - 2*len(want) { // cut off anywhere before the sound
		if pcm, _, err := ReadWAV(bytes.NewReader(whole[:n])); !errors.Is(err, ErrWAV) {
			t.Errorf("%d bytes: %v, %v", n, pcm, err)
		}
	}
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		r    io.Reader
		want error
	}{
		"stereo": {bytes.NewReader(wav(22050, 2, want)), ErrWAV},
		"long":   {bytes.NewReader(append(whole, make([]byte, biggestWAV)...)), ErrWAV},
		"broken": {io.MultiReader(bytes.NewReader(whole), failing{broken}), broken},
	} {
		if _, _, err := ReadWAV(c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReadSpeech reads what a synthesiser makes.
func TestReadSpeech(t *testing.T) {
	path, err := exec.LookPath("espeak-ng")
	if err != nil {
		t.Skip("SKIPPED: there is no espeak-ng here to speak")
	}
	out, err := exec.CommandContext(t.Context(), path, "--stdout", "hello there").Output()
	if err != nil {
		t.Fatal(err)
	}
	pcm, rate, err := ReadWAV(bytes.NewReader(out))
	if err != nil || len(pcm) < rate/4 || levelOf(pcm) < -40 {
		t.Errorf("%d samples at %d, %v", len(pcm), rate, err)
	}
}
