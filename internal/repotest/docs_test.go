package repotest

import (
	"bytes"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDocs compiles the Go in README.md and in each page of docs, as packages of a module that requires noom the way
// the README says, and runs the program and the test that print what they promise.
func TestDocs(t *testing.T) {
	dir := elsewhere(t)
	packages := 0
	for _, page := range pages(t) {
		packages += writeExamples(t, dir, page)
	}
	if packages < 12 {
		t.Fatalf("README.md and docs have only %d examples in Go", packages)
	}
	compiles(t, dir, "-test", "./...")
	if out := goDoes(t, dir, "run", "./README/0"); !strings.Contains(out, "alice says hello") {
		t.Errorf("the README's first program printed %q", out)
	}
	if out := goDoes(t, dir, "test", "-v", "./docs/testing/greeter"); !strings.Contains(out, "--- PASS: TestGreet") {
		t.Errorf("the test of docs/testing.md printed %q", out)
	}
}

// pages returns README.md and the pages of docs, without the index.
func pages(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(slices.DeleteFunc(names, func(name string) bool { return name == "docs/README.md" }), "README.md")
}

var (
	goExample   = regexp.MustCompile("(?s)```go\n(.*?)```")
	packageName = regexp.MustCompile(`^package (\w+)\n`)
)

// writeExamples writes what the ```go blocks of a page contain, and returns how many packages that are: each program is
// one, files of another package are together, and so are all declarations without a package clause, whose imports are
// added here. ```go with a further word, such as the name of another library, is not compiled.
func writeExamples(t *testing.T, dir, page string) (packages int) {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, strings.TrimSuffix(page, ".md"))
	var declarations strings.Builder
	made := make(map[string]bool)
	for i, block := range goExample.FindAllStringSubmatch(string(content), -1) {
		if formatted, err := format.Source([]byte(block[1])); err != nil || string(formatted) != block[1] {
			t.Errorf("%s: gofmt would change this, or says %v:\n%s", page, err, block[1])
		}
		clause, kind := packageName.FindStringSubmatch(block[1]), ".go"
		if strings.Contains(block[1], `"testing"`) {
			kind = "_test.go"
		}
		switch {
		case clause == nil:
			declarations.WriteString("\n" + block[1])
			made["declarations"] = true
		case clause[1] == "main":
			write(t, filepath.Join(dir, strconv.Itoa(i), "main.go"), []byte(block[1]))
			made[strconv.Itoa(i)] = true
		default:
			write(t, filepath.Join(dir, clause[1], strconv.Itoa(i)+kind), []byte(block[1]))
			made[clause[1]] = true
		}
	}
	if code := declarations.String(); code != "" {
		write(t, filepath.Join(dir, "declarations", "file.go"), []byte("package declarations\n\n"+imports(t, code)+code))
	}
	return len(made)
}

// importable are the packages that declarations in the docs use without saying so, by the name that they use.
var importable = map[string]string{
	"bufio": "bufio", "context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "io": "io", "json": "encoding/json", "log": "log",
	"netip": "net/netip", "os": "os", "time": "time", "webrtc": "github.com/pion/webrtc/v4", "websocket": "github.com/coder/websocket",
	"wsjson": "github.com/coder/websocket/wsjson",
	"noom":   "noom", "bot": "noom/bot", "hub": "noom/signal/hub", "signal": "noom/signal", "token": "noom/signal/hub/token", "media": "noom/media",
	"ws": "noom/transport/ws", "noomhttp": "noom/transport/http", "auto": "noom/transport/auto", "turn": "noom/turn", "nats": "noom/transport/nats", "embed": "noom/transport/nats/embed",
}

// imports returns the imports that code needs.
func imports(t *testing.T, code string) string {
	t.Helper()
	var list strings.Builder
	own := modulePath(t)
	for name, path := range importable {
		if regexp.MustCompile(`(^|[^\w.])` + name + `\.[A-Z]`).MatchString(code) {
			if path == "noom" || strings.HasPrefix(path, "noom/") {
				path = own + strings.TrimPrefix(path, "noom")
			}
			fmt.Fprintf(&list, "import %s %q\n", name, path)
		}
	}
	return list.String()
}

