package noomtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme compiles and runs each example of README.md, in a module of its own.
func TestReadme(t *testing.T) {
	readme := read(t, "README.md")
	imports := regexp.MustCompile("(?s)```go import\n(.*?)```").FindStringSubmatch(readme)
	if imports == nil {
		t.Fatal("README.md has no imports")
	}
	var names []string
	code := "package guide\n\n" + imports[1]
	for _, example := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme, -1) {
		code += "\n" + example[1]
		if name := regexp.MustCompile(`func (Test\w+)`).FindStringSubmatch(example[1]); name != nil {
			names = append(names, name[1])
		}
	}
	if len(names) < 8 {
		t.Fatalf("README.md has only the examples %v", names)
	}
	dir := module(t, map[string]string{"guide_test.go": code})
	if out := goTest(t, dir, "-run", "^TestJoinIsNegotiatedLikeThat$", "-noomtest.rewrite"); !strings.Contains(fmt.Sprint(out), "--- PASS") {
		t.Fatalf("writing the golden file printed %s", out)
	}
	if golden, err := os.ReadFile(filepath.Join(dir, "testdata", "join.txt")); err != nil || !strings.Contains(string(golden), "answer 1, by hub") {
		t.Fatalf("the golden file is %q, %v", golden, err)
	}
	printed := goTest(t, dir)
	for _, name := range names {
		if !strings.Contains(printed[name], "--- PASS: "+name+" ") {
			t.Errorf("%s prints\n%s", name, printed[name])
		}
	}
}
