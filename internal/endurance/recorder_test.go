package endurance

import (
	"context"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noom"
	"noom/examples/bottest"
	"noom/internal/ffmpegtest"
	"noom/internal/longtest"
	"noom/media"
)

// recorderProgram returns a function that runs the example as a program until it is interrupted.
func recorderProgram(t *testing.T) bottest.Program {
	t.Helper()
	program := filepath.Join(t.TempDir(), "recorder")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "noom/examples/recorder")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func(ctx context.Context, _ *flag.FlagSet, args []string, out io.Writer) error {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Stdout, cmd.Stderr = out, os.Stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		return cmd.Run()
	}
}

// TestRecordedInSync sends a film that flashes and beeps once a second through a real call
// and records it. Flashes and beeps still coincide.
func TestRecordedInSync(t *testing.T) {
	longtest.Only(t)
	folder := t.TempDir()
	path := filepath.Join(t.TempDir(), "번쩍.webm")
	ffmpegtest.Run(t, "-f", "lavfi", "-i", "color=black:s=160x120:r=25",
		"-f", "lavfi", "-i", "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':s=48000",
		"-t", "4", "-vf", "drawbox=color=white:t=fill:enable='lt(mod(t,1),0.1)'",
		"-c:v", "libvpx", "-b:v", "100k", "-g", "25", "-auto-alt-ref", "0", "-c:a", "libopus", path)
	film, err := media.OpenWebM(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = film.Close() }() // it was only read
	stage := bottest.New(t)
	out, stop := stage.Start(recorderProgram(t), "-folder", folder)
	room := stage.Join("지우", noom.LocalTrack{Track: film.Video()}, noom.LocalTrack{Track: film.Audio()})
	bottest.Await(t, room, func(e noom.PeerStateChanged) bool { return e.State == noom.PeerConnected })
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
	defer cancel()
	<-ctx.Done()
	room.Leave(context.Background())
	bottest.Until(t, func() bool { return strings.Contains(out.String(), "\nrecorded ") })
	stop()
	files, err := filepath.Glob(filepath.Join(folder, "*.webm"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	flashes, beeps := ffmpegtest.Flashes(t, files[0]), ffmpegtest.Beeps(t, files[0])
	if len(flashes) < 6 || len(beeps) < 6 {
		t.Fatalf("flashes at %v, beeps at %v", flashes, beeps)
	}
	// The clocks of the sender's tracks are known only after the first reports. The
	// recording may end between the last flash and its beep.
	for _, flash := range flashes[len(flashes)-6 : len(flashes)-1] {
		nearest := time.Hour
		for _, beep := range beeps {
			if off := beep - flash; off.Abs() < nearest.Abs() {
				nearest = off
			}
		}
		t.Logf("the beep is %v after the flash at %v", nearest, flash)
		if nearest.Abs() > 100*time.Millisecond { // 40 ms on an idle machine
			t.Errorf("the flash at %v is %v from the nearest beep", flash, nearest)
		}
	}
}
