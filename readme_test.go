package noom_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// TestReadme builds the README's programs as a module of their own that
// requires noom the way the README says.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(programs) != 2 {
		t.Fatalf("README.md has %d programs, want 2", len(programs))
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	gomod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	// The versions that noom itself was tested with, so that nothing has to be looked up.
	gomod = regexp.MustCompile(`(?m)^module noom$`).ReplaceAll(gomod, []byte("module example"))
	gomod = append(gomod, "\nrequire noom v0.0.0\nreplace noom => "+here+"\n"...)
	write(t, filepath.Join(dir, "go.mod"), gomod)
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), sums)
	for i, p := range programs {
		write(t, filepath.Join(dir, strconv.Itoa(i), "main.go"), p[1])
	}
	for _, args := range [][]string{{"build", "-o", "programs/", "./0", "./1"}, {"run", "./0"}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
		if args[0] == "run" && !bytes.Contains(out, []byte("alice says hello")) {
			t.Fatalf("the first program printed %q", out)
		}
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