// TestDocsIndex: each page is in the index, and each link leads somewhere.
func TestDocsIndex(t *testing.T) {
	index, err := os.ReadFile("docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		if name := filepath.Base(page); page != "README.md" && !bytes.Contains(index, []byte("]("+name)) {
			t.Errorf("docs/README.md does not name %s", name)
		}
		checkLinks(t, page)
	}
	checkLinks(t, "docs/README.md")
}

var (
	markdownLink  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	markdownTitle = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchors  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// checkLinks follows the links of a page to other files, and to headings in them.
func checkLinks(t *testing.T, page string) {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range markdownLink.FindAllStringSubmatch(string(content), -1) {
		file, anchor, _ := strings.Cut(link[1], "#")
		if strings.Contains(link[1], "://") {
			continue
		}
		target := page
		if file != "" {
			target = filepath.Join(filepath.Dir(page), file)
		}
		if _, err := os.Stat(target); err != nil {
			t.Errorf("%s links to %s: %v", page, link[1], err)
			continue
		}
		if anchor != "" && !slices.Contains(anchors(t, target), anchor) {
			t.Errorf("%s links to %s: there is no such heading", page, link[1])
		}
	}
}

// anchors returns the names that the headings of a page have in links.
func anchors(t *testing.T, page string) (list []string) {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, title := range markdownTitle.FindAllStringSubmatch(string(content), -1) {
		list = append(list, strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(title[1]), ""), " ", "-"))
	}
	return list
}

// TestTroubleshooting: docs/troubleshooting.md has a heading for each verdict, and for nothing that is none.
func TestTroubleshooting(t *testing.T) {
	source, err := os.ReadFile("diagnosis.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	verdicts := regexp.MustCompile(`(?m)^\tVerdict\w+ Verdict = "(.*)"$`).FindAllStringSubmatch(string(source), -1)
	titles := regexp.MustCompile("(?m)^## `(.*)`$").FindAllStringSubmatch(string(page), -1)
	if len(verdicts) < 12 {
		t.Fatalf("diagnosis.go has only the verdicts %v", verdicts)
	}
	text := func(match []string) string { return match[1] }
	if got, want := mapped(titles, text), mapped(verdicts, text); !slices.Equal(got, want) {
		t.Errorf("docs/troubleshooting.md has the headings\n%q, want those of diagnosis.go, in their order\n%q", got, want)
	}
}

func mapped(list [][]string, f func([]string) string) []string {
	result := make([]string, len(list))
	for i, item := range list {
		result[i] = f(item)
	}
	return result
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
		if strings.HasSuffix(path, "_test.go") && bytes.Contains(content, []byte(`"`+modulePath(t)+`/internal/`)) {
			return err
		}
		write(t, filepath.Join(dir, path), content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	compiles(t, dir, "./...")
	compiles(t, dir, "-test", "./examples/bottest", "./examples/echo", "./examples/recorder", "./examples/player", "./examples/announcer", "./examples/dispatcher", "./examples/load")
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
	own := modulePath(t)
	gomod = bytes.Replace(gomod, []byte("module "+own+"\n"), []byte("module example\n"), 1)
	gomod = fmt.Appendf(gomod, "\nrequire %[1]s v0.0.0\nreplace %[1]s => %[2]s\n", own, here)
	write(t, filepath.Join(dir, "go.mod"), gomod)
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), sums)
	return dir
}

// modulePath returns the module's path, which a fork may have changed.
func modulePath(t *testing.T) string {
	t.Helper()
	gomod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(string(gomod), "module "), "\n")
	return path
}

// compiles has packages in a module's folder compiled, programs not linked: that takes longer than everything else.
func compiles(t *testing.T, dir string, packages ...string) {
	t.Helper()
	goDoes(t, dir, append([]string{"list", "-export"}, packages...)...)
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
