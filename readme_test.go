package noom_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
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
	dir := elsewhere(t)
	for i, p := range programs {
		write(t, filepath.Join(dir, strconv.Itoa(i), "main.go"), p[1])
	}
	goDoes(t, dir, "build", "-o", "programs/", "./0", "./1")
	if out := goDoes(t, dir, "run", "./0"); !strings.Contains(out, "alice says hello") {
		t.Fatalf("the first program printed %q", out)
	}
}

// TestExamplesCanBeCopied builds each example in a module that is not noom's, the
// bots with their tests. Tests that drive a browser stay here, as what drives it does.
func TestExamplesCanBeCopied(t *testing.T) {
	dir := elsewhere(t)
	err := filepath.WalkDir("examples", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.HasSuffix(path, "_test.go") && bytes.Contains(content, []byte(`"noom/internal/`)) {
			return err
		}
		write(t, filepath.Join(dir, path), content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	goDoes(t, dir, "build", "./...")
	goDoes(t, dir, "vet", "./examples/bot/...", "./examples/echo", "./examples/recorder", "./examples/player", "./examples/announcer", "./examples/load")
}

// elsewhere makes a module that requires noom the way the README says, and
// returns its folder.
func elsewhere(t *testing.T) (dir string) {
	t.Helper()
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
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
	return dir
}

// goDoes runs the go command in a module's folder, and returns what it printed.
func goDoes(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
	return string(out)
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
