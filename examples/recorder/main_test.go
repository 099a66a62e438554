package main

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noom"
	"noom/examples/bottest"
	"noom/media"
)

// talk is a short call with only the recorder.
func talk(t *testing.T, stage *bottest.Stage, out *bottest.Output, calls int) {
	t.Helper()
	pattern, tone := media.TestPattern(nil), media.Tone()
	defer func() { _ = pattern.Close() }()
	defer func() { _ = tone.Close() }()
	room := stage.Join("지우", noom.LocalTrack{Track: pattern}, noom.LocalTrack{Track: tone})
	bottest.Await(t, room, func(e noom.PeerStateChanged) bool { return e.State == noom.PeerConnected })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	<-ctx.Done()
	room.Leave(context.Background())
	bottest.Until(t, func() bool { return strings.Count(out.String(), "\nrecorded ") == calls })
}

func TestOneFilePerCall(t *testing.T) {
	stage, folder := bottest.New(t), t.TempDir()
	out, stop := stage.Start(run, "-folder", folder)
	talk(t, stage, out, 1)
	talk(t, stage, out, 2)
	stop()
	files, err := filepath.Glob(filepath.Join(folder, "*.webm"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%q, %v; want two files\n%s", files, err, out)
	}
	for _, f := range files {
		if strings.ContainsAny(filepath.Base(f), " :") {
			t.Errorf("%q has to be quoted in a shell, or cannot be a name on Windows", f)
		}
	}
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("SKIPPED: there is no ffmpeg here to check the files with")
	}
	for _, f := range files {
		// Times are left as they are: rounded to a guessed rate, two may be one.
		complaints, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-nostdin", "-i", f, "-map", "0:v", "-map", "0:a", "-enc_time_base", "-1", "-f", "null", "-").CombinedOutput()
		if err != nil || len(complaints) > 0 {
			t.Errorf("%s: %v\n%s", f, err, complaints)
		}
	}
}

// Before anybody is asked to a call that is not recorded.
func TestNoFolder(t *testing.T) {
	for folder, says := range map[string]string{"없음": "no such file", "main.go": "no folder"} {
		if err := run(t.Context(), bottest.Flags(), []string{"-folder", folder}, io.Discard); err == nil || !strings.Contains(err.Error(), "-folder") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", folder, err, says)
		}
	}
}
