// Package ffmpegtest makes films for tests and looks at what became of them,
// with ffmpeg. Where there is none, the test is skipped.
package ffmpegtest

import (
	"bytes"
	"encoding/binary"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Run runs ffmpeg and returns what it writes to standard output. It fails the
// test if ffmpeg fails or complains.
func Run(t *testing.T, args ...string) []byte {
	t.Helper()
	return Tool(t, "ffmpeg", append([]string{"-nostdin"}, args...)...)
}

// Tool is Run for another program that comes with ffmpeg, such as ffprobe.
func Tool(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("SKIPPED: there is no %s here to make films and look at them", name)
	}
	var complaints bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, append([]string{"-v", "error"}, args...)...)
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &complaints)
	}
	return out
}

// Flashes returns when the picture of a film turns white, in hundredths of a
// second.
func Flashes(t *testing.T, path string) (at []time.Duration) {
	t.Helper()
	light := Run(t, "-i", path, "-map", "0:v", "-vf", "fps=100:start_time=0,scale=1:1,format=gray", "-f", "rawvideo", "-")
	for i := 1; i < len(light); i++ {
		if light[i] > 128 && light[i-1] <= 128 {
			at = append(at, time.Duration(i)*10*time.Millisecond)
		}
	}
	return at
}

// Beeps returns when the sound of a film becomes loud after a quarter of a
// second of silence.
func Beeps(t *testing.T, path string) (at []time.Duration) {
	t.Helper()
	const rate = 8000
	sound := Run(t, "-i", path, "-map", "0:a", "-af", "aresample=8000:async=1:first_pts=0", "-ac", "1", "-f", "s16le", "-")
	silent := rate
	for i := 0; i+1 < len(sound); i += 2 {
		if v := int16(binary.LittleEndian.Uint16(sound[i:])); v > 4000 || v < -4000 {
			if silent > rate/4 {
				at = append(at, time.Duration(i/2)*time.Second/rate)
			}
			silent = 0
		}
		silent++
	}
	return at
}
