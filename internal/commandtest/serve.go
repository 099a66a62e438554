// Package commandtest runs programs in tests of theirs.
package commandtest

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"noom/cmd/noom/command"
)

// Serve runs noom serve, or a program like it, on a free port until the test ends, and returns the URL that it prints;
// flags are further ones.
func Serve(t *testing.T, program command.Command, flags ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	exited := make(chan int, 1)
	go func() {
		code := program.Run(ctx, append([]string{"-addr", "127.0.0.1:0"}, flags...), command.Streams{Out: write, Err: os.Stderr})
		_ = write.Close() // never fails
		exited <- code
	}()
	var line string
	lines := bufio.NewReader(read)
	for !strings.HasPrefix(line, "noom is at ") {
		var err error
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	drained := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, lines) // until the program ends
		close(drained)
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-exited; code != 0 {
			t.Errorf("exit code %d", code)
		}
		<-drained
	})
	url, _, _ := strings.Cut(line[strings.Index(line, "http"):], " ")
	return strings.Trim(url, ",\n")
}
