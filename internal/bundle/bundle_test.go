package bundle_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"noom/internal/bundle"
)

func module(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestOf(t *testing.T) {
	files, err := bundle.Of(fstest.MapFS{
		"page.js":  module(`import { 이름 } from './lib/name.js'; export { 이름 }; const more = () => import('./later.js'); more();`),
		"later.js": module(`import { 이름 } from './lib/name.js'; document.title = 이름 + ' later';`),
		"lib/name.js": module(`// says who
			import './effects.js'; export const 이름 = '지우';`),
		"lib/effects.js": module(`console.log('once');`),
	}, "page.js")
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	var names []string
	for name, content := range files {
		kind, _, _ := strings.Cut(name, "-")
		if name == "page.js" {
			kind = name
		}
		if !strings.HasSuffix(name, ".map") {
			names = append(names, kind)
			all += string(content)
			if files[name+".map"] == nil {
				t.Errorf("%s has no map", name)
			}
		}
	}
	slices.Sort(names)
	if want := []string{"chunk", "chunk", "page.js"}; !slices.Equal(names, want) {
		t.Errorf("made %q, want %q", names, want)
	}
	if !strings.Contains(string(files["page.js"]), "export{") {
		t.Errorf("page.js exports nothing:\n%s", files["page.js"])
	}
	for text, times := range map[string]int{`"once"`: 1, `"지우"`: 1, `" later"`: 1, "says who": 0} {
		if n := strings.Count(all, text); n != times {
			t.Errorf("%s stands there %d times, want %d:\n%s", text, n, times, all)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct{ what, module, says string }{
		{"a module that is not there", `import './none.js';`, "none.js"},
		{"a file of the machine", `import '../../../../../etc/passwd';`, "etc/passwd"},
		{"a package", `import 'react';`, "react"},
		{"a name that is put together", "import(`./x_${name}.js`);", "x_"},
		{"a syntax error", `const = 1;`, "page.js:1"},
	} {
		files, err := bundle.Of(fstest.MapFS{"page.js": module(test.module)}, "page.js")
		if err == nil || files != nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", test.what, err, test.says)
		}
	}
}
