package browsertest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nodePatience is how long all tests of a folder may take. They take a quarter of a minute on a machine at rest.
const nodePatience = 5 * time.Minute

// NodeTests runs the tests of JavaScript in dir/test with Node. Unlike node --test it has one process for all files: a process
// for each takes longer than what it tests. Without Node the test is skipped, loudly, or fails.
func NodeTests(tb testing.TB, dir string) {
	tb.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		Without(tb, "NO NODE: the tests of "+dir+"/test do not run; install Node 20 or later")
	}
	files, err := filepath.Glob(filepath.Join(dir, "test", "*.test.js"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("no tests in %s: %v", dir, err)
	}
	var script strings.Builder
	script.WriteString(`import { after } from 'node:test';
const awake = setInterval(() => {}, 1000); // what some tests wait for keeps no process alive
after(() => clearInterval(awake));
`)
	for _, file := range files {
		fmt.Fprintf(&script, "import './test/%s';\n", filepath.Base(file))
	}
	ctx, cancel := context.WithTimeout(tb.Context(), nodePatience)
	defer cancel()
	run := exec.CommandContext(ctx, node, "--test-reporter=spec", "--input-type=module", "--eval", script.String())
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
}
