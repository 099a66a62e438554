package repotest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var updateAPI = flag.Bool("update", false, "write testdata/api.txt, which TestAPI compares with")

// TestAPI compares what the public packages export with testdata/api.txt, so that a change of the public face is seen
// in review: a line that goes may break programs, one that comes is new. What is there after all is written with
//
//	go test -run TestAPI ./internal/repotest -update
//
// It sees the packages as they are built without tags, on the system that it runs on.
func TestAPI(t *testing.T) {
	got := exported(t)
	const name = "testdata/api.txt"
	if *updateAPI {
		write(t, name, []byte(strings.Join(got, "\n")+"\n"))
		return
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	report := func(what string, list, without []string) {
		for _, line := range list {
			if !slices.Contains(without, line) {
				t.Errorf("%s %s", what, line)
			}
		}
	}
	report("gone:", want, got)
	report("new: ", got, want)
	if t.Failed() {
		t.Log("A line that is gone, or changed, breaks programs, and belongs into CHANGELOG.md. If it is right: go test -run TestAPI ./internal/repotest -update")
	}
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Name, Export string
	Standard                 bool
}

// exported returns a line for each thing that a public package exports, sorted.
func exported(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Name,Export,Standard", "./...")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &problems)
	}
	compiled, public, own := make(map[string]string), []string(nil), modulePath(t)
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		compiled[p.ImportPath] = p.Export
		inside := strings.Contains(p.ImportPath, "/internal/") || strings.HasPrefix(p.ImportPath, own+"/examples/")
		if (p.ImportPath == own || strings.HasPrefix(p.ImportPath, own+"/")) && p.Name != "main" && !inside && p.Export != "" { // else it has tests alone
			public = append(public, p.ImportPath)
		}
	}
	load := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(compiled[path]) })
	lines := make(map[string]bool)
	for _, path := range public {
		pkg, err := load.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		face := &face{pkg: pkg, own: own, lines: lines}
		for _, name := range pkg.Scope().Names() {
			if ast.IsExported(name) {
				face.object(pkg.Scope().Lookup(name))
			}
		}
	}
	if len(public) < 10 {
		t.Fatalf("there are only the public packages %v", public)
	}
	return slices.Sorted(maps.Keys(lines))
}

// face collects what one package exports.
type face struct {
	pkg   *types.Package
	own   string // the module's path, which is noom in the lines
	lines map[string]bool
}

func (f *face) add(format string, args ...any) {
	f.lines[f.path(f.pkg.Path())+": "+fmt.Sprintf(format, args...)] = true
}

func (f *face) path(path string) string {
	if path == f.own || strings.HasPrefix(path, f.own+"/") {
		return "noom" + strings.TrimPrefix(path, f.own)
	}
	return path
}

// text writes a type with the paths of packages other than this.
func (f *face) text(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string {
		if p == f.pkg {
			return ""
		}
		return f.path(p.Path())
	})
}

// signature writes parameters and results, without their names, which callers do not see.
func (f *face) signature(o types.Object) string {
	signature := o.Type().(*types.Signature)
	nameless := func(tuple *types.Tuple) *types.Tuple {
		var list []*types.Var
		for v := range tuple.Variables() {
			list = append(list, types.NewParam(token.NoPos, nil, "", v.Type()))
		}
		return types.NewTuple(list...)
	}
	parameters := ""
	for p := range signature.TypeParams().TypeParams() {
		parameters += fmt.Sprintf("[%s %s]", p, f.text(p.Constraint()))
	}
	bare := types.NewSignatureType(nil, nil, nil, nameless(signature.Params()), nameless(signature.Results()), signature.Variadic())
	return parameters + strings.TrimPrefix(f.text(bare), "func")
}

func (f *face) object(o types.Object) {
	switch o := o.(type) {
	case *types.Const:
		f.add("const %s %s = %s", o.Name(), f.text(o.Type()), o.Val().ExactString())
	case *types.Var:
		f.add("var %s %s", o.Name(), f.text(o.Type()))
	case *types.Func:
		f.add("func %s%s", o.Name(), f.signature(o))
	case *types.TypeName:
		f.typeName(o)
	}
}

func (f *face) typeName(o *types.TypeName) {
	if o.IsAlias() {
		f.add("type %s = %s", o.Name(), f.text(types.Unalias(o.Type())))
		return
	}
	named := o.Type().(*types.Named)
	parameters := ""
	for p := range named.TypeParams().TypeParams() {
		parameters += fmt.Sprintf("[%s %s]", p, f.text(p.Constraint()))
	}
	switch under := named.Underlying().(type) {
	case *types.Struct:
		f.add("type %s%s struct", o.Name(), parameters)
		for field := range under.Fields() {
			if field.Exported() {
				f.add("type %s struct, %s %s", o.Name(), field.Name(), f.text(field.Type()))
			}
		}
	case *types.Interface:
		f.add("type %s%s interface", o.Name(), parameters)
		for method := range under.Methods() {
			if method.Exported() {
				f.add("type %s interface, %s%s", o.Name(), method.Name(), f.signature(method))
			} else {
				f.add("type %s interface, sealed", o.Name())
			}
		}
		return // the methods are those
	default:
		f.add("type %s%s %s", o.Name(), parameters, f.text(under))
	}
	for method := range types.NewMethodSet(types.NewPointer(named)).Methods() { // promoted ones too
		if !method.Obj().Exported() {
			continue
		}
		receiver := "*" + o.Name()
		if types.NewMethodSet(named).Lookup(nil, method.Obj().Name()) != nil {
			receiver = o.Name()
		}
		f.add("method (%s) %s%s", receiver, method.Obj().Name(), f.signature(method.Obj()))
	}
}
