package repotest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"noom/internal/longtest"
)

// TestRename copies the repository, gives the copy the path of a fork as README.md says, and builds and vets it.
func TestRename(t *testing.T) {
	longtest.Only(t)
	dir, own := t.TempDir(), modulePath(t)
	copyRepository(t, dir)
	const fork = "example.com/somebody/calls"
	if out := goDoes(t, dir, "run", ".ci/rename.go", fork); !strings.Contains(out, "go get "+fork) {
		t.Errorf("it does not say what is left: %s", out)
	}
	goDoes(t, dir, "build", "./...")
	goDoes(t, dir, "vet", "./...")
	for _, name := range repositoryFiles(t) {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".go") && bytes.Contains(content, []byte("\n\t\""+own+"/signal\"\n")) {
			t.Errorf("%s still imports %s", name, own)
		}
		if strings.HasSuffix(name, "go.mod") && !bytes.Contains(content, []byte("module "+fork)) {
			t.Errorf("%s is still of another module:\n%s", name, content)
		}
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(readme, []byte(`"`+fork+`/transport/mem"`)) {
		t.Error("the README's programs import what is no longer there")
	}
	if out, err := os.ReadFile(filepath.Join(dir, "signal", "identity.go")); err != nil || !bytes.Contains(out, []byte(`"noom.v1 pair"`)) {
		t.Errorf("the protocol has changed, or %v", err)
	}
}

// TestRenameRefuses what go get cannot find.
func TestRenameRefuses(t *testing.T) {
	for _, path := range []string{"calls", "https://example.com/calls", "example.com", ""} {
		out, err := exec.Command("go", "run", ".ci/rename.go", path).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "is no path that go get finds") {
			t.Errorf("%q: %v, %s", path, err, out)
		}
	}
}

// repositoryFiles returns the files of the repository, those included that are not committed yet.
func repositoryFiles(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z").Output()
	if err != nil {
		t.Skipf("not a git repository: %v", err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func copyRepository(t *testing.T, dir string) {
	t.Helper()
	for _, name := range repositoryFiles(t) {
		content, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		} else if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), content)
	}
}
