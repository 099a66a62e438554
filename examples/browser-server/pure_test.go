package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// The pure parts of the page, under Node.
func TestPureParts(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		const message = "NO NODE: the tests of the page's pure parts do not run; install Node 20 or later"
		if os.Getenv("NOOM_BROWSER") == "required" {
			t.Fatal(message)
		}
		fmt.Fprintln(os.Stderr, message)
		t.Skip(message)
	}
	test := exec.CommandContext(t.Context(), node, "--test", "test/")
	test.Dir = "page"
	if out, err := test.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
