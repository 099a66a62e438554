// Package ffmpegtest makes and examines video files with ffmpeg in tests. Without ffmpeg it
// skips the test.
package ffmpegtest

import (
	"bytes"
	"encoding/binary"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Run runs ffmpeg and returns its standard output. It fails the test if ffmpeg fails or
// writes to standard error.
func Run(t *testing.T, args ...string) []byte {
	t.Helper()
	return Tool(t, "ffmpeg", append([]string{"-nostdin"}, args...)...)
}

// Tool is Run for another program that comes with ffmpeg, such as ffprobe.
func Tool(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("SKIPPED: there is no %s here to make and examine video files", name)
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

// Flashes returns the times at which the picture of a file turns white, to a hundredth of a
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

// Beeps returns the times at which the sound of a file becomes loud after a quarter of a
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
