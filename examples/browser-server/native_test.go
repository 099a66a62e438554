package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"noom/internal/browsertest"
)

// The whole of it, as programs: two tabs and a native peer that plays real
// files, pictures moving and sound on all sides.
func TestNativePeerPlaysFiles(t *testing.T) { browsertest.EachPairIfAsked(t, testNativePeerPlaysFiles) }

func testNativePeerPlaysFiles(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	server := serveHere(t)
	b1, b2 := kinds.Start(t)
	jiwoo := enter(t, b1, server, "데모", "지우")
	bob := enter(t, b2, server, "데모", "bob")

	program := filepath.Join(t.TempDir(), "native-peer")
	build := exec.Command("go", "build", "-o", program, "noom/examples/native-peer")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	native := exec.CommandContext(t.Context(), program,
		"-url", strings.Replace(server, "http", "ws", 1)+"/ws", "-room", "데모", "-name", "고퍼", "-json",
		"-video", "../../media/testdata/vp8.ivf", "-audio", "../../media/testdata/opus.ogg")
	native.Stderr = os.Stderr
	native.Cancel = func() error { return native.Process.Signal(syscall.SIGTERM) }
	output, err := native.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := native.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)

	seesAndHears(t, jiwoo, 2)
	seesAndHears(t, bob, 2)
	receivesFromBoth(t, lines)

	if err := native.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // a reader is needed until it has said goodbye
	}
	if err := native.Wait(); err != nil {
		t.Errorf("native-peer ends with %v", err)
	}
	jiwoo.Wait("the native peer's goodbye", `!named('고퍼')`)
	seesAndHears(t, jiwoo, 1)
}

// receivesFromBoth reads the native peer's output until one second's
// statistics show frames and sound from two tabs.
func receivesFromBoth(t *testing.T, lines *bufio.Scanner) {
	t.Helper()
	deadline := time.AfterFunc(2*time.Minute, func() { t.Error("no statistics with two pictures and two sounds in two minutes") })
	defer deadline.Stop()
	for lines.Scan() && !t.Failed() {
		var line struct {
			Event string
			Peers []struct {
				Name   string
				Tracks []struct {
					Kind             string
					PacketsPerSecond float64
				}
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		flowing := map[string]bool{}
		for _, p := range line.Peers {
			for _, track := range p.Tracks {
				if track.PacketsPerSecond > 0 {
					flowing[p.Name+" "+track.Kind] = true
				}
			}
		}
		if flowing["지우 video"] && flowing["지우 audio"] && flowing["bob video"] && flowing["bob audio"] {
			return
		}
	}
	t.Fatal("the native peer's statistics end")
}
