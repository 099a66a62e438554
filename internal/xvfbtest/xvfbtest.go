// Package xvfbtest gives tests a virtual X11 screen.
package xvfbtest

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"testing"
)

// Start starts Xvfb with a screen of 640 by 480 and sets DISPLAY to it until the test
// ends. Without Xvfb it skips the test.
func Start(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		t.Skip("SKIPPED: there is no Xvfb here; screens are not tested")
	}
	server := exec.CommandContext(context.Background(), path, "-displayfd", "1", "-screen", "0", "640x480x24")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the cleanup of all users, because Xlib would end the process
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	number, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DISPLAY", ":"+strings.TrimSpace(number))
}
