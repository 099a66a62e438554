// Command rename gives the module another path, for a copy of the repository that go get shall find:
//
//	go run .ci/rename.go github.com/you/noom
//
// A second argument is the path to change, if that is no longer the one in go.mod: noom, after changes
// of the original were merged.
//
// It changes imports, go.mod files, and the paths of packages in comments, Markdown and the
// configuration of tools. Everything else stays: the name of the package is noom, and so are the
// protocol and the commands. It works in the current folder, the root of the repository, and prints
// what is left to do.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 2 && len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run .ci/rename.go MODULE [FORMER MODULE], such as github.com/you/noom")
		os.Exit(2)
	}
	changed, err := rename(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "rename:", err)
		os.Exit(1)
	}
	fmt.Printf("%d files changed. What is left:\n"+
		"  git diff                      look at it\n"+
		"  make test lint\n"+
		"  README.md                     \"Using it from another module\" becomes: go get %[2]s\n"+
		"  git commit -a, git tag v0.1.0, git push origin main v0.1.0\n", changed, os.Args[1])
}

// A renaming is from one module path to another.
type renaming struct {
	from, to string
	packages map[string]bool // folders with Go files, by their import path
	required *regexp.Regexp  // the old path in a line of a go.mod file, or of an example of one
	imported *regexp.Regexp  // a line that imports the root package
	named    *regexp.Regexp  // the path of a package in text
}

var validPath = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+(/[A-Za-z0-9._~-]+)+$`)

func rename(to string, former []string) (changed int, err error) {
	if !validPath.MatchString(to) {
		return 0, fmt.Errorf("%q is no path that go get finds: it begins with a host, such as github.com/you/noom", to)
	}
	gomod, err := os.ReadFile("go.mod")
	if err != nil {
		return 0, fmt.Errorf("%w: run it in the root of the repository", err)
	}
	module := regexp.MustCompile(`(?m)^module (\S+)$`).FindSubmatch(gomod)
	if module == nil {
		return 0, errors.New("go.mod has no line that says module")
	}
	from := string(module[1])
	if len(former) > 0 {
		from = former[0]
	}
	r := newRenaming(from, to)
	var files []string
	if files, err = r.find(); err != nil {
		return 0, err
	}
	for _, name := range files {
		before, err := os.ReadFile(name)
		if err != nil {
			return changed, err
		}
		after := r.changed(name, before)
		if bytes.Equal(before, after) {
			continue
		}
		if err := os.WriteFile(name, after, 0o644); err != nil { // an existing file keeps its mode
			return changed, err
		}
		changed++
	}
	return changed, nil
}

func newRenaming(from, to string) *renaming {
	quoted := regexp.QuoteMeta(from)
	return &renaming{
		from: from, to: to, packages: make(map[string]bool),
		required: regexp.MustCompile(`(?m)^(\s*(?:module |require |replace )?)` + quoted + `((?:/\S+)?(?: v\S+| =>.*)?)$`),
		imported: regexp.MustCompile(`(?m)^(\s*(?:import )?")` + quoted + `(")$`),
		named:    regexp.MustCompile(`(^|[^\w./-])` + quoted + `((?:/[a-z0-9-]+)+)`),
	}
}

// find returns the files of the repository, and notes which folders are packages.
func (r *renaming) find() (files []string, err error) {
	err = filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "node_modules"):
			return filepath.SkipDir
		case entry.IsDir():
			return nil
		case strings.HasSuffix(name, ".go"):
			r.packages[path.Join(r.from, filepath.ToSlash(filepath.Dir(name)))] = true
		}
		files = append(files, name)
		return nil
	})
	return files, err
}

// changed returns what a file is to contain.
func (r *renaming) changed(name string, content []byte) []byte {
	switch base := filepath.Base(name); {
	case base == "go.mod":
		return r.required.ReplaceAll(content, []byte("${1}"+r.to+"${2}"))
	case strings.HasSuffix(base, ".go"):
		return r.source(content)
	case strings.HasSuffix(base, ".md"):
		content = r.required.ReplaceAll(content, []byte("${1}"+r.to+"${2}"))
		content = r.imported.ReplaceAll(content, []byte("${1}"+r.to+"${2}"))
		return r.text(content)
	case base == ".golangci.yml":
		own := regexp.MustCompile(`(pkg: |module-path: |local-prefixes: \[)` + regexp.QuoteMeta(r.from) + `\b`)
		return own.ReplaceAll(content, []byte("${1}"+r.to))
	case name == filepath.Join(".ci", "run"):
		return r.text(content)
	}
	return content
}

// source changes imports and comments. A file that does not parse, such as a test's, stays as it is.
func (r *renaming) source(content []byte) []byte {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return content
	}
	type edit struct {
		node ast.Node
		text string
	}
	var edits []edit
	for _, spec := range file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil && (p == r.from || strings.HasPrefix(p, r.from+"/")) {
			edits = append(edits, edit{spec.Path, strconv.Quote(r.to + strings.TrimPrefix(p, r.from))})
		}
	}
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if text := string(r.text([]byte(comment.Text))); text != comment.Text {
				edits = append(edits, edit{comment, text})
			}
		}
	}
	if edits == nil {
		return content
	}
	slices.SortFunc(edits, func(a, b edit) int { return int(b.node.Pos() - a.node.Pos()) }) // from the end
	after := slices.Clone(content)
	for _, e := range edits {
		from, to := set.Position(e.node.Pos()).Offset, set.Position(e.node.End()).Offset
		after = slices.Replace(after, from, to, []byte(e.text)...)
	}
	if formatted, err := format.Source(after); err == nil { // imports are sorted by their paths
		return formatted
	}
	return after
}

// text changes the paths of packages.
func (r *renaming) text(content []byte) []byte {
	return r.named.ReplaceAllFunc(content, func(found []byte) []byte {
		parts := r.named.FindSubmatch(found)
		if !r.packages[r.from+string(parts[2])] {
			return found
		}
		return slices.Concat(parts[1], []byte(r.to), parts[2])
	})
}
